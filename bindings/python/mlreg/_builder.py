"""_builder.py - one manifest in the making: files, folders and memory become layers."""
from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Literal, Mapping, Optional, Union

from . import _c, _call, _errors
from ._artifact import Artifact, Path
from ._handle import must_be

if TYPE_CHECKING:
    from ._artifact import Memory
    from ._session import Session

Pack = Literal["gzip", "zstd"]

# What sources read from, by the number that C knows each by. The two functions are made once: one of their own for every source
# would have to be freed while it runs.
_lent: Dict[int, _c.Buffer] = {}
_numbers = itertools.count(1)


def _read_at(number: int, offset: int, room: int, length: int) -> int:
    buffer = _lent[number]
    n = max(0, min(length, buffer.bytes - offset))
    _c.move(room, buffer.address + offset, n)
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
BUILDER_KINDS: Mapping[Optional[str], int] = {"artifact": _c.BUILD_ARTIFACT, "image": _c.BUILD_IMAGE, "index": _c.BUILD_INDEX}
_PACKS: Mapping[Optional[str], int] = {None: 0, "gzip": _c.LAYER_GZIP, "zstd": _c.LAYER_ZSTD}


def choice(numbers: Mapping[Optional[str], int], word: Optional[str], what: str) -> int:
    """The number that a word stands for."""
    if word not in numbers:
        raise _errors.make(-2, f"{what} is one of {', '.join(map(repr, numbers))}, not {word!r}")
    return numbers[word]


def _pairs(many: Optional[Mapping[str, str]], what: str) -> List[str]:
    """Names and values as the library takes them."""
    for name, value in (many or {}).items():
        _c.word(name, f"a name in {what}"), _c.word(value, f"{what}[{name!r}]")
        if "=" in name:
            raise _errors.make(-2, f"a name in {what} holds a '=': {name}")
    return [f"{name}={value}" for name, value in (many or {}).items()]


