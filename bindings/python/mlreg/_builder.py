"""_builder.py - one manifest in the making: files, folders and memory become layers."""
from __future__ import annotations

import ctypes
import itertools
from typing import TYPE_CHECKING, Any, Dict, Iterable, Mapping, Optional, Union

from . import _c, _call, _errors
from ._artifact import Artifact, Path
from ._handle import Handle

if TYPE_CHECKING:
    from ._session import Session


# What sources read from, by the number that C knows each by. The two functions are made once: one of their own for every source
# would have to be freed while it runs.
_lent: Dict[int, _c.Buffer] = {}
_numbers = itertools.count(1)


def _read_at(number: int, offset: int, room: int, length: int) -> int:
    buffer = _lent[number]
    n = max(0, min(length, buffer.bytes - offset))
    ctypes.memmove(room, buffer.address + offset, n)
    return n


def _release(number: int) -> None:
    _lent.pop(number).release()


_READ_AT, _RELEASE = _c.READ_AT_FN(_read_at), _c.RELEASE_FN(_release)


def _lend(data: Any) -> Any:
    """A source over any buffer; nothing of it is copied before it is written. C calls _release when it is done with it."""
    buffer, number = _c.Buffer(data), next(_numbers)
    _lent[number] = buffer
    return _c.Source(bytes=buffer.bytes, user=number, read_at=_READ_AT, release=_RELEASE)


# by the numbers that C has for them
BUILDER_KINDS: Mapping[Optional[str], int] = {"artifact": 0, "image": 1, "index": 2}
_PACKS: Mapping[Optional[str], int] = {None: 0, "gzip": 1 << 1, "zstd": 1 << 2}


def choice(numbers: Mapping[Optional[str], int], word: Optional[str], what: str) -> int:
    """The number that a word stands for."""
    if word not in numbers:
        raise _errors.make(-2, f"{what} is one of {', '.join(map(repr, numbers))}, not {word!r}")
    return numbers[word]


