"""_hub.py - for people who know Hugging Face: pull, push and load by name, in one call each."""
from __future__ import annotations

import contextlib
import os
import pathlib
from typing import Any, Dict, Iterable, Mapping, Optional, Union

from . import _call, _errors
from ._artifact import Artifact, Path
from ._session import Auth, Credentials, Name, Runtime, Session, Wish, patterns


def default_store() -> pathlib.Path:
    """``$MLREG_STORE``, else ``mlreg/store`` in the XDG data directory: the same as the command-line program's."""
    named = os.environ.get("MLREG_STORE")
    if named:
        return pathlib.Path(named)
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return pathlib.Path(data) / "mlreg" / "store"


def _snapshots() -> pathlib.Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(cache) / "mlreg" / "snapshots"


def _auth(token: Credentials) -> Optional[Auth]:
    return None if token is None else lambda _host, _scope: token


def _open_store(store: Optional[Path]) -> Session:
    where = pathlib.Path(os.fsdecode(store)) if store is not None else default_store()
    where.parent.mkdir(parents=True, exist_ok=True)
    return Session(where, create=True)


def _in_store(text: str, ref: str, store: Session) -> Artifact:
    """What a name without a host means."""
    try:
        return store.resolve(ref, Wish())
    except _errors.NotFoundError as error:
        error.hint = f"it names no registry; for Docker Hub write docker.io/{text}"
        raise


def _runtime(max_workers: Optional[int]) -> Runtime:
    if max_workers is not None and max_workers < 1:
        raise _errors.make(-2, f"max_workers must be at least 1, not {max_workers}")
    return Runtime(max_connections=max_workers)


def _into_store(text: str, store: Session, token: Credentials, max_workers: Optional[int],
                progress: Optional[_call.Progress]) -> Artifact:
    name = Name.parse(text)
    if name.location is None:
        return _in_store(text, name.ref, store)
    with _runtime(max_workers) as runtime, Session(name.location, auth=_auth(token), runtime=runtime) as hub:
        kept = hub.copy(name.ref, store, name.stored, move=name.digest is None, variant=Wish(), progress=progress)
    if not kept.children:
        return kept
    with kept:
        return store.resolve(f"{kept.repository}@{kept.digest}", Wish())


def pull(ref: str, local_dir: Optional[Path] = None, allow_patterns: Union[None, str, Iterable[str]] = None,
         ignore_patterns: Union[None, str, Iterable[str]] = None, max_workers: Optional[int] = None,
         token: Credentials = None, progress: Optional[_call.Progress] = None, *, store: Optional[Path] = None) -> str:
    """Brings a model here and returns the folder with its files, ready for ``from_pretrained``.

    Of an index the variant that fits this machine best comes. With `local_dir` the chosen files come straight into that folder.
    Without it the model is kept in the store (where the next version moves only what changed), and its files are laid out in a
    folder of the cache, one for each digest.

    Args:
        ref: ``"ghcr.io/team/llama:v1"``, ``"…@sha256:<hex>"``, or ``"llama:v1"`` for what the store has.
        local_dir: made if missing; its parent must be there.
        allow_patterns: glob patterns (``*``, ``?``, ``**``): only files that match one.
        ignore_patterns: and not these.
        max_workers: connections at once; default 100, which only hundreds of small files use.
        token: a token, or (name, password); default: what ``docker login`` left.
        progress: called with :class:`Stats` five times a second.
        store: a directory; default: :func:`default_store`.

    Raises:
        NotFoundError, AuthError, DeniedError, NetworkError, TimedOutError, DigestError, LocalIOError and others of
        :class:`Error`; what was in the folder before is still there then, and calling again goes on.
    """
    include, exclude = patterns(allow_patterns), patterns(ignore_patterns)
    name = Name.parse(ref)
    if local_dir is not None and name.location is not None:
        with _runtime(max_workers) as runtime, Session(name.location, auth=_auth(token), runtime=runtime) as hub, \
                hub.resolve(name.ref, Wish()) as model:
            model.checkout(local_dir, include=include, exclude=exclude, progress=progress)
        return os.fsdecode(local_dir)
    with _open_store(store) as kept, _into_store(ref, kept, token, max_workers, progress) as model:
        folder = os.fsdecode(local_dir) if local_dir is not None else _snapshot_of(model)
        model.checkout(folder, include=include, exclude=exclude, progress=progress)
    return folder


def _snapshot_of(model: Artifact) -> str:
    folder = _snapshots() / model.repository / model.digest.replace(":", "-")
    folder.parent.mkdir(parents=True, exist_ok=True)
    return str(folder)


def push(folder: Path, ref: str, *, annotations: Optional[Mapping[str, str]] = None, move: bool = False,
         max_workers: Optional[int] = None, token: Credentials = None, progress: Optional[_call.Progress] = None,
         store: Optional[Path] = None) -> str:
    """Makes an artifact of a folder's files, straight in a registry (or, without a host, in the store); returns its digest.

    Args:
        folder: every file below it becomes a layer, hidden ones excepted.
        ref: ``"ghcr.io/team/llama:v1"`` or ``"llama:v1"``; a tag is needed.
        annotations: of the manifest.
        move: a tag that names something else is moved; else that is :class:`ExistsError`.
        max_workers, token, progress, store: as in :func:`pull`.

    Raises:
        ExistsError: the tag names something else. InvalidError: no tag, or a folder that cannot be an artifact.
        NotFoundError, AuthError, DeniedError, NetworkError, TimedOutError and others of :class:`Error`: no tag was put then.
    """
    name = Name.parse(ref)
    if name.tag is None or name.digest is not None:
        raise _errors.make(-2, f"'{ref}' has no tag to push to")
    with _runtime(max_workers) as runtime:
        session = _open_store(store) if name.location is None else Session(name.location, auth=_auth(token), runtime=runtime)
        with session, session.build() as builder:
            builder.annotate(annotations).add_tree(folder)
            with builder.commit(name.ref, move=move, progress=progress) as model:
                return model.digest


def load(ref: str, file: str, *, token: Credentials = None, progress: Optional[_call.Progress] = None,
         store: Optional[Path] = None) -> Dict[str, Any]:
    """The tensors of a safetensors file of a model, mapped from the store: nothing is copied.

    What the store does not have is pulled first. Pages are private: writing to a tensor changes neither file nor store.

    Args:
        ref: as in :func:`pull`.
        file: its path in the artifact, ``"model.safetensors"``.

    Returns:
        name to tensor, of the shapes and types that the file names: ``torch.Tensor`` if torch can be imported, else
        ``numpy.ndarray``.

    Raises:
        ImportError: neither torch nor numpy is installed.
        NotFoundError: no such model, or no such file in it. ProtocolError: the file is no safetensors file.
        NotSupportedError: numpy has no such type (bfloat16, float8) and torch is not there.
        Others as in :func:`pull`.
    """
    from . import _tensors
    make = _tensors.maker()                  # before anything moves
    with _open_store(store) as kept, _kept_or_pulled(ref, kept, token, progress) as model:
        mapped = _tensors.map_layer(model, file)
    return _tensors.read(mapped, file, make)


def _kept_or_pulled(ref: str, store: Session, token: Credentials, progress: Optional[_call.Progress]) -> Artifact:
    name = Name.parse(ref)
    if name.location is not None:
        with contextlib.suppress(_errors.NotFoundError):
            return store.resolve(name.stored, Wish())
    return _into_store(ref, store, token, None, progress)
