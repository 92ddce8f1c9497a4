"""_handle.py - what holds a handle of the library: closed once, by whoever comes last, never while a call uses it."""
from __future__ import annotations

import os
import threading
import weakref
from contextlib import contextmanager, nullcontext
from typing import Any, Callable, ContextManager, Iterator, NoReturn, Type, TypeVar

from . import _errors

T = TypeVar("T")
Self = TypeVar("Self", bound="Handle")


def must_be(kind: Type[T], value: Any, what: str) -> T:
    """The value, if it is of that kind: a handle of another kind must not come near the library."""
    if not isinstance(value, kind):
        raise TypeError(f"{what} must be {kind.__name__}, not {type(value).__name__}")
    return value


class _Ref:
    """A pointer and those who use it now. It must not refer to the object that holds it, which could then never go.

    A signal handler may come in between any two steps, and use or close the same one: its lock lets its own thread in, and no
    step is wrong halfway.
    """

    def __init__(self, pointer: Any, free: Callable[[Any], Any]) -> None:
        self.pointer, self.free = pointer, free
        self.unfreed = [pointer]             # taken out by the one who frees it
        self.lock = threading.RLock()
        self.users = 0
        self.closed = False
        self.pid = os.getpid()

    @property
    def foreign(self) -> bool:
        """In a forked child: it is the parent's, and a thread that is not here may hold the lock for ever."""
        return self.pid != os.getpid()

    def take(self, name: str) -> Any:
        if not self.closed:
            with self.lock:
                self.users += 1
            if not self.closed:              # asked again: from here on nobody frees it
                return self.pointer
            self.give()
        raise _errors.state(f"this {name} is closed")

    def give(self) -> None:
        if self.foreign:
            return
        with self.lock:
            self.users -= 1
        self._free_unused()

    def close(self) -> None:
        self.closed = True
        if not self.foreign:
            self._free_unused()

    def _free_unused(self) -> None:
        with self.lock:
            unused = self.closed and self.users == 0
        if unused:
            try:
                pointer = self.unfreed.pop()
            except IndexError:               # somebody else was here first
                return
            self.free(pointer)


class Handle:
    """Base of everything that the library lends: a context manager, closed at the latest when nobody refers to it.

    Closing while another thread is inside a call lets that call end first. Closing twice is fine. It can be neither copied nor
    pickled.
    """

    _in_turn = False                         # True: C takes one call at a time

    def __init__(self, pointer: Any, free: Callable[[Any], Any]) -> None:
        self._hold(pointer, free)

    def _hold(self, pointer: Any, free: Callable[[Any], Any]) -> None:
        self._ref = _Ref(pointer, free)
        self._turn: ContextManager[Any] = threading.Lock() if self._in_turn else nullcontext()
        self._finalizer = weakref.finalize(self, self._ref.close)

    @contextmanager
    def _use(self) -> Iterator[Any]:
        """The pointer, which stays valid until the block ends."""
        self._renew()
        ref = self._ref
        pointer = ref.take(type(self).__name__.lstrip("_"))
        try:
            with self._turn:
                yield pointer
        finally:
            ref.give()

    def _renew(self) -> None:
        if self._ref.foreign and not self.closed:
            self._reopen()

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

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} can be neither copied nor pickled: open another one")
