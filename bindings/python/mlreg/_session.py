"""_session.py - one open place: a registry, a store, a layout or memory."""
from __future__ import annotations

import enum
import json
import os
from typing import Any, Callable, Dict, Iterable, List, Literal, Mapping, NamedTuple, Optional, Tuple, Union

from . import _c, _call, _errors
from ._artifact import Artifact, Descriptor, Path, descriptor
from ._builder import BUILDER_KINDS, Builder, choice
from ._content import Content
from ._handle import Handle, must_be

LOG_LEVELS = {_c.LOG_ERROR: "error", _c.LOG_WARN: "warning", _c.LOG_INFO: "info", _c.LOG_DEBUG: "debug"}

Credentials = Union[None, str, Tuple[str, str]]
Auth = Callable[[str, str], Credentials]
Log = Callable[[str, str], Any]
Kind = Literal["artifact", "image", "index"]


# Where systems keep their certificates: Debian, Red Hat, Alpine, SUSE. A library that came in a wheel was built for the first.
CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem")


def system_ca() -> Optional[str]:
    """The system's certificates where the library would not find them itself, else None."""
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("CURL_CA_BUNDLE") or os.path.exists(CA_FILES[0]):
        return None
    return next((file for file in CA_FILES if os.path.exists(file)), None)


class Can(enum.IntFlag):
    """What a place can do."""

    RANGE = _c.CAN_RANGE
    REFERRERS = _c.CAN_REFERRERS
    MOUNT = _c.CAN_MOUNT
    DELETE = _c.CAN_DELETE


class Wish(NamedTuple):
    """What is wanted of an index: the entry that fits this machine best, or another one by what is set.

    ``platform`` is ``"os/arch[/variant]"``; ``variant`` the name of an entry, taken whether it fits or not; ``accelerator``
    ``"none"``, ``"cuda"`` or ``"rocm"``; ``precision`` preferred ones, the best first, blanks between; ``host`` another machine's
    description, as :func:`host` gives it.
    """

    platform: Optional[str] = None
    variant: Optional[str] = None
    accelerator: Optional[str] = None
    precision: Optional[str] = None
    host: Union[None, str, Mapping[str, Any]] = None

    def _options(self) -> Any:
        described = json.dumps(self.host) if isinstance(self.host, Mapping) else self.host
        texts = {**self._asdict(), "host": described}
        return _c.ResolveOptions(flags=_c.RESOLVE_VARIANT, **{k: _c.word(v, k) for k, v in texts.items() if v is not None})


def _wanted(wish: Optional[Wish], what: str) -> Any:
    return None if wish is None else must_be(Wish, wish, what)._options()


class Variant(NamedTuple):
    """An entry of an index: what it needs, and whether it fits (``fit`` is "chosen", "fits" or "no", with a reason behind)."""

    name: str
    descriptor: Descriptor
    fit: str
    absent: bool


VARIANT = "io.github.libmlreg.variant."


def host() -> Dict[str, Any]:
    """What this machine is: architecture, CPU features, memory, accelerators, and notes on what keeps one from being used."""
    found: Dict[str, Any] = json.loads(_c.host_json())
    return found


class GcReport(NamedTuple):
    """What was removed, or with ``dry_run`` would have been: blobs, and their bytes."""

    blobs: int
    bytes: int


class Name(NamedTuple):
    """Where something is, as people write it: ``"ghcr.io/team/llama:v1"``, ``"oci:DIR:TAG"``, ``"llama:v1"``.

    ``location`` is what to give to :class:`Session`, None where a store is meant; ``ref`` the reference in it; ``stored`` the one
    under which a store keeps it.
    """

    location: Optional[str]
    ref: str
    stored: str
    repository: str
    tag: Optional[str]
    digest: Optional[str]

    @staticmethod
    def parse(text: str) -> "Name":
        """Takes a name apart. :class:`InvalidError` with the rule that it breaks."""
        n = _c.name_parse(_c.word(text, "a name"))
        try:
            parts = [_c.text(get(n)) for get in (_c.name_location, _c.name_ref, _c.name_stored, _c.name_repository, _c.name_tag,
                                                 _c.name_digest)]
        finally:
            _c.name_free(n)
        return Name(parts[0], parts[1] or "", parts[2] or "", parts[3] or "", parts[4], parts[5])


