"""_progress.py - progress for people: a tqdm bar where tqdm is installed, else a line now and then on stderr."""
from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional, TextIO

from ._call import Progress, Shown, Stats, shown_by

LINE_EVERY_S = 5.0


@contextmanager
def _bar(tqdm: Callable[..., Any], file: Optional[TextIO]) -> Iterator[Progress]:
    """One bar, which appears when there are bytes to show: most calls have none."""
    bar: Any = None

    def show(stats: Stats) -> None:
        nonlocal bar
        if bar is None and stats.bytes_total:
            bar = tqdm(file=file, unit="B", unit_scale=True, unit_divisor=1000)
        if bar is not None:
            bar.total = stats.bytes_total
            bar.update(stats.bytes_done - bar.n)
    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


@contextmanager
def _lines(out: TextIO) -> Iterator[Progress]:
    shown = time.monotonic()

    def show(stats: Stats) -> None:
        nonlocal shown
        now, whole = time.monotonic(), stats.bytes_total and stats.bytes_done >= stats.bytes_total
        if stats.bytes_done and (whole or now - shown >= LINE_EVERY_S):
            shown = now
            out.write(f"{stats.bytes_done / 1e6:.1f} of {stats.bytes_total / 1e6:.1f} MB, {stats.elapsed_ms / 1e3:.1f} s\n")
            out.flush()
    yield show


def _maker(file: Optional[TextIO]) -> Shown:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return lambda: _lines(file or sys.stderr)
    return lambda: _bar(tqdm, file)


@contextmanager
def progress(file: Optional[TextIO] = None) -> Iterator[None]:
    """Shows how far every long call in the block is that this thread or task makes, on `file` (default: stderr).

    >>> import mlreg
    >>> with mlreg.Session("memory:") as place, place.build() as builder, mlreg.progress():
    ...     model = builder.add_bytes(b"the weights", "model.bin").commit("team/tiny:v1")
    """
    with shown_by(_maker(file)):
        yield
