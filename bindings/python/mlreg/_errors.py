"""_errors.py - one exception for each code of the library."""
from __future__ import annotations

import errno
from typing import Dict, Optional, Type


class Error(Exception):
    """What went wrong, where, and what to do.

    Attributes:
        code: the library's number for it (``MLREG_E…`` of ``mlreg.h``), always negative.
        message: what happened, in one line.
        subject: what it happened to: a reference, digest or path.
        place: where: the location of the end of a copy that failed.
        http_status: of the answer behind it; 0 if there was none.
        registry_code: the registry's own word, such as ``"MANIFEST_UNKNOWN"``.
        hint: what to do now, in one line.

    Those that are an :class:`OSError` too have its ``errno``, where that has a number for them.
    """

    code: int = 0
    message: str = ""
    subject: Optional[str] = None
    place: Optional[str] = None
    http_status: int = 0
    registry_code: Optional[str] = None
    hint: Optional[str] = None

    def __str__(self) -> str:
        text = self.message or super().__str__()
        return f"{text} ({self.hint})" if self.hint else text


class NoMemoryError(Error, MemoryError):
    """Out of memory."""


class InvalidError(Error, ValueError):
    """An argument that breaks a rule; the message says which."""


class StateError(Error, ValueError):
    """A call out of order: on what is closed, committed, or was opened by the parent process."""


class StructError(Error):
    """The shared library is older than this package and lacks an option that was used."""


class NotFoundError(Error, FileNotFoundError):
    """No such repository, tag, digest, layer, store or folder."""


class ExistsError(Error, FileExistsError):
    """It is there already: a tag that names something else, a folder where a file goes."""


class AuthError(Error):
    """The registry wants other credentials; the hint says where they were looked for."""


class DeniedError(Error, PermissionError):
    """Not allowed: by the registry, the file system, or because the place is read-only."""


class NetworkError(Error, ConnectionError):
    """The network failed: call again, what arrived verified is not fetched twice."""


class TimedOutError(Error, TimeoutError):
    """Nothing moved for too long: call again, what arrived verified is not fetched twice."""


class CancelledError(Error):
    """The call was cancelled through its :class:`~mlreg.Op`."""


class ProtocolError(Error):
    """Malformed data from a registry, a store or a file."""


class DigestError(Error):
    """Content does not match its digest; nothing of it was kept."""


class LocalIOError(Error, OSError):
    """The disk or the file system failed."""


class PolicyError(Error):
    """Refused by policy."""


class BusyError(Error):
    """Locked by another process."""


class LimitError(Error):
    """Over a limit, which the message names."""


class NotSupportedError(Error, NotImplementedError):
    """This place, or this build of the library, cannot do that."""


BY_CODE: Dict[int, Type[Error]] = {
    -1: NoMemoryError, -2: InvalidError, -3: StateError, -4: StructError, -5: NotFoundError, -6: ExistsError,
    -7: AuthError, -8: DeniedError, -9: NetworkError, -10: TimedOutError, -11: CancelledError, -12: ProtocolError,
    -13: DigestError, -14: LocalIOError, -15: PolicyError, -16: BusyError, -17: LimitError, -18: NotSupportedError,
}


ERRNO = {NotFoundError: errno.ENOENT, ExistsError: errno.EEXIST, DeniedError: errno.EACCES, TimedOutError: errno.ETIMEDOUT,
         LocalIOError: errno.EIO}


def make(code: int, message: str) -> Error:
    """An exception of the class that `code` stands for."""
    error = BY_CODE.get(code, Error)(message)
    error.code, error.message = code, message
    if isinstance(error, OSError):
        error.errno, error.strerror = ERRNO.get(type(error)), message
    return error


def state(message: str) -> StateError:
    """A call on what is closed or not ready, as the library would say it."""
    error = make(-3, message)
    assert isinstance(error, StateError)
    return error
