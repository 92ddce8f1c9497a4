"""_stream.py - one layer's bytes as an io.RawIOBase, so that BufferedReader, tarfile and shutil can read it."""
from __future__ import annotations

import io
import operator
import os
import threading
from typing import TYPE_CHECKING, Any, Callable, NoReturn, Optional

from . import _c, _call, _errors
from ._handle import Handle

if TYPE_CHECKING:
    from ._artifact import Artifact, Memory


class _Stream(Handle):
    """What C knows of a layer that is read."""


class Layer(io.RawIOBase):
    """A raw, readable, seekable file over one layer; wrap it in :class:`io.BufferedReader` for small reads.

    :meth:`read_at` may be called by any number of threads at once; those that read otherwise take turns.
    """

    def __init__(self, artifact: "Artifact", number: int, *, unverified: bool = False, file: bool = False,
                 op: Optional[_call.Op] = None) -> None:
        super().__init__()
        self._artifact, self._number, self._unverified, self._file, self._op = artifact, number, unverified, file, op
        self._at = 0
        self._open()
        self.name = artifact.layers[number].title or artifact.layers[number].digest

    def _open(self) -> None:
        options = _c.StreamOptions(flags=_c.flags((self._unverified, _c.STREAM_UNVERIFIED), (self._file, _c.STREAM_FILE)))
        self._own = _call.Op() if self._op is None else self._op    # serves every later read too
        self._stream = self._artifact._run(lambda a, o: _Stream(_c.stream_open(a, self._number, options, o), _c.stream_free), self._own)
        self._turn = threading.Lock()
        self._pid = os.getpid()
        with self._stream._use() as stream:
            self.size: int = _c.stream_bytes(stream)

    def _check(self) -> None:
        if self.closed:
            raise _errors.state("this layer is closed")
        if self._pid != os.getpid():
            self._open()
            with self._stream._use() as s:
                _c.stream_seek(s, min(self._at, self.size))

    def _fill(self, buffer: Memory, read: Callable[[Any, int, int], int]) -> int:
        """Fills a buffer, by ``read(stream, address, bytes)``, as far as there is something to read."""
        def fill(_op: Any = None) -> int:
            done = 0
            with _c.Buffer(buffer, writable=True) as room, self._stream._use() as stream:
                for address, length in room.pieces():
                    n = read(stream, address, length)
                    done += n
                    if n < length:
                        break
            return done
        # from a store each piece is short; over the network it may wait, so that Ctrl-C has to reach it
        return _call.run(fill, self._own) if self._unverified else fill()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def _on(self, stream: Any, address: int, length: int) -> int:
        if self._at >= self.size:                        # perhaps behind its end
            return 0
        n: int = _c.stream_read(stream, address, length)
        self._at += n
        return n

    def readinto(self, buffer: Memory) -> int:
        """Reads as many bytes as `buffer` has straight into it, fewer only at the end; 0 there."""
        self._check()
        with self._turn:
            return self._fill(buffer, self._on)

    def read(self, size: Optional[int] = -1) -> bytes:
        """At most `size` bytes; None or a negative number: the rest, in one piece."""
        self._check()
        with self._turn:
            rest = max(self.size - self._at, 0)
            wanted = rest if size is None or operator.index(size) < 0 else min(operator.index(size), rest)
            whole = io.BytesIO()
            if wanted > 0:
                whole.seek(wanted - 1)
                whole.write(b"\0")                       # room, filled in place, and given away as it is
                with whole.getbuffer() as room:
                    wanted = self._fill(room, self._on)
                whole.truncate(wanted)
            return whole.getvalue()

    def readall(self) -> bytes:
        """The rest, in one piece."""
        return self.read()

    def read_at(self, offset: int, buffer: Memory) -> int:
        """Fills `buffer` from `offset` (bytes) on and says how far; the position does not move. Any thread."""
        self._check()
        at = _c.unsigned(offset, "the offset")

        def on(stream: Any, address: int, length: int) -> int:
            nonlocal at
            n: int = _c.stream_read_at(stream, at, address, length)
            at += n
            return n
        return self._fill(buffer, on)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._check()
        with self._turn:
            return self._seek(operator.index(offset), whence)

    def _seek(self, offset: int, whence: int) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}.get(whence)
        if start is None:
            raise ValueError(f"whence {whence}")
        at = start + offset
        if at < 0:
            raise ValueError(f"a negative position, {at}")
        with self._stream._use() as s:
            _c.stream_seek(s, min(at, self.size))
        self._at = at                                    # beyond the end there is nothing to read, as in any file
        return at

    def tell(self) -> int:
        self._check()
        return self._at

    def close(self) -> None:
        if not self.closed:
            stream = getattr(self, "_stream", None)
            if stream is not None:
                stream.close()
        super().close()

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a Layer can be neither copied nor pickled: open another one")

    def __repr__(self) -> str:
        return f"<mlreg.Layer {self.name!r}, {self.size} bytes>"
