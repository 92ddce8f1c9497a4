"""_call.py - calls that take long: on a helper thread, so that Ctrl-C and progress reach the one who waits."""
from __future__ import annotations

import contextvars
import sys
import threading
from contextlib import contextmanager, nullcontext
from typing import Any, Callable, ContextManager, Generic, Iterator, List, NamedTuple, Optional, TypeVar

from . import _c
from ._errors import NotFoundError
from ._handle import Handle, must_be

T = TypeVar("T")
INTERVAL_S = 0.2


class Stats(NamedTuple):
    """How far a call is.

    ``bytes_done`` and ``bytes_total`` count content, what was there already included; ``bytes_network`` what was received and
    sent; ``bytes_reused`` what did not have to move; ``bytes_resumed`` what was not moved again after a break; ``elapsed_ms`` runs
    since the first call with this :class:`Op` began. What that was spent on adds up over threads that work at the same time:
    ``wait_ms`` until a registry answered, ``network_ms`` on the bodies, ``hash_ms`` on SHA-256, ``write_ms`` on writing files,
    ``sync_ms`` until they were on the disk.
    """

    blobs_done: int
    blobs_total: int
    requests: int
    retries: int
    bytes_done: int
    bytes_total: int
    bytes_network: int
    bytes_reused: int
    bytes_resumed: int
    elapsed_ms: int
    wait_ms: int
    network_ms: int
    hash_ms: int
    write_ms: int
    sync_ms: int


class BlobStats(NamedTuple):
    """What became of one layer or config: ``name`` is the file, else the digest; ``began_ms`` is on the clock of :class:`Stats`."""

    name: str
    bytes: int
    began_ms: int
    elapsed_ms: int


Progress = Callable[[Stats], Any]


class Op(Handle):
    """Remote control of calls that take long: pass it as ``op=``, cancel it or read its counts from any thread.

    Serves one call at a time, but may serve many after each other: counts add up. Cancelling is for good.
    """

    def __init__(self) -> None:
        super().__init__(_c.op_new(), _c.op_free)

    def cancel(self) -> None:
        """Makes the call raise :class:`CancelledError` within a second; returns at once. A signal handler may do it too."""
        with self._use() as op:
            _c.op_cancel(op)

    @property
    def stats(self) -> Stats:
        """The counts as they are now."""
        with self._use() as op:
            return _counts(op)

    @property
    def blobs(self) -> List[BlobStats]:
        """The layers and configs that are done, in the order of their ends; the first 10,000."""
        done: List[BlobStats] = []
        raw = _c.CBlobStats()
        with self._use() as op:
            while True:
                try:
                    _c.op_blob_at(op, len(done), raw)
                except NotFoundError:
                    return done
                done.append(BlobStats(_c.text(raw.name) or "", raw.bytes, raw.began_ms, raw.elapsed_ms))


def _counts(op: Any) -> Stats:
    raw = _c.CStats()
    _c.op_stats(op, raw)
    return Stats(*(getattr(raw, name) for name in Stats._fields))


Shown = Callable[[], ContextManager[Progress]]
_ambient: "contextvars.ContextVar[Optional[Shown]]" = contextvars.ContextVar("mlreg_progress", default=None)


@contextmanager
def shown_by(make: Shown) -> Iterator[None]:
    """Every long call in the block reports to a callback of its own, which `make` makes and ends."""
    token = _ambient.set(make)
    try:
        yield
    finally:
        _ambient.reset(token)


def _reporter(progress: Optional[Progress]) -> ContextManager[Optional[Progress]]:
    make = _ambient.get()
    if progress is None and make is not None:
        return make()
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    return nullcontext(progress)


_here = threading.local()


def keep(failure: BaseException) -> None:
    """For what a callback of C's raises, which has to wait until C returns: callbacks run on the thread of their call."""
    if getattr(_here, "failure", None) is None:
        _here.failure = failure


def _kept() -> Optional[BaseException]:
    failure: Optional[BaseException] = getattr(_here, "failure", None)
    _here.failure = None
    return failure


class _Work(Generic[T]):
    """One call on its helper thread. That holds all that the call uses until C is done with it, whatever becomes of the caller."""

    def __init__(self, call: Callable[[Any], T], op: Op) -> None:
        self.call, self.share = call, op._ref
        self.op = self.share.take("Op")        # for itself: who closes the Op meanwhile does not end the call
        self.unbegun = [True]                  # taken out by the thread that runs it, or by the caller who leaves before
        self.done = threading.Event()
        self.result: List[T] = []
        self.failure: Optional[BaseException] = None

    def start(self) -> None:
        if sys.is_finalizing():                # a thread that begins now never runs
            self.run()
            return
        try:
            threading.Thread(target=self.run, name="mlreg", daemon=True).start()
        except RuntimeError:                   # there is none to be had: here then
            self.run()

    def _begin(self) -> bool:
        try:
            return self.unbegun.pop()
        except IndexError:
            return False

    def run(self) -> None:
        if not self._begin():
            return
        try:
            self.result.append(self.call(self.op))
        except BaseException as failure:
            self.failure = failure
        self.share.give()
        self.failure = _kept() or self.failure
        self.done.set()

    def end(self) -> None:
        """Waits for the end, whatever else arrives. What has not begun never will."""
        if self._begin():
            self.share.give()
            return
        while not self.done.is_set():
            try:
                self.done.wait()
            except BaseException:
                continue

    def drop(self) -> None:
        """Lets go of what the call made or raised, which nobody will have."""
        self.failure = None
        for made in self.result:
            close = getattr(made, "close", None)
            if close is not None:
                close()

    def outcome(self) -> T:
        failure, self.failure = self.failure, None
        if failure is None:
            return self.result.pop()
        self.drop()
        try:
            raise failure
        finally:
            del failure                        # it and its traceback's frames would keep each other


def _watch(work: "_Work[T]", op: Any, progress: Optional[Progress]) -> None:
    while not work.done.wait(None if progress is None else INTERVAL_S):
        assert progress is not None
        progress(_counts(op))
    if progress is not None:
        progress(_counts(op))


def run(call: Callable[[Any], T], op: Optional[Op] = None, progress: Optional[Progress] = None) -> T:
    """Runs ``call(op pointer)`` where it cannot keep Ctrl-C from the caller, and gives what it gives.

    `call` itself takes the handles and buffers that it uses, and makes its result something that frees itself: a caller who is
    interrupted may be gone before it ends. `progress` is called on the calling thread, five times a second and once at the end;
    what it raises cancels the call and comes out of here, as a KeyboardInterrupt does, and as does what a callback raised.
    """
    own = Op() if op is None else must_be(Op, op, "op")
    with _reporter(progress) as report, own._use() as pointer:
        work = _Work(call, own)
        try:
            work.start()
            _watch(work, pointer, report)
        except BaseException:
            _c.op_cancel(pointer)
            work.end()
            work.drop()
            raise
    if op is None:
        own.close()
    return work.outcome()


class Caller(Handle):
    """A handle with calls that take long."""

    def _run(self, call: Callable[[Any, Any], T], op: Optional[Op], progress: Optional[Progress] = None) -> T:
        """As :func:`run`, with ``call(this handle's pointer, op pointer)``."""
        def long(o: Any) -> T:
            with self._use() as pointer:
                return call(pointer, o)
        self._renew()
        return run(long, op, progress)