class Runtime(Handle):
    """What several sessions share.

    Args:
        max_threads: for one call; None: the cores, 4 to 8, more to wait for many small layers; 0: none but the caller's.
        max_connections: open at once over all hosts; None: 100; 0: no limit.
        memory_bytes: for bytes in flight; None: 32 MiB; 0: no limit.
        max_bytes_per_s: received and sent together; None or 0: no limit.

    Raises:
        InvalidError: a number that is negative or too large.
    """

    def __init__(self, *, max_threads: Optional[int] = None, max_connections: Optional[int] = None,
                 memory_bytes: Optional[int] = None, max_bytes_per_s: Optional[int] = None) -> None:
        options = _c.RuntimeOptions(max_threads=_c.option(max_threads, "max_threads"),
                                    max_connections=_c.option(max_connections, "max_connections"),
                                    memory_bytes=_c.option(memory_bytes, "memory_bytes", 64),
                                    max_bytes_per_s=_c.option(max_bytes_per_s, "max_bytes_per_s", 64))
        super().__init__(_c.runtime_new(options), _c.runtime_free)


class _Callbacks:
    """The caller's functions as C sees them. What they raise comes out of the call that asked."""

    def __init__(self, auth: Optional[Auth], log: Optional[Log]) -> None:
        for function, what in (auth, "auth"), (log, "log"):
            if function is not None and not callable(function):
                raise TypeError(f"{what} must be callable, not {type(function).__name__}")
        self.auth = _c.AUTH_FN(self._ask(auth)) if auth is not None else _c.AUTH_FN()
        self.log = _c.LOG_FN(self._tell(log)) if log is not None else _c.LOG_FN()

    def _ask(self, auth: Auth) -> Callable[..., int]:
        def ask(a: Any, host: bytes, scope: Optional[bytes], _user: Any) -> int:
            try:
                return _answer(a, auth(_c.text(host) or "", _c.text(scope) or ""))
            except BaseException as failure:
                _call.keep(failure)
                return -7
        return ask

    def _tell(self, log: Log) -> Callable[..., None]:
        def tell(level: int, line: bytes, _user: Any) -> None:
            try:
                log(LOG_LEVELS.get(level, "debug"), _c.text(line) or "")
            except BaseException as failure:
                _call.keep(failure)
        return tell


def _answer(a: Any, credentials: Credentials) -> int:
    if credentials is None:
        return 0
    if isinstance(credentials, str):
        return int(_c.auth_set_token(a, _c.word(credentials, "a token")))
    if not isinstance(credentials, tuple) or len(credentials) != 2:
        raise TypeError(f"auth must give None, a token or (name, password), not {type(credentials).__name__}")
    name, secret = credentials
    return int(_c.auth_set_basic(a, _c.word(name, "a name"), _c.word(secret, "a password")))


