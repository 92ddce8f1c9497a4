"""_c.py - the shared library: found, checked, and bound, one line for each function. Nothing else here knows ctypes' rules.

Inputs are written as they are; ``Out(T)`` is a result that the call gives back, and ``ERR`` at the end makes a negative
code an exception. A call returns its outputs (one alone, several as a tuple), else what the C function returns.
"""
from __future__ import annotations

import ctypes
import operator
import os
import pathlib
import re
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from . import _errors

NEEDED = 0x000100
SONAME = "libmlreg.so.0"

# ---- numbers, each named as in the header, without MLREG_ ----

LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG = range(4)
OPEN_CREATE, OPEN_READONLY, OPEN_PLAIN_HTTP = 1, 2, 4
CAN_RANGE, CAN_REFERRERS, CAN_MOUNT, CAN_DELETE = 1, 2, 4, 8
RESOLVE_VARIANT = 1
PART_SELF, PART_CONFIG, PART_LAYER, PART_CHILD, PART_SUBJECT = range(5)
COPY_MOVE_TAG, COPY_REFERRERS, COPY_ALL_VARIANTS, COPY_FOREIGN = 1, 2, 4, 8
UNPACK_ROOTLESS, UNPACK_FOREIGN = 1, 2
STREAM_UNVERIFIED, STREAM_FILE = 1, 2
BUILD_ARTIFACT, BUILD_IMAGE, BUILD_INDEX = range(3)
LAYER_TAR, LAYER_GZIP, LAYER_ZSTD, LAYER_EACH = 1, 2, 4, 8
GC_DRY_RUN = 1
FSCK_REPAIR = 1

# ---- what is opaque, each a type of its own, so that a wrong handle is an ArgumentError ----


class CRuntime(Structure): pass
class COp(Structure): pass
class CSession(Structure): pass
class CArtifact(Structure): pass
class CDescriptor(Structure): pass
class CList(Structure): pass
class CStream(Structure): pass
class CBuilder(Structure): pass
class CUpload(Structure): pass
class CAuth(Structure): pass
class CName(Structure): pass
class CError(Structure): pass


RUNTIME, OP, SESSION, ARTIFACT, DESCRIPTOR, LIST = map(POINTER, (CRuntime, COp, CSession, CArtifact, CDescriptor, CList))
STREAM, BUILDER, UPLOAD, AUTH, NAME, ERROR = map(POINTER, (CStream, CBuilder, CUpload, CAuth, CName, CError))
PROGRESS_FN = CFUNCTYPE(c_int, OP, c_void_p)
LOG_FN = CFUNCTYPE(None, c_int, c_char_p, c_void_p)
AUTH_FN = CFUNCTYPE(c_int, AUTH, c_char_p, c_char_p, c_void_p)
READ_AT_FN = CFUNCTYPE(c_int64, c_void_p, c_uint64, c_void_p, c_size_t)
RELEASE_FN = CFUNCTYPE(None, c_void_p)

# ---- what callers allocate ----


