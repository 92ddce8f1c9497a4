"""_tensors.py - a mapped safetensors file as tensors of torch or numpy."""
from __future__ import annotations

import json
import math
import mmap
from typing import Any, Callable, Dict, Tuple

from . import _errors
from ._artifact import Artifact

ACCESS = mmap.ACCESS_COPY            # writable for torch, and nobody else sees what is written
HEADER_MAX_BYTES = 100_000_000       # the format's own limit

# type name: (bytes, torch's, numpy's), None where it has none
TYPES = {
    "F64": (8, "float64", "f8"), "F32": (4, "float32", "f4"), "F16": (2, "float16", "f2"), "BF16": (2, "bfloat16", None),
    "I64": (8, "int64", "i8"), "I32": (4, "int32", "i4"), "I16": (2, "int16", "i2"), "I8": (1, "int8", "i1"),
    "U64": (8, "uint64", "u8"), "U32": (4, "uint32", "u4"), "U16": (2, "uint16", "u2"), "U8": (1, "uint8", "u1"), "BOOL": (1, "bool", "?"),
    "F8_E4M3": (1, "float8_e4m3fn", None), "F8_E5M2": (1, "float8_e5m2", None), "F8_E8M0": (1, "float8_e8m0fnu", None),
    "F8_E4M3FNUZ": (1, "float8_e4m3fnuz", None), "F8_E5M2FNUZ": (1, "float8_e5m2fnuz", None), "C64": (8, "complex64", "c8"),
}
Maker = Callable[[memoryview, str, Tuple[int, ...]], Any]


def _wrong(file: str, why: str) -> _errors.Error:
    return _errors.make(-12, f"{file} is no safetensors file: {why}")


def map_layer(model: Artifact, file: str) -> memoryview:
    """The file, mapped; an empty one cannot be."""
    if file in model.files and model.file_range(file)[1] == 0:
        raise _wrong(file, "it is empty")
    return model.view(file, ACCESS)


def _header(mapped: memoryview, file: str) -> Tuple[Dict[str, Any], int]:
    if len(mapped) < 8:
        raise _wrong(file, f"it has {len(mapped)} bytes")
    size = int.from_bytes(mapped[:8], "little")
    if size > min(HEADER_MAX_BYTES, len(mapped) - 8):
        raise _wrong(file, f"its header is said to have {size} bytes")
    try:
        parsed = json.loads(bytes(mapped[8:8 + size]).decode("utf-8"))
    except (ValueError, RecursionError) as why:
        raise _wrong(file, f"its header is no JSON ({why})") from None
    if not isinstance(parsed, dict):
        raise _wrong(file, "its header is no JSON object")
    return parsed, 8 + size


def _entry(file: str, name: str, entry: Any, room: int) -> Tuple[str, Tuple[int, ...], int, int]:
    """Type, shape, begin and end (bytes behind the header) of one tensor."""
    try:
        kind, shape, (begin, end) = str(entry["dtype"]), tuple(entry["shape"]), entry["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise _wrong(file, f"tensor '{name}' is not described") from None
    if not all(isinstance(n, int) and 0 <= n < 1 << 63 for n in (*shape, begin, end)) or not begin <= end <= room:
        raise _wrong(file, f"tensor '{name}' lies outside of it")
    if kind not in TYPES:
        raise _errors.make(-18, f"tensor '{name}' of {file} has the unknown type {kind}")
    if math.prod(shape) * TYPES[kind][0] != end - begin:
        raise _wrong(file, f"tensor '{name}' has another size than its shape says")
    return kind, shape, begin, end


def _with_torch(torch: Any) -> Maker:
    def make(data: memoryview, kind: str, shape: Tuple[int, ...]) -> Any:
        dtype = getattr(torch, TYPES[kind][1], None)
        if dtype is None:
            raise _errors.make(-18, f"this torch has no type {kind}")
        return torch.frombuffer(data, dtype=dtype).reshape(shape) if len(data) else torch.empty(shape, dtype=dtype)
    return make


def _with_numpy(numpy: Any) -> Maker:
    def make(data: memoryview, kind: str, shape: Tuple[int, ...]) -> Any:
        code = TYPES[kind][2]
        if code is None:
            raise _errors.make(-18, f"numpy has no type {kind}: install torch")
        dtype = numpy.dtype(code if code == "?" else "<" + code)
        return numpy.frombuffer(data, dtype=dtype).reshape(shape)
    return make


def maker() -> Maker:
    """What makes tensors on this machine."""
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
        return _with_torch(torch)
    except ImportError:
        pass
    try:
        import numpy  # type: ignore[import-not-found,unused-ignore]
    except ImportError as missing:
        raise ImportError("tensors need torch or numpy, and neither is installed") from missing
    return _with_numpy(numpy)


def read(mapped: memoryview, file: str, make: Maker) -> Dict[str, Any]:
    """Every tensor of the file; each keeps the mapping alive."""
    header, start = _header(mapped, file)
    view = mapped[start:]
    found: Dict[str, Any] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        kind, shape, begin, end = _entry(file, name, entry, len(view))
        try:
            found[name] = make(view[begin:end], kind, shape)
        except _errors.Error:
            raise
        except (ValueError, TypeError, OverflowError, RuntimeError) as why:      # more dimensions than it knows, for one
            raise _wrong(file, f"tensor '{name}' cannot be made here ({why})") from why
    return found
