"""_stream.py - one layer's bytes as an io.RawIOBase, so that BufferedReader, tarfile and shutil can read it."""
from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, Optional

from . import _c, _call, _errors
from ._handle import Handle

if TYPE_CHECKING:
    from ._artifact import Artifact

UNVERIFIED, FILE = 1, 2


class _Stream(Handle):
    pass


class Layer(io.RawIOBase):
    """A raw, readable, seekable file over one layer; wrap it in :class:`io.BufferedReader` for small reads.

    :meth:`read_at` may be called by any number of threads at once; everything else by one at a time.
    """

    def __init__(self, artifact: "Artifact", number: int, *, unverified: bool = False, file: bool = False,
                 op: Optional[_call.Op] = None) -> None:
        super().__init__()
        self._artifact, self._number, self._unverified, self._file, self._op = artifact, number, unverified, file, op
        self._at = 0
        self._open()
        self.name = artifact.layers[number].title or artifact.layers[number].digest

    def _open(self) -> None:
        options = _c.StreamOptions(flags=UNVERIFIED * self._unverified | FILE * self._file)
        self._own = self._op or _call.Op()          # serves every later read too, so it lives as long as the stream
        with self._artifact._use() as a:
            pointer = _call.run(lambda o: _c.stream_open(a, self._number, options, o), self._own)
        self._stream = _Stream(pointer, _c.stream_free)
        self._pid = os.getpid()
        self.size: int = _c.stream_bytes(pointer)

    def _check(self) -> None:
        if self.closed:
            raise _errors.state("this layer is closed")
        if self._pid != os.getpid():
            self._open()
            with self._stream._use() as s:
                _c.stream_seek(s, min(self._at, self.size))

    def _read(self, read: Any) -> int:
        """From a store a read is short; over the network it may wait, so that Ctrl-C has to reach it."""
        n: int = _call.run(lambda _: read(), self._own) if self._unverified else read()
        return n

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads at most ``len(buffer)`` bytes straight into it; 0 at the end."""
        self._check()
        if self._at >= self.size:
            return 0
        with _c.Buffer(buffer, writable=True) as room, self._stream._use() as s:
            n = self._read(lambda: _c.stream_read(s, room.address, room.bytes))
        self._at += n
        return n

    def readall(self) -> bytes:
        """The rest, in one piece."""
        self._check()
        rest = bytearray(max(self.size - self._at, 0))
        view, done = memoryview(rest), 0
        while done < len(rest):
            n = self.readinto(view[done:])
            if n == 0:
                break
            done += n
        return bytes(view[:done])

    def read_at(self, offset: int, buffer: Any) -> int:
        """Fills `buffer` from `offset` (bytes) on and says how far; the position does not move. Any thread."""
        self._check()
        if offset < 0:
            raise _errors.make(-2, "a negative offset")
        with _c.Buffer(buffer, writable=True) as room, self._stream._use() as s:
            return self._read(lambda: _c.stream_read_at(s, offset, room.address, room.bytes))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._check()
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

    def __repr__(self) -> str:
        return f"<mlreg.Layer {self.name!r}, {self.size} bytes>"
