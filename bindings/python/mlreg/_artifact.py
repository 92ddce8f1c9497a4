"""_artifact.py - one resolved manifest or index: what it says, and its layers as files, mappings and memory."""
from __future__ import annotations

import json
import mmap
import operator
import os
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

from . import _c, _call, _errors
from ._stream import Layer

if TYPE_CHECKING:
    from typing import Protocol

    from _typeshed import ReadableBuffer

    from ._session import Session

    class Array(Protocol):
        """numpy's, which says that it is a buffer from Python 3.12 on only."""

        @property
        def __array_interface__(self) -> Dict[str, Any]: ...

    Memory = Union[ReadableBuffer, Array]

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


class Descriptor(NamedTuple):
    """Media type, digest, size (bytes) and annotations of some content.

    ``title`` is the file that a layer stands for, as its maker wrote it, unchecked; ``platform`` is
    ``"os/architecture[/variant]"`` of an index's entry; None where the content says nothing.
    """

    media_type: str
    digest: str
    size: int
    title: Optional[str]
    artifact_type: Optional[str]
    platform: Optional[str]
    annotations: Mapping[str, str]


def descriptor(d: Any) -> Descriptor:
    """A descriptor of the library as a value of ours."""
    return Descriptor(_c.text(_c.descriptor_media_type(d)) or "", _c.text(_c.descriptor_digest(d)) or "",
                      _c.descriptor_bytes(d), _c.text(_c.descriptor_title(d)), _c.text(_c.descriptor_artifact_type(d)),
                      _c.text(_c.descriptor_platform(d)), dict(_c.pairs(d)))