class Builder(Handle):
    """One manifest in the making: set and add, in any order, then :meth:`commit`, once.

    Bytes are read, hashed and written at commit. Same input, same digest. Made by :meth:`Session.build`; one thread at a time.
    """

    def __init__(self, pointer: Any, session: "Session") -> None:
        super().__init__(pointer, _c.builder_free)
        self._session = session

    def _run(self, call: Any, op: Optional[_call.Op], progress: Optional[_call.Progress] = None) -> Any:
        with self._use() as b:
            return _call.run(lambda o: call(b, o), op, progress)

    def set_config(self, media_type: str, data: Any) -> "Builder":
        """Uses these bytes (any buffer, at most 16 MiB) as config in place of the one that would be made."""
        kind = _c.word(media_type, "media_type")
        with _c.Buffer(data) as raw, self._use() as b:
            _c.builder_set_config(b, kind, raw.address, raw.bytes)
        return self

    def set_subject(self, digest: str) -> "Builder":
        """Makes it refer to the manifest of this digest in the same repository, which :meth:`commit` looks for."""
        with self._use() as b:
            _c.builder_set_subject(b, _c.word(digest, "a digest"))
        return self

    def annotate(self, annotations: Optional[Dict[str, str]] = None, **more: str) -> "Builder":
        """Annotates the manifest; a key set again is replaced."""
        with self._use() as b:
            for key, value in {**(annotations or {}), **more}.items():
                _c.builder_set_annotation(b, _c.word(key, "a key"), _c.word(value, f"annotation {key}"))
        return self

    @staticmethod
    def _layer(media_type: Optional[str], title: Optional[str], tar: bool = False, pack: Optional[str] = None,
               each: bool = False) -> Any:
        return _c.LayerOptions(flags=int(tar) | choice(_PACKS, pack, "pack") | int(each) << 3,
                               media_type=None if media_type is None else _c.word(media_type, "media_type"),
                               title=None if title is None else _c.word(title, "a title"))

    def set_image(self, *, platform: Optional[str] = None, user: Optional[str] = None, workdir: Optional[str] = None,
                  env: Optional[Dict[str, str]] = None, labels: Optional[Dict[str, str]] = None,
                  ports: Optional[Iterable[str]] = None, entrypoint: Optional[Iterable[str]] = None,
                  cmd: Optional[Iterable[str]] = None) -> "Builder":
        """Of an image: how it is run. What is not set is the base's; a call adds to what earlier ones set.

        Args:
            platform: ``"linux/arm64"``; None: the base's, else this machine's.
            entrypoint: replaces the base's, and its `cmd`.
        """
        pairs = [[f"{k}={v}" for k, v in (many or {}).items()] for many in (env, labels)]
        lists = {name: _c.words(list(values), name) for name, values in
                 (("env", pairs[0]), ("labels", pairs[1]), ("ports", ports or ()), ("entrypoint", entrypoint or ()), ("cmd", cmd or ()))}
        texts = {name: _c.word(text, name) for name, text in (("platform", platform), ("user", user), ("workdir", workdir)) if text is not None}
        counts = {f"n_{name}": n for name, (_, n) in lists.items()}
        with self._use() as b:
            _c.builder_set_image(b, _c.ImageOptions(**texts, **{name: raw for name, (raw, _) in lists.items()}, **counts))
        return self

    def set_base(self, base: Artifact) -> "Builder":
        """Of an image: the image it is made on, of any place. Only its config is read; its layers stay where they are as far as possible.

        Raises:
            InvalidError: no image, or an index of several. ProtocolError: its config lies about its layers.
        """
        with self._use() as b, base._use() as a:
            _c.builder_set_base(b, a)
        return self

    def add_layer_of(self, artifact: Artifact, layer: Union[int, str], *, title: Optional[str] = None, media_type: Optional[str] = None,
                     tar: bool = False, pack: Optional[str] = None) -> "Builder":
        """Adds a layer that an artifact has already, by number or title, not read again where that is possible.

        For an image, or with `tar`, a file is wrapped in a tar; a tar is taken as it is. `title` None: its own.
        InvalidError: a packed tar of which nobody says what is inside.
        """
        options = self._layer(media_type, title, tar, pack)
        with self._use() as b, artifact._use() as a:
            _c.builder_add_layer_of(b, options, a, artifact._number(layer))
        return self

    def add_pip(self, requirements: Path, *, target: Optional[str] = None, python: Optional[str] = None,
                python_version: Optional[str] = None, args: Optional[Iterable[str]] = None, pack: Optional[str] = None,
                op: Optional[_call.Op] = None) -> "Builder":
        """Of an image: adds what a requirements file asks for as one layer, installed at commit by this machine's pip.

        Args:
            target: the folder in the image, ``"/opt/python"`` by default; PYTHONPATH is set to it.
            args: more for pip, such as ``"--no-index"``.

        Raises:
            NotFoundError: no such file. At :meth:`commit` also InvalidError: pip cannot install it; NotSupportedError: there is no pip.
        """
        more, n_args = _c.words(args, "an argument")
        texts = {name: _c.word(text, name) for name, text in
                 (("target", target), ("python", python), ("python_version", python_version)) if text is not None}
        options, where = _c.PipOptions(flags=choice(_PACKS, pack, "pack"), args=more, n_args=n_args, **texts), _c.path(requirements, "the requirements")
        self._run(lambda b, o: _c.builder_add_pip(b, options, where, o), op)
        return self

    def add_tree(self, folder: Path, *, title: Optional[str] = None, media_type: Optional[str] = None, tar: bool = False,
                 pack: Optional[str] = None, each: bool = False, op: Optional[_call.Op] = None) -> "Builder":
        """Adds every file below a folder, each as one raw layer, hidden ones left out; `title` is a prefix.

        Of an image: the folder as it is, as one layer, or with `each` every file as one.

        Args:
            tar: each file in a page-aligned tar of its own, as an image has it.
            pack: "gzip" or "zstd": the tar is packed.

        Raises:
            NotFoundError, DeniedError; InvalidError: empty, or with what cannot be checked out (a FIFO, a device, a link to a
            folder); LimitError: over about 10,000 files. Nothing is added then. What shows only in reading fails :meth:`commit`.
        """
        options, where = self._layer(media_type, title, tar, pack, each), _c.path(folder, "the folder")
        self._run(lambda b, o: _c.builder_add_tree(b, options, where, o), op)
        return self

    def add_file(self, path: Path, *, title: Optional[str] = None, media_type: Optional[str] = None, tar: bool = False,
                 pack: Optional[str] = None, op: Optional[_call.Op] = None) -> "Builder":
        """Adds one file as one raw layer; `title` is its path in the artifact (default: its name).

        `tar`, `pack`: as in :meth:`add_tree`. Raises as :meth:`add_tree`."""
        options, where = self._layer(media_type, title, tar, pack), _c.path(path, "the file")
        self._run(lambda b, o: _c.builder_add_file(b, options, where, o), op)
        return self

    def add_bytes(self, data: Any, title: str, *, media_type: Optional[str] = None, tar: bool = False, pack: Optional[str] = None,
                  op: Optional[_call.Op] = None) -> "Builder":
        """Adds memory as one layer: bytes, memoryview, mmap, a contiguous numpy array. It must not change before commit.

        The bytes alone are kept, neither shape nor type of an array.

        Args:
            title: the file's path in the artifact.
            tar, pack: as in :meth:`add_tree`.

        Raises:
            TypeError, BufferError: no contiguous buffer. InvalidError: a title that is no safe path.
        """
        options = self._layer(media_type, title, tar, pack)
        with self._use():                                 # a closed one takes nothing that it would have to give back
            source = _lend(data)
            self._run(lambda b, o: _c.builder_add_source(b, options, source, o), op)
        return self

    def add_children_of(self, index: Artifact) -> "Builder":
        """Begins an index (:meth:`Session.build_index`) with what another one has, to be changed; before anything is added.

        Raises:
            InvalidError: no index. StateError: not the first thing that is added, or no builder of an index.
        """
        with self._use() as b, index._use() as a:
            _c.builder_add_children_of(b, a)
        return self

    def add_child(self, child: Artifact, name: str, *, platform: Optional[str] = None, accelerator: Optional[str] = None,
                  compute: Optional[str] = None, driver: Optional[str] = None, runtime: Optional[str] = None, cpu: Optional[str] = None,
                  precision: Optional[str] = None, format: Optional[str] = None, memory_bytes: int = 0) -> "Builder":
        """Adds an artifact as an entry of an index; at commit it is copied, or mounted, to where the index goes.

        Args:
            name: of the variant: ``"cpu"``, ``"cuda-12.4"``.
            platform: ``"os/arch[/variant]"``; default: as an image's config says; others: any.
            accelerator: ``"none"``, ``"cuda"``, ``"rocm"`` or another kind; default: as the name begins, else none.
            compute: the least compute capability (``"8.0"``), or gfx targets with blanks between.
            driver, runtime: least versions. cpu: features, as Linux names them. precision, format: of the weights.
            memory_bytes: of the accelerators together, else of the machine.

        Raises:
            InvalidError: a name or requirement that is none, or the index itself. StateError: no builder of an index.
        """
        texts = {"name": name, "platform": platform, "accelerator": accelerator, "compute": compute, "driver": driver,
                 "runtime": runtime, "cpu": cpu, "precision": precision, "format": format}
        options = _c.VariantOptions(memory_bytes=memory_bytes, **{k: _c.word(v, k) for k, v in texts.items() if v is not None})
        with self._use() as b, child._use() as a:
            _c.builder_add_child(b, a, options)
        return self

    def remove_child(self, name: str) -> "Builder":
        """Takes out the entries of this name, or of this digest. NotFoundError: there is none."""
        with self._use() as b:
            _c.builder_remove_child(b, _c.word(name, "a name"))
        return self

    def commit(self, ref: str, *, also: Optional[Iterable[str]] = None, move: bool = False, expect_digest: Optional[str] = None,
               op: Optional[_call.Op] = None, progress: Optional[_call.Progress] = None) -> Artifact:
        """Writes everything, then the tags: nothing can be found before this returns.

        Args:
            ref: ``"repo:tag"``, or ``"repo"`` for an artifact that is known by its digest alone.
            also: further tags.
            move: a tag that names something else is moved; else that is :class:`ExistsError`.
            expect_digest: with `move`: only if ref's own tag is at this digest now.

        Raises:
            ExistsError: a tag names something else; none was put. NotFoundError: the subject is not there.
            InvalidError: no layer and no config, or two of one title. StateError: committed already. BusyError, LocalIOError, AuthError, DeniedError,
                NetworkError, TimedOutError, ProtocolError.
        """
        if isinstance(also, str):
            raise TypeError("`also` must be several tags, not one str")
        tags, n_tags = _c.words(also, "a tag")
        options = _c.CommitOptions(flags=int(move), also=tags, n_also=n_tags,
                                   expect_digest=None if expect_digest is None else _c.word(expect_digest, "expect_digest"))
        name = _c.word(ref, "a reference")
        raw = self._run(lambda b, o: _c.builder_commit(b, name, options, o), op, progress)
        return Artifact(raw, self._session)