class Session(Content):
    """One open place that holds artifacts. Opening a registry does not yet talk to it.

    Any number of threads may use one at once. In a forked child it is opened again when first used, ``memory:`` excepted.

    Args:
        location: ``"https://host[:port]"``, ``"http://…"``, ``"oci:DIR"``, ``"memory:"``, or the directory of a store.
        create: a store or layout that is not there is made.
        readonly: every writing call raises :class:`DeniedError`.
        plain_http: http to any host; to this machine ``http://…`` works without it.
        auth: called as ``auth(host, scope)``, on another thread; gives None (anonymous), a token, or (name, password). Default:
            docker's config.json with its helpers, then the containers' auth.json files.
        log: called as ``log(level, line)``, on another thread, with ``"error"``, ``"warning"``, ``"info"`` or ``"debug"``.
        ca_file, client_cert_file, client_key_file: PEM; default: the system's certificates.
        connect_timeout_ms: None: 10 000; 0: no limit.
        stall_timeout_ms: without one byte; None: 30 000; 0: no limit.
        max_retries: only where repeating is safe; None: 4; 0: none.

    Raises:
        NotFoundError: no store or layout is there, and not `create`.
        DeniedError: plain http to another host, or no permission.
        ProtocolError: something else is there. NotSupportedError: a store of a newer format, a URL of another scheme.
    """

    def __init__(self, location: Path, *, create: bool = False, readonly: bool = False, plain_http: bool = False,
                 runtime: Optional[Runtime] = None, auth: Optional[Auth] = None, log: Optional[Log] = None,
                 ca_file: Optional[Path] = None, client_cert_file: Optional[Path] = None, client_key_file: Optional[Path] = None,
                 connect_timeout_ms: Optional[int] = None, stall_timeout_ms: Optional[int] = None,
                 max_retries: Optional[int] = None) -> None:
        self._callbacks = _Callbacks(auth, log)
        self._runtime = None if runtime is None else must_be(Runtime, runtime, "runtime")
        self._where = _c.path(location, "the location")
        self._options: Dict[str, Any] = {
            "flags": _c.flags((create, _c.OPEN_CREATE), (readonly, _c.OPEN_READONLY), (plain_http, _c.OPEN_PLAIN_HTTP)),
            "connect_timeout_ms": _c.option(connect_timeout_ms, "connect_timeout_ms"),
            "stall_timeout_ms": _c.option(stall_timeout_ms, "stall_timeout_ms"),
            "max_retries": _c.option(max_retries, "max_retries"),
            "ca_file": _file(ca_file if ca_file is not None else system_ca(), "ca_file"),
            "client_cert_file": _file(client_cert_file, "client_cert_file"),
            "client_key_file": _file(client_key_file, "client_key_file"),
            "auth": self._callbacks.auth, "log": self._callbacks.log}
        super().__init__(self._open(), _c.session_free)

    def _open(self) -> Any:
        if self._runtime is None:
            return _c.session_open(self._where, _c.SessionOptions(**self._options))
        with self._runtime._use() as runtime:
            return _c.session_open(self._where, _c.SessionOptions(runtime=runtime, **self._options))

    def _reopen(self) -> None:
        if self._where == b"memory:":
            super()._reopen()
        self._runtime = None
        self._hold(self._open(), _c.session_free)

    @property
    def location(self) -> str:
        """As it was given."""
        return self._where.decode("utf-8", "surrogateescape")

    @property
    def can(self) -> Can:
        """What this place can do, as far as is known by now."""
        with self._use() as s:
            return Can(_c.session_capabilities(s))

    def resolve(self, ref: str, wish: Optional[Wish] = None, *, op: Optional[_call.Op] = None) -> Artifact:
        """Finds what ``"repo:tag"`` or ``"repo@sha256:<hex>"`` names and fetches its manifest, verified.

        With a `wish`, of an index the entry that fits it best. OCI distribution-spec 1.1, "Pulling manifests".

        Raises:
            NotSupportedError: no entry fits; the message lists what there is and what was missing.
            NotFoundError, DigestError, LimitError (over 4 MiB), AuthError, DeniedError, NetworkError, TimedOutError, ProtocolError.
        """
        name = _c.word(ref, "a reference")
        options = _wanted(wish, "wish")
        return self._run(lambda s, o: Artifact(_c.session_resolve(s, name, options, o), self), op)

    def variants(self, ref: str, wish: Optional[Wish] = None, *, op: Optional[_call.Op] = None) -> List[Variant]:
        """The entries of an index, the best fit first; empty if `ref` names none. Raises as :meth:`resolve`."""
        name, options = _c.word(ref, "a reference"), _wanted(wish, "wish")
        found = self._run(lambda s, o: [(n or "", descriptor(d)) for n, d in _c.items(_c.session_variants(s, name, options, o))], op)
        return [Variant(n, d, d.annotations[VARIANT + "fit"], VARIANT + "absent" in d.annotations) for n, d in found]

    def tags(self, repository: str, *, op: Optional[_call.Op] = None) -> List[str]:
        """The tags of a repository, sorted (OCI distribution-spec 1.1, "Listing tags").

        Raises:
            NotFoundError, AuthError, DeniedError, NetworkError, TimedOutError, ProtocolError.
        """
        name = _c.word(repository, "a repository")
        return self._run(lambda s, o: _names(_c.session_tags(s, name, o)), op)

    def repositories(self, *, op: Optional[_call.Op] = None) -> List[str]:
        """The repositories of a place, sorted. NotSupportedError: many registries have no such list; others as :meth:`tags`."""
        return self._run(lambda s, o: _names(_c.session_repositories(s, o)), op)

    def referrers(self, ref: str, artifact_type: Optional[str] = None, *, op: Optional[_call.Op] = None) -> List[Descriptor]:
        """What refers to an artifact by ``subject``, each checked by reading it (OCI distribution-spec 1.1, "Listing referrers").

        Args:
            ref: ``"repo:tag"`` or ``"repo@sha256:<hex>"``.
            artifact_type: None: of any type.

        Raises:
            NotFoundError, DigestError, AuthError, DeniedError, NetworkError, TimedOutError, ProtocolError.
        """
        name = _c.word(ref, "a reference")
        kind = None if artifact_type is None else _c.word(artifact_type, "artifact_type")
        return self._run(lambda s, o: [descriptor(d) for _, d in _c.items(_c.session_referrers(s, name, kind, o))], op)

    def delete(self, ref: str, *, op: Optional[_call.Op] = None) -> None:
        """Removes a tag, or with a digest a manifest and every tag on it; blobs go when the place collects them (:meth:`gc`).

        Raises:
            NotFoundError, NotSupportedError (the registry forbids it), BusyError, AuthError, DeniedError, NetworkError,
            TimedOutError, ProtocolError.
        """
        name = _c.word(ref, "a reference")
        self._run(lambda s, o: _c.session_delete(s, name, o), op)

    def copy(self, ref: str, to: "Session", as_: Optional[str] = None, *, move: bool = False, referrers: bool = False,
             expect_digest: Optional[str] = None, variant: Optional[Wish] = None, all_variants: bool = False,
             foreign: bool = False, op: Optional[_call.Op] = None, progress: Optional[_call.Progress] = None) -> Artifact:
        """Copies an artifact and every blob it names into `to`: pull, push, promote, export, and within one place, tag.

        What is there is not moved; the tag moves last, and off another digest only with `move`.

        Args:
            as_: the name it gets there; None keeps `ref`.
            referrers: what refers to it comes along.
            expect_digest: with `move`: only if the tag is at this digest now.
            variant: of an index only the entry that fits: a store then has it in part, a registry gets that entry alone.
            all_variants: an index that is here in part only is :class:`NotFoundError`.
            foreign: an image's layers that are not to be distributed come along, from their addresses; else they stay where they are.

        Returns:
            the artifact as it now is in `to`.

        Raises:
            ExistsError: the tag names something else; said before a byte moves.
            NotFoundError: also where a digest was expected and no tag is.
            DigestError, BusyError, LocalIOError, AuthError, DeniedError, NetworkError, TimedOutError, ProtocolError: what
                arrived verified is kept, so calling again moves only what is missing.
        """
        source, target = _c.word(ref, "a reference"), None if as_ is None else _c.word(as_, "a reference")
        must_be(Session, to, "to")
        options = _c.CopyOptions(flags=_c.flags((move, _c.COPY_MOVE_TAG), (referrers, _c.COPY_REFERRERS),
                                                (all_variants, _c.COPY_ALL_VARIANTS), (foreign, _c.COPY_FOREIGN)),
                                 variant=None if variant is None else _c.pointer(_wanted(variant, "variant")),
                                 expect_digest=None if expect_digest is None else _c.word(expect_digest, "expect_digest"))

        def call(s: Any, o: Any) -> Artifact:
            with to._use() as t:
                return Artifact(_c.copy(s, source, t, target, options, o), to)
        return self._run(call, op, progress)

    def build(self, artifact_type: Optional[str] = None, *, kind: Kind = "artifact") -> Builder:
        """Begins a manifest here: of an "artifact", of an "image" that can be run, or of an "index" of others.

        `artifact_type` None: of an artifact a ModelPack, whose config is filled from its files; of others none.
        """
        number, named = choice(BUILDER_KINDS, kind, "a kind"), None if artifact_type is None else _c.word(artifact_type, "artifact_type")
        with self._use() as s:
            return Builder(_c.builder_new(s, number, named), self)

    def build_index(self, artifact_type: Optional[str] = None) -> Builder:
        """Begins an index here, to which :meth:`Builder.add_child` adds entries, each for another kind of machine."""
        return self.build(artifact_type, kind="index")

    def login(self, name: str, secret: str, *, op: Optional[_call.Op] = None) -> str:
        """Checks name and password against a registry and keeps them where docker does; gives where.

        Raises:
            AuthError: refused; nothing was kept.
            NotSupportedError: this is no registry.
            DeniedError, BusyError, LocalIOError, ProtocolError: docker's file or helper; what was there stands.
            NetworkError, TimedOutError.
        """
        user, password = _c.word(name, "a name"), _c.word(secret, "a password")
        return self._run(lambda s, o: _names(_c.session_login(s, user, password, o)), op)[0]

    def logout(self, *, op: Optional[_call.Op] = None) -> List[str]:
        """Forgets what was kept for this registry; gives where it was. NotFoundError: nothing was; others as :meth:`login`."""
        return self._run(lambda s, o: _names(_c.session_logout(s, o)), op)

    def gc(self, *, dry_run: bool = False, grace_ms: Optional[int] = None, op: Optional[_call.Op] = None) -> GcReport:
        """Removes blobs of a store or layout that no manifest names and that are older than `grace_ms` (None: one hour; 0: all).

        Blobs of copies and builds in progress, in any process, are safe.

        Raises:
            ProtocolError: a manifest cannot be read; nothing was removed: run :meth:`fsck`.
            NotSupportedError: neither store nor layout. BusyError, DeniedError, LocalIOError.
        """
        options = _c.GcOptions(flags=_c.flags((dry_run, _c.GC_DRY_RUN)), grace_ms=_c.option(grace_ms, "grace_ms", 64))
        report = _c.CGcReport()
        self._run(lambda s, o: _c.session_gc(s, options, o, report), op)
        return GcReport(report.blobs, report.bytes)

    def fsck(self, *, repair: bool = False, op: Optional[_call.Op] = None) -> List[str]:
        """Reads everything in a store or layout and names what is broken, a line each; with `repair` mends what can be.

        Raises:
            NotSupportedError: neither store nor layout. BusyError, DeniedError, LocalIOError. Problems raise nothing.
        """
        return self._run(lambda s, o: _names(_c.session_fsck(s, _c.flags((repair, _c.FSCK_REPAIR)), o)), op)

    def __repr__(self) -> str:
        return f"<mlreg.Session {self.location}{', closed' if self.closed else ''}>"


def _file(path: Optional[Path], what: str) -> Optional[bytes]:
    return None if path is None else _c.path(path, what)


def _names(raw: Any) -> List[str]:
    """A list of the library as one of ours."""
    return [name or "" for name, _ in _c.items(raw)]


def patterns(value: Optional[Iterable[str]]) -> Optional[List[str]]:
    """One pattern or several, as several."""
    return None if value is None else [value] if isinstance(value, str) else list(value)