class Artifact(_call.Caller):
    """A manifest or an index that was fetched and verified: immutable, known by digest, readable wherever it lives.

    In a forked child (a DataLoader's worker) it is found again by its digest, where its session can be opened again.
    """

    def __init__(self, pointer: Any, session: "Session") -> None:
        super().__init__(pointer, _c.artifact_free)
        self._session = session
        self.repository: str = _c.text(_c.artifact_repository(pointer)) or ""
        self.descriptor: Descriptor = self._parts(pointer, _c.PART_SELF)[0]
        self.config_descriptor: Optional[Descriptor] = next(iter(self._parts(pointer, _c.PART_CONFIG)), None)
        self.layers: Tuple[Descriptor, ...] = self._parts(pointer, _c.PART_LAYER)
        self.children: Tuple[Descriptor, ...] = self._parts(pointer, _c.PART_CHILD)
        self.subject: Optional[Descriptor] = next(iter(self._parts(pointer, _c.PART_SUBJECT)), None)
        self._files = {layer.title: i for i, layer in enumerate(self.layers) if layer.title is not None}

    @staticmethod
    def _parts(pointer: Any, part: int) -> Tuple[Descriptor, ...]:
        return tuple(descriptor(_c.artifact_at(pointer, part, i)) for i in range(_c.artifact_count(pointer, part)))

    def _reopen(self) -> None:
        again = self._session.resolve(f"{self.repository}@{self.digest}")
        self._ref, self._finalizer = again._ref, again._finalizer
        self._keeps = again

    @property
    def digest(self) -> str:
        """``"sha256:<hex>"`` of the manifest."""
        return self.descriptor.digest

    @property
    def media_type(self) -> str:
        """Of the manifest."""
        return self.descriptor.media_type

    @property
    def size(self) -> int:
        """Bytes of all layers together."""
        return sum(layer.size for layer in self.layers)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Of the manifest."""
        return self.descriptor.annotations

    @property
    def files(self) -> Dict[str, int]:
        """The files that layers stand for: title to layer number."""
        return dict(self._files)

    @property
    def json(self) -> bytes:
        """The manifest's exact bytes."""
        with self._use() as a:
            return _c.manifest(a)

    @property
    def manifest(self) -> Dict[str, Any]:
        """The manifest, parsed."""
        parsed: Dict[str, Any] = json.loads(self.json)
        return parsed

    def config(self, op: Optional[_call.Op] = None) -> bytes:
        """The config's bytes, verified.

        Raises:
            NotFoundError: there is none. LimitError: over 16 MiB. DigestError, AuthError, DeniedError, NetworkError,
                TimedOutError, ProtocolError.
        """
        return self._run(_c.config, op)

    def _number(self, layer: Union[int, str]) -> int:
        if isinstance(layer, str):
            number = self._files.get(layer)
            if number is None:
                raise _errors.make(-5, f"{self.repository}@{self.digest} has no file '{layer}'")
            return number
        try:
            layer = operator.index(layer)
        except TypeError:
            raise TypeError(f"a layer is a number or a title, not {type(layer).__name__}") from None
        if not 0 <= layer < len(self.layers):
            raise _errors.make(-2, f"layer {layer} of {len(self.layers)}")
        return layer

    def open(self, layer: Union[int, str], *, unverified: bool = False, file: bool = False, op: Optional[_call.Op] = None) -> Layer:
        """One layer as a raw, seekable, readable file.

        Bytes are verified before they are handed out: from a registry the layer is brought here first. `unverified` reads it as it
        arrives, and the last read of a whole pass raises :class:`DigestError` if it was wrong.

        Args:
            layer: its number, or the file it stands for.
            file: of a layer that is a plain tar of one file, as images have them, that file; of one that is no tar the layer.

        Raises:
            NotFoundError, InvalidError (no layer of that number), DigestError, LocalIOError, AuthError, DeniedError,
            NetworkError, TimedOutError, ProtocolError.
        """
        return Layer(self, self._number(layer), unverified=unverified, file=file, op=op)

    def fd(self, layer: Union[int, str]) -> int:
        """A read-only file descriptor of a layer in a store, which is yours to close.

        :class:`NotSupportedError` where layers are no files: registries and memory.
        """
        with self._use() as a:
            number: int = _c.artifact_open_fd(a, self._number(layer))
            return number

    def file_range(self, layer: Union[int, str]) -> Tuple[int, int]:
        """Where in a layer's bytes the file lies that it stands for: all of them, or a part of a plain tar of one file; a tar
        that is no such thing is taken as it is."""
        number = self._number(layer)
        try:
            offset, size = self._run(lambda a, o: _c.artifact_file_range(a, number, o), None)
        except _errors.NotSupportedError:
            return 0, self.layers[number].size
        return int(offset), int(size)

    def _mapped(self, layer: Union[int, str], access: int) -> Tuple[mmap.mmap, int, int]:
        """A mapping from the page on in which the file of a layer begins; where that is in it, and the file's size."""
        fd = self.fd(layer)
        try:
            offset, size = self.file_range(layer)
            if size == 0:                                  # for mmap 0 is "all there is": of a tar more than the file
                raise ValueError(f"layer {layer!r} is empty: there is nothing to map")
            within = offset % mmap.ALLOCATIONGRANULARITY
            return mmap.mmap(fd, within + size, access=access, offset=offset - within), within, size
        finally:
            os.close(fd)

    def view(self, layer: Union[int, str], access: int = mmap.ACCESS_READ) -> memoryview:
        """A layer of a store as memory: mapped as by :meth:`mmap`, wherever in a tar its file begins.

        Raises:
            ValueError: the layer is empty. NotSupportedError: it lies in no store: copy it into one.
        """
        mapped, within, size = self._mapped(layer, access)
        return memoryview(mapped)[within:within + size]

    def mmap(self, layer: Union[int, str], access: int = mmap.ACCESS_READ) -> mmap.mmap:
        """A layer of a store, mapped: nothing is copied. Of a plain tar of one file, as images have them, the file is mapped.

        Raises:
            ValueError: the layer is empty, or its file begins at no page. NotSupportedError: it lies in no store: copy it into one.
        """
        mapped, within, _ = self._mapped(layer, access)
        if within:
            mapped.close()
            raise ValueError(f"the file in layer {layer!r} begins at no page: read it with open(…, file=True)")
        return mapped

    def checkout(self, folder: Path, *, include: Optional[Iterable[str]] = None, exclude: Optional[Iterable[str]] = None,
                 op: Optional[_call.Op] = None, progress: Optional[_call.Progress] = None) -> None:
        """Writes the files into a folder, straight from wherever the artifact lives.

        A file appears whole and verified or not at all; one that is right already stays untouched.

        Args:
            folder: made if missing; its parent must be there.
            include: glob patterns (``*``, ``?``, ``**``): only files that match one.
            exclude: and not these.

        Raises:
            InvalidError: a title that is no safe path, or two that clash. DeniedError: a link is in the way, or no permission.
            ExistsError: a folder where a file goes, or the other way round. NotSupportedError: an index, or no layer is a file.
            DigestError, LimitError (an archive that unpacks to too much), LocalIOError, AuthError, DeniedError, NetworkError,
            TimedOutError, ProtocolError.
        """
        wanted, n_wanted = _c.words(include, "include")
        unwanted, n_unwanted = _c.words(exclude, "exclude")
        options = _c.CheckoutOptions(include=wanted, n_include=n_wanted, exclude=unwanted, n_exclude=n_unwanted)
        target = _c.path(folder, "the folder")
        self._run(lambda a, o: _c.checkout(a, target, options, o), op, progress)

    def unpack_image(self, folder: Path, *, path: Optional[str] = None, layers: Optional[Iterable[str]] = None,
                     rootless: bool = False, foreign: bool = False, op: Optional[_call.Op] = None, progress: Optional[_call.Progress] = None) -> None:
        """Unpacks an image, its layers in order, into a folder: the root file system that a container would see.

        The folder is whole, each layer checked against its digest and diff_id, or as it was. Devices are left out; owners and
        set-uid bits are kept where root unpacks.

        Args:
            folder: not there yet, or empty; its parent must be there.
            path: only what lies there in the image, put into the folder itself; no more layers are fetched than it takes.
            layers: digests: as if the image had only these layers, those of :meth:`find_in_image` for the files that are wanted.
            rootless: as a plain user would, were it root that asks.
            foreign: layers that are not to be distributed are fetched, from their addresses.

        Raises:
            ExistsError: the folder is not empty. NotSupportedError: no image, or an index. NotFoundError: nothing at ``path``.
            InvalidError, ProtocolError: a name or link that leads out of the image, a config that names other layers.
            DigestError, LimitError, LocalIOError, AuthError, DeniedError, NetworkError, TimedOutError.
        """
        listed, n_listed = _c.words(layers, "layers")
        options = _c.ImageUnpackOptions(flags=_c.flags((rootless, _c.UNPACK_ROOTLESS), (foreign, _c.UNPACK_FOREIGN)),
                                        path=None if path is None else _c.word(path, "the path"), layers=listed, n_layers=n_listed)
        target = _c.path(folder, "the folder")
        self._run(lambda a, o: _c.image_unpack(a, target, options, o), op, progress)

    def find_in_image(self, path: Optional[str] = None, *, op: Optional[_call.Op] = None, progress: Optional[_call.Progress] = None) -> List[Descriptor]:
        """The files of an image that lie at a path, or match a pattern; without: those that are models, by content or name.

        Each is the descriptor of the layer that holds the file: ``title`` is its path, and the annotations
        ``io.github.libmlreg.image.bytes`` and ``.format`` say what it is. A plain layer that names its one file is looked at by
        range, every other one is read to its end.

        Raises:
            NotSupportedError: no image, or an index. InvalidError, ProtocolError, DigestError, LimitError, LocalIOError,
            NotFoundError, AuthError, DeniedError, NetworkError, TimedOutError.
        """
        wanted = None if path is None else _c.word(path, "the path")
        return self._run(lambda a, o: [descriptor(d) for _, d in _c.items(_c.image_find(a, wanted, o))], op, progress)

    def __repr__(self) -> str:
        return f"<mlreg.Artifact {self.repository}@{self.digest} of {len(self.layers)} layers, {self.size} bytes>"