class Sized(Structure):
    """A struct that begins with its own size."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(size=ctypes.sizeof(self), **fields)


class RuntimeOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("max_threads", c_uint32), ("max_connections", c_uint32),
                ("memory_bytes", c_uint64), ("max_bytes_per_s", c_uint64)]


class CStats(Sized):
    _fields_ = [("size", c_uint32), ("blobs_done", c_uint32), ("blobs_total", c_uint32), ("requests", c_uint32),
                ("retries", c_uint32), ("reserved", c_uint32), ("bytes_done", c_uint64), ("bytes_total", c_uint64),
                ("bytes_network", c_uint64), ("bytes_reused", c_uint64), ("bytes_resumed", c_uint64), ("elapsed_ms", c_uint64),
                ("wait_ms", c_uint64), ("network_ms", c_uint64), ("hash_ms", c_uint64), ("write_ms", c_uint64), ("sync_ms", c_uint64)]


class CBlobStats(Sized):
    _fields_ = [("size", c_uint32), ("reserved", c_uint32), ("name", c_char_p), ("bytes", c_uint64), ("began_ms", c_uint64),
                ("elapsed_ms", c_uint64)]


class SessionOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("connect_timeout_ms", c_uint32), ("stall_timeout_ms", c_uint32),
                ("max_retries", c_uint32), ("reserved", c_uint32), ("runtime", RUNTIME), ("ca_file", c_char_p),
                ("client_cert_file", c_char_p), ("client_key_file", c_char_p), ("auth", AUTH_FN), ("auth_user", c_void_p),
                ("log", LOG_FN), ("log_user", c_void_p)]


class ResolveOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("platform", c_char_p), ("variant", c_char_p), ("accelerator", c_char_p),
                ("precision", c_char_p), ("host", c_char_p)]


class CopyOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("expect_digest", c_char_p), ("variant", POINTER(ResolveOptions))]


class CheckoutOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("include", POINTER(c_char_p)), ("exclude", POINTER(c_char_p)),
                ("n_include", c_size_t), ("n_exclude", c_size_t)]


class ImageUnpackOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("path", c_char_p), ("layers", POINTER(c_char_p)), ("n_layers", c_size_t)]


class StreamOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("offset", c_uint64), ("bytes", c_uint64)]


class Source(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("bytes", c_uint64), ("user", c_void_p), ("read_at", READ_AT_FN),
                ("release", RELEASE_FN)]


class LayerOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("media_type", c_char_p), ("title", c_char_p)]


class VariantOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("name", c_char_p), ("platform", c_char_p), ("accelerator", c_char_p),
                ("compute", c_char_p), ("driver", c_char_p), ("runtime", c_char_p), ("cpu", c_char_p), ("precision", c_char_p),
                ("format", c_char_p), ("memory_bytes", c_uint64)]


class ImageOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("platform", c_char_p), ("user", c_char_p), ("workdir", c_char_p),
                ("env", POINTER(c_char_p)), ("labels", POINTER(c_char_p)), ("ports", POINTER(c_char_p)),
                ("entrypoint", POINTER(c_char_p)), ("cmd", POINTER(c_char_p)), ("n_env", c_size_t), ("n_labels", c_size_t),
                ("n_ports", c_size_t), ("n_entrypoint", c_size_t), ("n_cmd", c_size_t)]


class PipOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("target", c_char_p), ("python", c_char_p), ("python_version", c_char_p),
                ("args", POINTER(c_char_p)), ("n_args", c_size_t)]


class CommitOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("expect_digest", c_char_p), ("also", POINTER(c_char_p)),
                ("n_also", c_size_t)]


class GcOptions(Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("grace_ms", c_uint64)]


class CGcReport(Sized):
    _fields_ = [("size", c_uint32), ("reserved", c_uint32), ("blobs", c_uint64), ("bytes", c_uint64)]


# ---- the library itself ----


def _candidates() -> List[str]:
    named = os.environ.get("MLREG_LIBRARY")
    beside = pathlib.Path(__file__).resolve().parent / SONAME
    return [named] if named else ([str(beside)] if beside.exists() else []) + [SONAME]


def _load() -> ctypes.CDLL:
    tried = _candidates()
    failures = []
    for name in tried:
        try:
            lib = ctypes.CDLL(name)
        except OSError as failure:
            failures.append(str(failure))
            continue
        if not hasattr(lib, "mlreg_version"):
            raise ImportError(f"{name} is no libmlreg: it has no mlreg_version")
        found = lib.mlreg_version()
        if found < NEEDED:
            raise ImportError(f"{name} is libmlreg {version_text(found)}, {version_text(NEEDED)} is needed: install a newer one, "
                              "or name it in $MLREG_LIBRARY")
        return lib
    raise ImportError(f"libmlreg {version_text(NEEDED)} or newer is needed and was not found ({'; '.join(failures)}): install it, "
                      "or name the file in $MLREG_LIBRARY")


def version_text(number: int) -> str:
    """0x000100 as "0.1.0"."""
    return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"


LIB = _load()


class Out:
    """An output: the call makes room for it and gives it back."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class _Err:
    pass


ERR = _Err()
TABLE: Dict[str, Tuple[Any, Tuple[Any, ...]]] = {}     # name: (result, arguments), as C sees them; tests compare the header


# what the library says to those who write C, in this language's words
OURS = {"OPEN_CREATE": "create=True", "OPEN_PLAIN_HTTP": "plain_http=True", "COPY_MOVE_TAG": "move=True", "COPY_FOREIGN": "foreign=True",
        "UNPACK_FOREIGN": "foreign=True", "BUILD_IMAGE": "kind='image'", "BUILD_INDEX": "kind='index'",
        "RESOLVE_VARIANT": "mlreg.Wish()"}


