"""_call.py - calls that take long: on a helper thread, so that Ctrl-C and progress reach the one who waits."""
from __future__ import annotations

import contextvars
import threading
from contextlib import contextmanager
from typing import Any, Callable, Generic, Iterator, List, NamedTuple, Optional, TypeVar

from . import _c
from ._errors import NotFoundError
from ._handle import Handle

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
        """Makes the call raise :class:`CancelledError` within a second; returns at once."""
        with self._use() as op:
            _c.op_cancel(op)

    @property
    def stats(self) -> Stats:
        """The counts as they are now."""
        raw = _c.CStats()
        with self._use() as op:
            _c.op_stats(op, raw)
        return Stats(*(getattr(raw, name) for name in Stats._fields))

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
                done.append(BlobStats(raw.name.decode(), raw.bytes, raw.began_ms, raw.elapsed_ms))


_ambient: "contextvars.ContextVar[Optional[Callable[[], Progress]]]" = contextvars.ContextVar("mlreg_progress", default=None)


@contextmanager
def shown_by(make: Callable[[], Progress]) -> Iterator[None]:
    """Every long call in the block reports to a callback of its own, made by `make`."""
    token = _ambient.set(make)
    try:
        yield
    finally:
        _ambient.reset(token)


_here = threading.local()


def keep(failure: BaseException) -> None:
    """For what a callback of C's raises, which has to wait until C returns: callbacks run on the thread of their call."""
    if getattr(_here, "failure", None) is None:
        _here.failure = failure


class _Work(Generic[T]):
    """One call on its helper thread."""

    def __init__(self, call: Callable[[Any], T], op: Any) -> None:
        self.call, self.op = call, op
        self.done = threading.Event()
        self.result: List[T] = []
        self.failure: Optional[BaseException] = None
        threading.Thread(target=self.run, name="mlreg", daemon=True).start()

    def run(self) -> None:
        try:
            self.result.append(self.call(self.op))
        except BaseException as failure:
            self.failure = failure
        self.failure = getattr(_here, "failure", None) or self.failure
        self.done.set()

    def end(self) -> None:
        """Waits for the end, whatever else arrives: what the call uses must outlive it."""
        while not self.done.is_set():
            try:
                self.done.wait()
            except BaseException:
                continue


def _watch(work: "_Work[T]", op: Op, progress: Optional[Progress]) -> None:
    while not work.done.wait(None if progress is None else INTERVAL_S):
        assert progress is not None
        progress(op.stats)
    if progress is not None:
        progress(op.stats)


def run(call: Callable[[Any], T], op: Optional[Op] = None, progress: Optional[Progress] = None) -> T:
    """Runs ``call(op pointer)`` where it cannot keep Ctrl-C from the caller, and gives what it gives.

    `progress` is called on the calling thread, five times a second and once at the end; what it raises cancels the call and
    comes out of here, as a KeyboardInterrupt does, and as does what a callback raised meanwhile.
    """
    own = op if op is not None else Op()
    make = _ambient.get()
    if progress is None and make is not None:
        progress = make()
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    with own._use() as pointer:
        work = _Work(call, pointer)
        try:
            _watch(work, own, progress)
        except BaseException:
            own.cancel()
            work.end()
            raise
    if op is None:
        own.close()
    if work.failure is not None:
        raise work.failure
    return work.result[0]
