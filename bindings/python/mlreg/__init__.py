"""Build, push, pull, stream and verify machine-learning models in OCI registries and in a local store.

>>> import mlreg
>>> with mlreg.Session("memory:") as place, place.build() as builder:
...     _ = builder.add_bytes(b"the weights", "model.bin")
...     model = builder.commit("team/tiny:v1")
>>> sorted(model.files)
['model.bin']
>>> with model.open("model.bin") as layer:
...     layer.read()
b'the weights'

In one call each: :func:`pull`, :func:`push`, :func:`load`. Every exception is an :class:`Error`; calls that take long can be
interrupted (Ctrl-C), cancelled (:class:`Op`) and watched (:func:`progress`).
"""
from . import _c
from ._artifact import Artifact, Descriptor
from ._builder import Builder
from ._call import BlobStats, Op, Stats
from ._content import Upload
from ._errors import (AuthError, BusyError, CancelledError, DeniedError, DigestError, Error, ExistsError, InvalidError, LimitError,
                      LocalIOError, NetworkError, NoMemoryError, NotFoundError, NotSupportedError, PolicyError, ProtocolError,
                      StateError, StructError, TimedOutError)
from ._hub import default_store, load, pull, push
from ._progress import progress
from ._session import Can, GcReport, Name, Runtime, Session, Variant, Wish, host
from ._stream import Layer

__version__ = _c.version_text(_c.version())

__all__ = [
    "Artifact", "AuthError", "BlobStats", "Builder", "BusyError", "Can", "CancelledError", "DeniedError", "Descriptor", "DigestError", "Error",
    "ExistsError", "GcReport", "InvalidError", "Layer", "LimitError", "LocalIOError", "Name", "NetworkError", "NoMemoryError",
    "NotFoundError", "NotSupportedError", "Op", "PolicyError", "ProtocolError", "Runtime", "Session", "StateError", "Stats",
    "StructError", "TimedOutError", "Upload", "Variant", "Wish", "__version__", "default_store", "host", "load", "progress", "pull", "push",
]