def _said(raw: Optional[bytes]) -> Optional[str]:
    text = _text(raw)
    return None if text is None else re.sub(r"MLREG_(\w+)( in flags)?", lambda m: OURS.get(m[1], m[0]), text)


def _made(code: int, error: Any) -> _errors.Error:
    # a NULL error is told by its code alone
    made = _errors.make(code, _said(error_message(error) if error else strerror(code)) or "unknown error")
    if error:
        made.subject, made.place = _text(error_subject(error)), _text(error_place(error))
        made.http_status, made.registry_code = error_http_status(error), _text(error_registry_code(error))
        made.hint = _said(error_hint(error))
        error_free(error)
    return made


def _text(raw: Optional[bytes]) -> Optional[str]:
    return None if raw is None else raw.decode("utf-8", "surrogateescape")


def _finish(n_out: int) -> Callable[..., Any]:
    def finish(result: Any, _function: Any, arguments: Tuple[Any, ...]) -> Any:
        if result < 0:
            raise _made(result, arguments[-1])
        outputs = arguments[len(arguments) - 1 - n_out:-1]
        if not outputs:
            return result
        values = tuple(o.value if hasattr(o, "value") else o for o in outputs)
        return values[0] if len(values) == 1 else values
    return finish


def _function(name: str, result: Any, *arguments: Any) -> Any:
    """Binds one function; outputs come after the inputs and before the error, as the header has it."""
    outs = [a.kind for a in arguments if isinstance(a, Out)]
    fails = bool(arguments) and arguments[-1] is ERR
    kinds = [POINTER(a.kind) if isinstance(a, Out) else POINTER(ERROR) if a is ERR else a for a in arguments]
    TABLE[name] = (result, tuple(kinds))
    flags = tuple((2 if isinstance(a, Out) or a is ERR else 1,) for a in arguments)
    try:
        function = CFUNCTYPE(result, *kinds)((name, LIB), flags)
    except AttributeError:
        raise ImportError(f"{LIB._name} is libmlreg {version_text(LIB.mlreg_version())}, but has no {name}: this package needs a newer "
                          "one; install it, or name it in $MLREG_LIBRARY") from None
    if fails:
        function.errcheck = _finish(len(outs))
    return function


F = _function
S = c_char_p