class Builder(_call.Caller):
    """One manifest in the making: set and add, in any order, then :meth:`commit`, once.

    Bytes are read, hashed and written at commit. Same input, same digest. Made by :meth:`Session.build`. Threads that
    share one take turns.
    """

    _in_turn = True

    def __init__(self, pointer: Any, session: "Session") -> None:
        super().__init__(pointer, _c.builder_free)
        self._session = session
        self._others: List[Artifact] = []      # until commit the library asks them, and through their sessions the caller, for more

    def _other(self, artifact: Artifact) -> Artifact:
        self._others.append(must_be(Artifact, artifact, "an artifact"))
        return artifact

    def set_config(self, media_type: str, data: Memory) -> "Builder":
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

    def annotate(self, annotations: Optional[Mapping[str, str]] = None, **more: str) -> "Builder":
        """Annotates the manifest; a key set again is replaced."""
        with self._use() as b:
            for key, value in {**(annotations or {}), **more}.items():
                _c.builder_set_annotation(b, _c.word(key, "a key"), _c.word(value, f"annotation {key}"))
        return self

    @staticmethod
    def _layer(media_type: Optional[str], title: Optional[str], tar: bool = False, pack: Optional[Pack] = None,
               each: bool = False) -> Any:
        return _c.LayerOptions(flags=choice(_PACKS, pack, "pack") | _c.flags((tar, _c.LAYER_TAR), (each, _c.LAYER_EACH)),
                               media_type=None if media_type is None else _c.word(media_type, "media_type"),
                               title=None if title is None else _c.word(title, "a title"))

    def set_image(self, *, platform: Optional[str] = None, user: Optional[str] = None, workdir: Optional[str] = None,
                  env: Optional[Mapping[str, str]] = None, labels: Optional[Mapping[str, str]] = None,
                  ports: Optional[Iterable[str]] = None, entrypoint: Optional[Iterable[str]] = None,
                  cmd: Optional[Iterable[str]] = None) -> "Builder":
        """Of an image: how it is run. What is not set is the base's; a call adds to what earlier ones set.

        Args:
            platform: ``"linux/arm64"``; None: the base's, else this machine's.
            entrypoint: replaces the base's, and its `cmd`.
        """
        lists = {name: _c.words(values, name) for name, values in
                 (("env", _pairs(env, "env")), ("labels", _pairs(labels, "labels")), ("ports", ports), ("entrypoint", entrypoint), ("cmd", cmd))}
        texts = {name: _c.word(text, name) for name, text in (("platform", platform), ("user", user), ("workdir", workdir)) if text is not None}
        counts = {f"n_{name}": n for name, (_, n) in lists.items()}
        with self._use() as b:
            _c.builder_set_image(b, _c.ImageOptions(**texts, **{name: raw for name, (raw, _) in lists.items()}, **counts))
        return self

    def set_base(self, base: Artifact, *, op: Optional[_call.Op] = None) -> "Builder":
        """Of an image: the image it is made on, of any place. Only its config is read; its layers stay where they are as far as possible.

        Raises:
            InvalidError: no image, or an index of several. ProtocolError: its config lies about its layers. Others as
            :meth:`Artifact.config`.
        """
        return self._run_with(base, _c.builder_set_base, op)

    def _run_with(self, artifact: Artifact, call: Callable[[Any, Any], Any], op: Optional[_call.Op]) -> "Builder":
        """What reads the artifact's config, which may be far away: it is fetched first, as `op` has it."""
        self._other(artifact)

        def fetched(b: Any, o: Any) -> None:
            with artifact._use() as a:
                if artifact.config_descriptor is not None:
                    _c.config(a, o)
                call(b, a)
        self._run(fetched, op)
        return self

    def add_layer_of(self, artifact: Artifact, layer: Union[int, str], *, title: Optional[str] = None, media_type: Optional[str] = None,
                     tar: bool = False, pack: Optional[Pack] = None, op: Optional[_call.Op] = None) -> "Builder":
        """Adds a layer that an artifact has already, by number or title, not read again where that is possible.

        For an image, or with `tar`, a file is wrapped in a tar; a tar is taken as it is. `title` None: its own.

        Raises:
            InvalidError: a packed tar of which nobody says what is inside. Others as :meth:`Artifact.config`.
        """
        options, number = self._layer(media_type, title, tar, pack), must_be(Artifact, artifact, "an artifact")._number(layer)
        return self._run_with(artifact, lambda b, a: _c.builder_add_layer_of(b, options, a, number), op)

    def add_pip(self, requirements: Path, *, target: Optional[str] = None, python: Optional[str] = None,
                python_version: Optional[str] = None, args: Optional[Iterable[str]] = None, pack: Optional[Pack] = None,
                op: Optional[_call.Op] = None) -> "Builder":
        """Of an image: adds what a requirements file asks for as one layer, installed at commit by this machine's pip.

        Args:
            target: the folder in the image, ``"/opt/python"`` by default; PYTHONPATH is set to it.
            args: more for pip, such as ``"--no-index"``.

        Raises:
            NotFoundError: no such file. At :meth:`commit` also InvalidError: pip cannot install it; NotSupportedError: there is no pip.
        """
        more, n_args = _c.words(args, "args")
        texts = {name: _c.word(text, name) for name, text in
                 (("target", target), ("python", python), ("python_version", python_version)) if text is not None}
        options, where = _c.PipOptions(flags=choice(_PACKS, pack, "pack"), args=more, n_args=n_args, **texts), _c.path(requirements, "the requirements")
        self._run(lambda b, o: _c.builder_add_pip(b, options, where, o), op)
        return self

    def add_tree(self, folder: Path, *, title: Optional[str] = None, media_type: Optional[str] = None, tar: bool = False,
                 pack: Optional[Pack] = None, each: bool = False, op: Optional[_call.Op] = None) -> "Builder":
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
                 pack: Optional[Pack] = None, op: Optional[_call.Op] = None) -> "Builder":
        """Adds one file as one raw layer; `title` is its path in the artifact (default: its name).

        `tar`, `pack`: as in :meth:`add_tree`. Raises as :meth:`add_tree`."""
        options, where = self._layer(media_type, title, tar, pack), _c.path(path, "the file")
        self._run(lambda b, o: _c.builder_add_file(b, options, where, o), op)
        return self

    def add_bytes(self, data: Memory, title: str, *, media_type: Optional[str] = None, tar: bool = False,
                  pack: Optional[Pack] = None, op: Optional[_call.Op] = None) -> "Builder":
        """Adds memory as one layer: bytes, memoryview, mmap, a contiguous numpy array. It must not change before commit.

        The bytes alone are kept, neither shape nor type of an array.

        Args:
            title: the file's path in the artifact.
            tar, pack: as in :meth:`add_tree`.

        Raises:
            TypeError, BufferError: no contiguous buffer. InvalidError: a title that is no safe path.
        """
        options = self._layer(media_type, title, tar, pack)
        self._run(lambda b, o: _c.builder_add_source(b, options, _lend(data), o), op)
        return self

    def add_children_of(self, index: Artifact) -> "Builder":
        """Begins an index (:meth:`Session.build_index`) with what another one has, to be changed; before anything is added.

        Raises:
            InvalidError: no index. StateError: not the first thing that is added, or no builder of an index.
        """
        with self._use() as b, self._other(index)._use() as a:
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
        options = _c.VariantOptions(memory_bytes=_c.unsigned(memory_bytes, "memory_bytes"),
                                    **{k: _c.word(v, k) for k, v in texts.items() if v is not None})
        with self._use() as b, self._other(child)._use() as a:
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
            InvalidError: no layer and no config, or two of one title. StateError: committed already.
            BusyError, LocalIOError, AuthError, DeniedError, NetworkError, TimedOutError, ProtocolError.
        """
        tags, n_tags = _c.words(also, "also")
        options = _c.CommitOptions(flags=_c.flags((move, _c.COPY_MOVE_TAG)), also=tags, n_also=n_tags,
                                   expect_digest=None if expect_digest is None else _c.word(expect_digest, "expect_digest"))
        name = _c.word(ref, "a reference")
        return self._run(lambda b, o: Artifact(_c.builder_commit(b, name, options, o), self._session), op, progress)
