"""table.py - the matrix as it is printed: one table of cells with its notes, one of what registries can do."""
from peers import artifacts
from peers.cells import LAYOUT, STORE, WRITTEN
from peers.faults import FAULTS
from peers.servers import FACTS

FIRST, WIDTH = 30, 7
SHOWN = {"ok": "ok", "later": "·", "skipped": "-", "known": "!"}


class Notes:
    """Texts by number, each once."""

    def __init__(self):
        self.texts = []

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def shown(cell, notes):
    if cell.state == "known":
        return "!" + cell.why
    if cell.state == "skipped":
        return f"-{notes.number(cell.why)}"
    return "FAILED" if cell.state == "FAILED" else SHOWN[cell.state]


def line(first, cells):
    return f"{first:<{FIRST}}" + "".join(f"{c:<{WIDTH}}" for c in cells).rstrip()


def registries(there):
    """The names of the registries, each over its columns."""
    text, last = "", None
    for at, s in enumerate(there):
        if s.registry != last:
            text = text[:max(0, at * WIDTH - 1)].ljust(at * WIDTH) + s.registry
        last = s.registry
    return " " * FIRST + text


def of_cells(rows, there):
    notes, out = Notes(), [registries(there), line("", [s.way for s in there] + [LAYOUT, STORE, WRITTEN])]
    for row in rows:
        out.append(line(f"{row.client + ' ' + row.version:<16.16} {row.kind}", [shown(c, notes) for c in row.cells.values()]))
    states = [c.state for row in rows for c in row.cells.values()]
    out += ["", f"{states.count('ok')} ok, {states.count('FAILED')} failed, {states.count('known')} known faults of peers (!), "
            f"{states.count('skipped')} skipped (-), {states.count('later')} only with --all (·)"]
    out += [f"-{n}: {text}" for n, text in enumerate(notes.texts, 1)]
    out += [f"!{n}: {FAULTS[n - 1].client}: {FAULTS[n - 1].why}" for n in sorted({int(c.why) for row in rows for c in row.cells.values() if c.state == "known"})]
    out += [f"FAILED {row.client} {row.kind} {column}: {cell.why}" for row in rows for column, cell in row.cells.items() if cell.state == "FAILED"]
    kinds = {row.kind for row in rows}
    out += ["", *(f"{kind}: {what}" for kind, (what, _) in artifacts.KINDS.items() if kind in kinds), "own: what the client makes by its own commands", ""]
    return "\n".join(out)


def of_facts(facts, there):
    notes, out = Notes(), [registries(there), line("what it can do", [s.way for s in there])]
    for fact, what in FACTS.items():
        answers = [facts[s.name][fact] for s in there]
        out.append(line(what, ["yes" if a == "yes" else f"no {notes.number(a.removeprefix('no: '))}" for a in answers]))
    return "\n".join(out + [f"{n}: {text}" for n, text in enumerate(notes.texts, 1)])