version = F("mlreg_version", c_uint32)
strerror = F("mlreg_strerror", S, c_int)
error_code = F("mlreg_error_code", c_int, ERROR)
error_message = F("mlreg_error_message", S, ERROR)
error_subject = F("mlreg_error_subject", S, ERROR)
error_place = F("mlreg_error_place", S, ERROR)
error_http_status = F("mlreg_error_http_status", c_int, ERROR)
error_registry_code = F("mlreg_error_registry_code", S, ERROR)
error_hint = F("mlreg_error_hint", S, ERROR)
error_free = F("mlreg_error_free", None, ERROR)
runtime_new = F("mlreg_runtime_new", c_int, POINTER(RuntimeOptions), Out(RUNTIME), ERR)
runtime_free = F("mlreg_runtime_free", None, RUNTIME)
op_new = F("mlreg_op_new", c_int, Out(OP), ERR)
op_on_progress = F("mlreg_op_on_progress", None, OP, PROGRESS_FN, c_void_p, c_uint32)
op_cancel = F("mlreg_op_cancel", None, OP)
op_stats = F("mlreg_op_stats", c_int, OP, POINTER(CStats), ERR)
op_blob_at = F("mlreg_op_blob_at", c_int, OP, c_size_t, POINTER(CBlobStats), ERR)
op_free = F("mlreg_op_free", None, OP)
name_parse = F("mlreg_name_parse", c_int, S, Out(NAME), ERR)
name_location = F("mlreg_name_location", S, NAME)
name_ref = F("mlreg_name_ref", S, NAME)
name_stored = F("mlreg_name_stored", S, NAME)
name_repository = F("mlreg_name_repository", S, NAME)
name_tag = F("mlreg_name_tag", S, NAME)
name_digest = F("mlreg_name_digest", S, NAME)
name_free = F("mlreg_name_free", None, NAME)
auth_set_basic = F("mlreg_auth_set_basic", c_int, AUTH, S, S)
auth_set_token = F("mlreg_auth_set_token", c_int, AUTH, S)
session_open = F("mlreg_session_open", c_int, S, POINTER(SessionOptions), Out(SESSION), ERR)
session_free = F("mlreg_session_free", None, SESSION)
session_capabilities = F("mlreg_session_capabilities", c_uint32, SESSION)
session_resolve = F("mlreg_session_resolve", c_int, SESSION, S, POINTER(ResolveOptions), OP, Out(ARTIFACT), ERR)
session_variants = F("mlreg_session_variants", c_int, SESSION, S, POINTER(ResolveOptions), OP, Out(LIST), ERR)
host_json = F("mlreg_host_json", c_int, Out(S), ERR)
session_tags = F("mlreg_session_tags", c_int, SESSION, S, OP, Out(LIST), ERR)
session_repositories = F("mlreg_session_repositories", c_int, SESSION, OP, Out(LIST), ERR)
session_referrers = F("mlreg_session_referrers", c_int, SESSION, S, S, OP, Out(LIST), ERR)
session_delete = F("mlreg_session_delete", c_int, SESSION, S, OP, ERR)
session_blob = F("mlreg_session_blob", c_int, SESSION, S, S, OP, Out(c_uint64), ERR)
session_blob_fd = F("mlreg_session_blob_fd", c_int, SESSION, S, S, OP, Out(c_int), Out(c_uint64), ERR)
session_mount = F("mlreg_session_mount", c_int, SESSION, S, S, S, OP, ERR)
session_release = F("mlreg_session_release", c_int, SESSION, S, S, ERR)
session_put = F("mlreg_session_put", c_int, SESSION, S, S, c_void_p, c_size_t, POINTER(CopyOptions), OP, Out(ARTIFACT), ERR)
upload_open = F("mlreg_upload_open", c_int, SESSION, S, S, OP, Out(UPLOAD), ERR)
upload_id = F("mlreg_upload_id", S, UPLOAD)
upload_bytes = F("mlreg_upload_bytes", c_uint64, UPLOAD)
upload_write = F("mlreg_upload_write", c_int, UPLOAD, c_void_p, c_size_t, ERR)
upload_keep = F("mlreg_upload_keep", c_int, UPLOAD, ERR)
upload_commit = F("mlreg_upload_commit", c_int, UPLOAD, S, OP, ERR)
upload_cancel = F("mlreg_upload_cancel", None, UPLOAD)
upload_free = F("mlreg_upload_free", None, UPLOAD)
session_login = F("mlreg_session_login", c_int, SESSION, S, S, OP, Out(LIST), ERR)
session_logout = F("mlreg_session_logout", c_int, SESSION, OP, Out(LIST), ERR)
list_count = F("mlreg_list_count", c_size_t, LIST)
list_name = F("mlreg_list_name", S, LIST, c_size_t)
list_descriptor = F("mlreg_list_descriptor", DESCRIPTOR, LIST, c_size_t)
list_free = F("mlreg_list_free", None, LIST)
artifact_count = F("mlreg_artifact_count", c_size_t, ARTIFACT, c_int32)
artifact_at = F("mlreg_artifact_at", DESCRIPTOR, ARTIFACT, c_int32, c_size_t)
artifact_json = F("mlreg_artifact_json", c_void_p, ARTIFACT, POINTER(c_size_t))
artifact_repository = F("mlreg_artifact_repository", S, ARTIFACT)
artifact_config = F("mlreg_artifact_config", c_int, ARTIFACT, OP, Out(c_void_p), Out(c_size_t), ERR)
artifact_free = F("mlreg_artifact_free", None, ARTIFACT)
descriptor_bytes = F("mlreg_descriptor_bytes", c_uint64, DESCRIPTOR)
descriptor_digest = F("mlreg_descriptor_digest", S, DESCRIPTOR)
descriptor_media_type = F("mlreg_descriptor_media_type", S, DESCRIPTOR)
descriptor_artifact_type = F("mlreg_descriptor_artifact_type", S, DESCRIPTOR)
descriptor_title = F("mlreg_descriptor_title", S, DESCRIPTOR)
descriptor_platform = F("mlreg_descriptor_platform", S, DESCRIPTOR)
descriptor_annotation = F("mlreg_descriptor_annotation", S, DESCRIPTOR, S)
descriptor_annotation_at = F("mlreg_descriptor_annotation_at", c_int, DESCRIPTOR, c_size_t, POINTER(S), POINTER(S))
copy = F("mlreg_copy", c_int, SESSION, S, SESSION, S, POINTER(CopyOptions), OP, Out(ARTIFACT), ERR)
checkout = F("mlreg_checkout", c_int, ARTIFACT, S, POINTER(CheckoutOptions), OP, ERR)
image_find = F("mlreg_image_find", c_int, ARTIFACT, S, OP, Out(LIST), ERR)
image_unpack = F("mlreg_image_unpack", c_int, ARTIFACT, S, POINTER(ImageUnpackOptions), OP, ERR)
stream_open = F("mlreg_stream_open", c_int, ARTIFACT, c_size_t, POINTER(StreamOptions), OP, Out(STREAM), ERR)
stream_read = F("mlreg_stream_read", c_int64, STREAM, c_void_p, c_size_t, ERR)
stream_read_at = F("mlreg_stream_read_at", c_int64, STREAM, c_uint64, c_void_p, c_size_t, ERR)
stream_seek = F("mlreg_stream_seek", c_int, STREAM, c_uint64, ERR)
stream_bytes = F("mlreg_stream_bytes", c_uint64, STREAM)
stream_free = F("mlreg_stream_free", None, STREAM)
artifact_open_fd = F("mlreg_artifact_open_fd", c_int, ARTIFACT, c_size_t, Out(c_int), ERR)
artifact_file_range = F("mlreg_artifact_file_range", c_int, ARTIFACT, c_size_t, OP, Out(c_uint64), Out(c_uint64), ERR)
builder_new = F("mlreg_builder_new", c_int, SESSION, c_int32, S, Out(BUILDER), ERR)
builder_set_config = F("mlreg_builder_set_config", c_int, BUILDER, S, c_void_p, c_size_t, ERR)
builder_set_subject = F("mlreg_builder_set_subject", c_int, BUILDER, S, ERR)
builder_set_annotation = F("mlreg_builder_set_annotation", c_int, BUILDER, S, S, ERR)
builder_add_tree = F("mlreg_builder_add_tree", c_int, BUILDER, POINTER(LayerOptions), S, OP, ERR)
builder_add_file = F("mlreg_builder_add_file", c_int, BUILDER, POINTER(LayerOptions), S, OP, ERR)
builder_set_image = F("mlreg_builder_set_image", c_int, BUILDER, POINTER(ImageOptions), ERR)
builder_set_base = F("mlreg_builder_set_base", c_int, BUILDER, ARTIFACT, ERR)
builder_add_pip = F("mlreg_builder_add_pip", c_int, BUILDER, POINTER(PipOptions), S, OP, ERR)
builder_add_layer_of = F("mlreg_builder_add_layer_of", c_int, BUILDER, POINTER(LayerOptions), ARTIFACT, c_size_t, ERR)
builder_add_source = F("mlreg_builder_add_source", c_int, BUILDER, POINTER(LayerOptions), POINTER(Source), OP, ERR)
builder_add_children_of = F("mlreg_builder_add_children_of", c_int, BUILDER, ARTIFACT, ERR)
builder_add_child = F("mlreg_builder_add_child", c_int, BUILDER, ARTIFACT, POINTER(VariantOptions), ERR)
builder_remove_child = F("mlreg_builder_remove_child", c_int, BUILDER, S, ERR)
builder_commit = F("mlreg_builder_commit", c_int, BUILDER, S, POINTER(CommitOptions), OP, Out(ARTIFACT), ERR)
builder_free = F("mlreg_builder_free", None, BUILDER)
session_gc = F("mlreg_session_gc", c_int, SESSION, POINTER(GcOptions), OP, POINTER(CGcReport), ERR)
session_fsck = F("mlreg_session_fsck", c_int, SESSION, c_uint32, OP, Out(LIST), ERR)


