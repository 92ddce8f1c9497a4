"""goals.py - what a work is to reach, and the rows that it becomes in the table. A goal is judged and never enforced."""
import dataclasses
import statistics

OURS = "mlreg"
MIB = 1 << 20


@dataclasses.dataclass
class Row:
    work: str
    what: str                      # with its unit
    ours: float
    theirs: dict                   # by program
    ratio: float | None            # to the best peer
    goal: str
    met: bool | None               # None: what it compares with is not here


def median(runs, value):
    return statistics.median(value(f) for f in runs)


def medians(results, value):
    """(ours, {peer: theirs}) of what was measured."""
    all_of_them = {name: median(runs, value) for name, runs in results.items() if runs}
    return all_of_them.pop(OURS, None), all_of_them


@dataclasses.dataclass
class Against:
    """Ours to the best of some peers: so many times as fast, or with at most so much of the processor."""

    among: tuple
    times: float
    who: str = "best of oras, crane, regctl"
    cpu: bool = False

    def row(self, work, results):
        gb = work.model.bytes / 1e9
        value = (lambda f: f.cpu / gb) if self.cpu else (lambda f: f.wall)
        ours, theirs = medians(results, value)
        rivals = {name: theirs[name] for name in self.among if name in theirs}
        ratio = None
        if ours and rivals:                 # from pairs of one round: what the machine did then, it did to both
            best = min(rivals, key=rivals.get)
            pairs = [(value(a), value(b)) for a, b in zip(results[OURS], results[best])]
            ratio = statistics.median((a / b if self.cpu else b / a) if a and b else 0.0 for a, b in pairs)
        goal = f"{'≤' if self.cpu else '≥'} {self.times:g} × {self.who}"
        met = None if ratio is None else ratio <= self.times if self.cpu else ratio >= self.times
        return Row(work.name, "CPU s/GB" if self.cpu else "s", ours, theirs, ratio, goal, met)


@dataclasses.dataclass
class Bound:
    """A figure that has a limit of its own, whatever others do."""

    what: str
    value: object                  # (work, figures) -> number
    goal: str
    met: object                    # (work, number, our runs) -> bool

    def row(self, work, results):
        ours, theirs = medians(results, lambda f: self.value(work, f))
        return Row(work.name, self.what, ours, theirs, None, self.goal, None if ours is None else bool(self.met(work, ours, results[OURS])))


def little_of(what, value, goal):
    """Next to nothing beside the model: a tenth, and what any program needs."""
    return Bound(what, lambda work, f: value(f) / MIB, goal, lambda work, n, runs: n <= work.model.bytes / MIB / 10 + 4)


def memory_row(all_results, limit_mib=64):
    """The highest peak of every program, over all that was measured."""
    most = {}
    for results in all_results:
        for name, runs in results.items():
            most[name] = max([most.get(name, 0.0)] + [f.memory / MIB for f in runs])
    ours = most.pop(OURS, None)
    return Row("memory", "peak MiB", ours, {n: m for n, m in most.items() if m}, None, f"≤ {limit_mib} MiB", None if ours is None else ours <= limit_mib)
