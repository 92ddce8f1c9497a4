"""report.py - what a work cost each program, and the one table."""
import dataclasses

from bench.goals import MIB, OURS, median
from bench.measure import FIGURES
from bench.programs import PEERS

STEAL_PERCENT_MUCH = 5
OTHERS_PERCENT_MUCH = 10


def number(value):
    if value is None:
        return "-"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def lines(cells, left):
    """Columns; those in `left` begin at the left, figures end at the right."""
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    for line in cells:
        yield "  ".join(cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths))).rstrip()


def cost(work, results, failures):
    """What each program needed for one work: medians."""
    gb = work.model.bytes / 1e9
    yield f"\n{work.name}: {work.what} ({len(work.model.layers)} × {work.model.layers[0]['size'] / MIB:g} MiB)"
    rows = [["", "s", "GB/s", "CPU s/GB", "peak MiB", "read MiB", "written MiB", "sent MiB", "received MiB", "requests", "connections"]]
    for name, runs in results.items():
        if not runs:
            continue
        m = {key: median(runs, lambda f, k=key: getattr(f, k)) for key in FIGURES}
        counted = [number(m["sent"] / MIB), number(m["received"] / MIB), f"{m['requests']:.0f}", f"{m['most_open']:.0f}"] if m["requests"] else ["-"] * 4
        rows.append([name, f"{m['wall']:.2f}", f"{gb / m['wall']:.2f}", f"{m['cpu'] / gb:.2f}", number(m["memory"] / MIB or None), number(m["read"] / MIB), number(m["written"] / MIB), *counted])
    yield from ("  " + line for line in lines(rows, {0}))
    for name, why in failures.items():
        yield f"  {name} failed: {why}"


def table(rows):
    """The one table: each row a work and a goal."""
    peers = [p for p in PEERS if any(p in row.theirs for row in rows)]
    cells = [["work", "what", OURS, *peers, "ratio", "goal", "met"]]
    for row in rows:
        cells.append([row.work, row.what, number(row.ours), *(number(row.theirs.get(p)) for p in peers), number(row.ratio), row.goal, {True: "yes", False: "NO", None: "-"}[row.met]])
    yield from lines(cells, {0, 1, len(cells[0]) - 2})


def machine(facts):
    yield (f"{facts['cores']} cores; the processor's help for SHA-256: {facts['sha256']}; load before: {facts['load_before']}; steal: {facts['steal_percent']} % of the "
           f"time wanted; other programs here, and the kernel itself: {facts['others_percent']} % of the time used")
    if facts["steal_percent"] > STEAL_PERCENT_MUCH or facts["others_percent"] > OTHERS_PERCENT_MUCH:
        yield "others took much of this machine's time: these figures say little"


def as_json(args, works, rows, facts):
    """Everything, each run too."""
    return {"mib": args.mib, "runs": args.runs, "machine": facts, "table": [dataclasses.asdict(row) for row in rows],
            "works": {name: {"bytes": size, "programs": {p: [dataclasses.asdict(f) for f in runs] for p, runs in results.items()}, "failures": failures}
                      for name, (size, results, failures) in works.items()}}