# ---- values on their way in and out ----


def text(raw: Optional[bytes]) -> Optional[str]:
    """A string of the library; bytes that are no UTF-8 come as surrogates, as in file names."""
    return _text(raw)


def word(value: Any, what: str) -> bytes:
    """A string for the library, which ends at its first NUL: one inside is refused."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be str, not {type(value).__name__}")
    if "\0" in value:
        raise _errors.make(-2, f"{what} holds a NUL character")
    return value.encode("utf-8", "surrogateescape")


def path(value: Any, what: str) -> bytes:
    """A path for the library, from str, bytes or path object."""
    raw = os.fsencode(value)
    if b"\0" in raw:
        raise _errors.make(-2, f"{what} holds a NUL character")
    return raw


def words(values: Any, what: str) -> Tuple[Any, int]:
    """An array of strings and its length; it must be kept while the call runs. One string is no array of its letters."""
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{what} must be several str, not one {type(values).__name__}")
    raw = [] if values is None else [word(v, what) for v in values]
    return (c_char_p * len(raw))(*raw) if raw else None, len(raw)


def unsigned(value: Any, what: str, bits: int = 64) -> int:
    """An unsigned number: ctypes would take any other modulo 2**bits."""
    number = operator.index(value)
    if not 0 <= number < 2 ** bits - 1:
        raise _errors.make(-2, f"{what} must lie in 0…{2 ** bits - 2}, not be {number}")
    return number


def option(value: Any, what: str, bits: int = 32) -> int:
    """An option that is a number: None is the default, C's 0, and 0 is "none" or "no limit", C's MLREG_NONE."""
    return 0 if value is None else unsigned(value, what, bits) or 2 ** bits - 1


def flags(*chosen: Tuple[Any, int]) -> int:
    """The bits that are chosen, whatever is true."""
    return sum(bit for on, bit in chosen if on)


def pairs(of: Any) -> Iterator[Tuple[str, str]]:
    """A descriptor's annotations, keys and values."""
    key, value, i = c_char_p(), c_char_p(), 0
    while descriptor_annotation_at(of, i, ctypes.byref(key), ctypes.byref(value)) == 0:
        yield _text(key.value) or "", _text(value.value) or ""
        i += 1


