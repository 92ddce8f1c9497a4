"""_handle.py - what holds a handle of the library: closed once, by whoever comes last, never while a call uses it."""
from __future__ import annotations

import os
import threading
import weakref
from contextlib import contextmanager
from typing import Any, Callable, Iterator, TypeVar

from . import _errors

Self = TypeVar("Self", bound="Handle")


class _Ref:
    """A pointer and those who use it now. It must not refer to the object that holds it, which could then never go."""

    def __init__(self, pointer: Any, free: Callable[[Any], Any]) -> None:
        self.pointer, self.free = pointer, free
        self.lock = threading.Lock()
        self.users = 0
        self.closed = False
        self.pid = os.getpid()

    def take(self, name: str) -> Any:
        with self.lock:
            if self.closed:
                raise _errors.state(f"this {name} is closed")
            self.users += 1
        return self.pointer

    def give(self) -> None:
        with self.lock:
            self.users -= 1
            last = self.closed and self.users == 0
        if last:
            self.free(self.pointer)

    def close(self) -> None:
        if self.pid != os.getpid():      # in a forked child the lock may be held by a thread that is not here
            self.closed = True
            return
        with self.lock:
            last = not self.closed and self.users == 0
            self.closed = True
        if last:
            self.free(self.pointer)


class Handle:
    """Base of everything that the library lends: a context manager, closed at the latest when nobody refers to it.

    Closing while another thread is inside a call lets that call end first. Closing twice is fine.
    """

    def __init__(self, pointer: Any, free: Callable[[Any], Any]) -> None:
        self._hold(pointer, free)

    def _hold(self, pointer: Any, free: Callable[[Any], Any]) -> None:
        self._ref = _Ref(pointer, free)
        self._pid = os.getpid()
        self._finalizer = weakref.finalize(self, self._ref.close)

    @contextmanager
    def _use(self) -> Iterator[Any]:
        """The pointer, which stays valid until the block ends."""
        if self._pid != os.getpid() and not self.closed:
            self._reopen()
        ref = self._ref
        pointer = ref.take(type(self).__name__)
        try:
            yield pointer
        finally:
            ref.give()

    def _reopen(self) -> None:
        """In a forked child, where the parent's handles are of no use."""
        raise _errors.state(f"this {type(self).__name__} was opened before fork(): open another one in the child")

    @property
    def closed(self) -> bool:
        """True once :meth:`close` was called."""
        return self._ref.closed

    def close(self) -> None:
        """Lets go of it; every later call raises :class:`StateError`."""
        self._finalizer()

    def __enter__(self: Self) -> Self:
        if self.closed:
            raise _errors.state(f"this {type(self).__name__} is closed")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
