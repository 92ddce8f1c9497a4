"""_content.py - content by digest: what a program that is a registry to others is asked for, one blob and one manifest at a time."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Optional, cast

from . import _c, _call
from ._artifact import Artifact

if TYPE_CHECKING:
    from ._artifact import Memory
    from ._session import Session


class Upload(_call.Caller):
    """One blob that comes in pieces: :meth:`write` them, then :meth:`commit`. Made by :meth:`Session.upload`.

    It outlives the process: what was kept is gone on with by its ``id``, a name that nobody can guess. Leaving a ``with`` block
    lets go of it and keeps what there is; :meth:`cancel` keeps nothing.
    """

    _in_turn = True

    def __init__(self, pointer: Any, session: Content) -> None:
        super().__init__(pointer, _c.upload_free)
        self._session = session
        self.id: str = _c.text(_c.upload_id(pointer)) or ""

    @property
    def size(self) -> int:
        """How many bytes it has."""
        with self._use() as u:
            return int(_c.upload_bytes(u))

    def write(self, data: Memory) -> int:
        """Adds bytes (any buffer) at its end, which are hashed on the way, and says how many. LocalIOError: `size` is what arrived."""
        with _c.Buffer(data) as raw, self._use() as u:
            for begin, length in raw.pieces():
                _c.upload_write(u, begin, length)
            return raw.bytes

    def keep(self) -> None:
        """From now on a killed process loses none of its bytes."""
        with self._use() as u:
            _c.upload_keep(u)

    def commit(self, digest: str, *, op: Optional[_call.Op] = None) -> None:
        """It is whole: checks it and makes it a blob of its repository, durably; then lets go of it.

        Raises:
            DigestError: its bytes have another digest; it is as before.
            NotSupportedError (a digest that is not sha256), BusyError, LocalIOError.
        """
        name = _c.word(digest, "a digest")
        self._run(lambda u, o: _c.upload_commit(u, name, o), op)
        self.close()

    def cancel(self) -> None:
        """Lets go of it and keeps nothing."""
        with self._use() as u:
            _c.upload_cancel(u)
        self.close()

    def __repr__(self) -> str:
        return f"<mlreg.Upload {self.id}{', closed' if self.closed else ''}>"


class Content(_call.Caller):
    """What a :class:`Session` can do with single blobs and manifests; a store can all of it. Others want :meth:`Session.copy`."""

    def blob(self, repository: str, digest: str, *, op: Optional[_call.Op] = None) -> int:
        """The size of a blob of a repository, in bytes.

        In a store that may be written to it is from then on safe from :meth:`Session.gc`, until a manifest that names it is put
        into that repository, :meth:`release`, or the session's end.

        Raises:
            NotFoundError, NotSupportedError (no store, layout or memory), BusyError, LocalIOError, ProtocolError.
        """
        repo, name = _c.word(repository, "a repository"), _c.word(digest, "a digest")
        return int(self._run(lambda s, o: _c.session_blob(s, repo, name, o), op))

    def open_blob(self, repository: str, digest: str, *, op: Optional[_call.Op] = None) -> BinaryIO:
        """A blob of a store, which was verified when it came, as a binary file with a descriptor: to read, map or send.

        Raises:
            NotFoundError, NotSupportedError (elsewhere than in a store), DeniedError, LocalIOError, ProtocolError.
        """
        repo, name = _c.word(repository, "a repository"), _c.word(digest, "a digest")
        return self._run(lambda s, o: open(_c.session_blob_fd(s, repo, name, o)[0], "rb"), op)

    def mount(self, repository: str, digest: str, from_: str, *, op: Optional[_call.Op] = None) -> None:
        """Makes a blob of the repository `from_` known to another one in the same place.

        Raises:
            NotFoundError (`from_` has none), NotSupportedError, DeniedError, BusyError, LocalIOError.
        """
        repo, name, source = _c.word(repository, "a repository"), _c.word(digest, "a digest"), _c.word(from_, "a repository")
        self._run(lambda s, o: _c.session_mount(s, repo, name, source, o), op)

    def release(self, repository: str, digest: str) -> None:
        """A blob that was found, mounted or uploaded is waited for no longer: gc may take it if nothing names it."""
        with self._use() as s:
            _c.session_release(s, _c.word(repository, "a repository"), _c.word(digest, "a digest"))

    def put(self, ref: str, manifest: Memory, *, media_type: Optional[str] = None, move: bool = False,
            expect_digest: Optional[str] = None, op: Optional[_call.Op] = None) -> Artifact:
        """Puts a manifest or index, byte for byte. All that it names must be there, but for layers with URLs and its subject.

        Args:
            ref: ``"repo:tag"``, ``"repo@sha256:<hex>"`` (which it must then have), or ``"repo"``.
            manifest: its bytes (any buffer).
            media_type: as it was sent; None: as the manifest says.
            move: a tag that names something else is moved; with `expect_digest` only if it is at that digest now.

        Raises:
            ProtocolError: no manifest, or one of another media type. NotFoundError: a part is not there.
            InvalidError: not that digest. ExistsError: the tag names something else.
            LimitError (over 4 MiB), DeniedError, NotSupportedError, BusyError, LocalIOError.
        """
        name, kind = _c.word(ref, "a reference"), None if media_type is None else _c.word(media_type, "media_type")
        options = _c.CopyOptions(flags=_c.flags((move, _c.COPY_MOVE_TAG)),
                                 expect_digest=None if expect_digest is None else _c.word(expect_digest, "expect_digest"))

        def call(s: Any, o: Any) -> Artifact:
            with _c.Buffer(manifest) as raw:
                return Artifact(_c.session_put(s, name, kind, raw.address, raw.bytes, options, o), cast("Session", self))
        return self._run(call, op)

    def upload(self, repository: str, id: Optional[str] = None, *, op: Optional[_call.Op] = None) -> Upload:
        """Begins to upload a blob in pieces, or with an `id` goes on with one, after a restart too.

        A day after its last byte gc removes it (OCI distribution-spec 1.1, "Pushing blobs").

        Raises:
            NotFoundError: none of that id is in this repository: finished, cancelled or too old.
            BusyError: another one holds it. NotSupportedError: this is no store. DeniedError, LocalIOError.
        """
        repo, name = _c.word(repository, "a repository"), None if id is None else _c.word(id, "an id")
        return self._run(lambda s, o: Upload(_c.upload_open(s, repo, name, o), self), op)