def items(raw: Any) -> Iterator[Tuple[Optional[str], Any]]:
    """The names and descriptors of a list, which is freed behind the last one."""
    try:
        for i in range(list_count(raw)):
            yield _text(list_name(raw, i)), list_descriptor(raw, i)
    finally:
        list_free(raw)


def manifest(of: Any) -> bytes:
    """An artifact's manifest."""
    length = c_size_t()
    address = artifact_json(of, ctypes.byref(length))
    return ctypes.string_at(address, length.value)


def config(of: Any, op: Any) -> bytes:
    """An artifact's config."""
    return ctypes.string_at(*artifact_config(of, op))


def pointer(to: Any) -> Any:
    """A pointer to a struct, which it keeps."""
    return ctypes.pointer(to)


def move(to: int, address: int, n_bytes: int) -> None:
    """Moves bytes in memory."""
    ctypes.memmove(to, address, n_bytes)


class Buffer:
    """The memory behind any object with the buffer protocol, read-only ones included, held until `release`."""

    class _View(Structure):
        _fields_ = [("buf", c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t), ("itemsize", ctypes.c_ssize_t),
                    ("readonly", c_int), ("ndim", c_int), ("format", c_char_p), ("shape", c_void_p), ("strides", c_void_p),
                    ("suboffsets", c_void_p), ("internal", c_void_p)]

    SIMPLE, WRITABLE = 0, 1
    PIECE = 1 << 25

    def __init__(self, owner: Any, writable: bool = False) -> None:
        self._view = Buffer._View()
        flags = Buffer.WRITABLE if writable else Buffer.SIMPLE
        ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(owner), ctypes.byref(self._view), flags)
        self.address: int = self._view.buf or 0
        self.bytes: int = self._view.len
        self._held = True

    def pieces(self) -> Iterator[Tuple[int, int]]:
        """Addresses and lengths, of so many bytes each that Ctrl-C can wait for one."""
        for begin in range(0, self.bytes, Buffer.PIECE):
            yield self.address + begin, min(Buffer.PIECE, self.bytes - begin)

    def release(self) -> None:
        if self._held:
            self._held = False
            ctypes.pythonapi.PyBuffer_Release(ctypes.byref(self._view))

    def __enter__(self) -> "Buffer":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


ctypes.pythonapi.PyBuffer_Release.restype = None
