#!/usr/bin/env python3
"""manual.py HEADER DIR - the public header's comments as manual pages: DIR/man3/mlreg.3, mlreg-CHAPTER.3, FUNCTION.3.

What a comment says is neither added to nor left out; how it is written is what mlreg.h shows: a contract in front, chapters
with a banner, above each function "/** …  @param …  @return … or Codes: …. SPEC. Since V. */".
"""
import os
import pathlib
import re
import sys
import time
from typing import NamedTuple

BANNER = re.compile(r"/\* ---- ([\w ]+?) -+(?:\n \* (.*?))? ?\*/\n", re.S)
INSIDE = r"(?:(?!\*/).)*"
DECLARATION = re.compile(
    rf"/\*\* (?P<doc>{INSIDE}) ?\*/\n(?P<head>MLREG_API .*?;|typedef [^{{;]*\(\*.*?;)|/\* (?P<note>[^*-]{INSIDE}) \*/\n(?=typedef)"
    rf"|(?P<type>typedef struct \w+ \{{.*?\}} \w+;|typedef struct \w+ +\w+;|enum \{{.*?\}};|#define MLREG_(?:VERSION|INIT|NONE)\b[^\n/]*)"
    rf"(?P<behind> */\* {INSIDE} \*/)?", re.S)
PROTOTYPE = re.compile(r"MLREG_API (.*?[ *])(mlreg_\w+)\((.*)\);", re.S)
SINCE = re.compile(r"\s*Since ([\d.]+)\.$")
SPEC = re.compile(r'\s*(OCI [\w-]+-spec [\d.]+(?:, "[^"]+")+\.)')
CODES = re.compile(r'\s*Codes: (.*?)\.(?= [A-Z"`]|$)', re.M)
GENERAL = "Codes are negative and written here without MLREG_; mlreg-errors(3) lists them, mlreg(3) says which any call may return."


class Function(NamedTuple):
    name: str
    result: str
    arguments: list
    text: list          # paragraphs
    parameters: list    # (name, what it is)
    returns: str
    spec: str
    since: str


class Type(NamedTuple):
    names: frozenset    # what a text says that means it
    code: str


class Chapter(NamedTuple):
    title: str
    text: str
    functions: list
    types: list

    @property
    def page(self):
        return "mlreg-" + self.title.split()[0]


# ---- reading ----

def flat(comment):
    """A comment's text without its stars, one line a paragraph."""
    lines = re.sub(r"^ \* ?", "", comment, flags=re.M).split("\n")
    return [" ".join(p.split()) for p in "\n".join(line.rstrip() for line in lines).split("\n\n") if p.strip()]


def cut(pattern, text):
    """What the pattern finds, and the text without it."""
    found = pattern.search(text)
    return (found.group(1), text[:found.start()] + text[found.end():]) if found else ("", text)


def function(doc, head):
    result, name, arguments = PROTOTYPE.match(head).groups()
    since, text = cut(SINCE, "\n".join(flat(doc)))
    spec, text = cut(SPEC, text)
    body, *tags = re.split(r"(?:^| )@(?=param |return )", text, flags=re.M)
    codes, body = cut(CODES, body)
    returns = [tag[len("return "):] for tag in tags if tag.startswith("return ")]
    if codes:
        returns = [("Bytes" if "int64" in result else "0") + f"; {codes}."]
    return Function(name, result.strip(), [" ".join(a.split()) for a in arguments.split(",")], [p.strip() for p in body.split("\n") if p.strip()],
                    [tag.split(" ", 2)[1:] for tag in tags if tag.startswith("param ")], "".join(returns).strip(), spec, since)


def type_of(found, note):
    """A struct or callback is known by its name, constants by theirs; a handle says nothing that its own chapter does not."""
    code, comment = found["head"] or found["type"], note or found["doc"]
    name = re.search(r"^typedef [^{}]*\(\*(\w+)\)|\} (\w+);$", code)
    names = [name.group(1) or name.group(2)] if name else re.findall(r"\bMLREG_\w+\b", re.sub(rf"/\*{INSIDE}\*/", "", code, flags=re.S))
    return Type(frozenset(names), (f"/* {comment.strip()} */\n" if comment else "") + code + (found["behind"] or ""))


def chapter(title, text, code):
    c, note = Chapter(title, " ".join(flat(text or "")), [], []), None
    for found in DECLARATION.finditer(code):
        if (found["head"] or "").startswith("MLREG_API"):
            c.functions.append(function(found["doc"], found["head"]))
        elif not found["note"]:
            c.types.append(type_of(found, note))
        note = found["note"]
    return c


def read(header):
    """The contract's (label, text) pairs, its program, and the chapters."""
    top, rest = header.split(" */\n", 1)
    contract, about, program = re.match(r".*?\n \*\n(.*?) \*\n \* (A whole program.*?)\n \*\n(.*)", top, re.S).groups()
    labelled = [(label, " ".join(text.replace("\n *", " ").split())) for label, text in
                re.findall(r"^ \* ([A-Z]+) +(.*?)(?=^ \* [A-Z]|\Z)", contract, re.S | re.M)]
    parts = BANNER.split(rest)
    chapters = [chapter("version", "What this header, and the library behind it, are.", parts[0])]
    chapters += [chapter(*parts[i:i + 3]) for i in range(1, len(parts), 3)]
    return labelled, about, re.sub(r"^ \* {0,5}", "", program, flags=re.M), chapters


# ---- writing ----

def safe(text):
    text = text.replace("\\", "\\e")
    return "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in text)


def prose(text):
    """Running text: a line for each sentence, code in italics, names of functions in bold."""
    text = re.sub(r"(?<![\w\\])(?=\w*_|[A-Z]{5})", r"\\%", safe(text))       # names are not hyphenated
    text = re.sub(r"`([^`]+)`", r"\\fI\1\\fP", text)
    text = re.sub(r"(?<!\w)(mlreg_\w+)(\(\)|\b(?!\*))", r"\\fB\1\\fP\2", text)
    lines = re.sub(r"(?<=[.?!]) (?=[A-Z\"\\])", "\n", text).split("\n")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in lines)


def literal(code):
    lines = safe(code).replace("-", "\\-").rstrip("\n").split("\n")
    return ".Bd -literal\n" + "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in lines) + "\n.Ed\n"


def tagged(pairs, macro="Fa"):
    return ".Bl -tag -width Ds\n" + "".join(f".It {macro} {name}\n{prose(text)}\n" for name, text in pairs) + ".El\n"


def first_sentence(text):
    """Up to its end, for a list of pages."""
    return re.split(r"[.;](?: |$)", text)[0]


def page(name, about, sections, date):
    body = "".join(f".Sh {title}\n{text}\n" for title, text in sections if text)
    return f".Dd {date}\n.Dt {name.upper()} 3\n.Os libmlreg\n.Sh NAME\n.Nm {name}\n.Nd {safe(about)}\n" + re.sub(r"\n+", "\n", body)


def declaration(f):
    return f".Ft {f.result}\n.Fo {f.name}\n" + "".join(f".Fa \"{a}\"\n" for a in f.arguments) + ".Fc\n"


def meant(f, types):
    """The types that a function takes, and those that these speak of."""
    said, found = " ".join([*f.arguments, f.returns, *f.text]), []
    while True:
        more = [t for t in types if t not in found and any(
            re.search(rf"\b{n}\b|\b{n[:n.rfind('_') + 1]}\*" if n.isupper() else rf"\b{n}\b", said) for n in t.names)]
        if not more:
            return [t for t in types if t in found]
        found += more
        said += " ".join(t.code for t in more)


def function_page(f, c, types, date):
    used = meant(f, types)
    fails = f.result in ("int", "int64_t") and "err" in f.arguments[-1]
    returns = [prose(f.returns)] if f.returns else [prose("0, or one of the codes that any call may return.")] if fails else []
    return page(f.name, first_sentence(f.text[0]), [
        ("LIBRARY", "libmlreg (\\-lmlreg)"),
        ("SYNOPSIS", ".In mlreg.h\n" + declaration(f)),
        ("DESCRIPTION", "\n.Pp\n".join(map(prose, f.text)) + "\n" + (tagged(f.parameters) if f.parameters else "")),
        ("TYPES", "".join(literal(t.code) for t in used)),
        ("RETURN VALUES", "\n".join(returns + [prose(GENERAL)] * fails)),
        ("SEE ALSO", f".Xr mlreg 3 ,\n.Xr {c.page} 3"),
        ("STANDARDS", prose(f.spec)),
        ("HISTORY", f"Since libmlreg {f.since}."),
    ], date)


def chapter_page(c, codes, date):
    return page(c.page, f"{c.title} in libmlreg", [
        ("SYNOPSIS", ".In mlreg.h\n" + "".join(map(declaration, c.functions))),
        ("DESCRIPTION", prose(c.text)),
        ("FUNCTIONS", ".Bl -tag -width Ds\n" + "".join(f".It Xr {f.name} 3\n{prose(first_sentence(f.text[0]))}.\n" for f in c.functions) + ".El"),
        ("CODES", codes if c.title == "errors" else ""),
        ("TYPES", "".join(literal(t.code) for t in c.types)),
        ("SEE ALSO", ".Xr mlreg 3"),
    ], date)


def overview(about, labelled, program_about, program, chapters, date):
    return page("mlreg", about, [
        ("LIBRARY", "libmlreg (\\-lmlreg)"),
        ("SYNOPSIS", ".In mlreg.h"),
        ("DESCRIPTION", tagged(labelled, "Sy")),
        ("CHAPTERS", ".Bl -tag -width Ds\n" + "".join(f".It Xr {c.page} 3\n" + ",\n".join(prose(f.name) for f in c.functions) + "\n" for c in chapters) + ".El"),
        ("EXAMPLES", prose(program_about) + "\n" + literal(program)),
    ], date)


def main():
    source, to = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2], "man3")
    header = source.read_text(encoding="utf-8")
    when = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", source.stat().st_mtime)))
    date = time.strftime("%B ", when) + time.strftime("%d, %Y", when).lstrip("0")
    labelled, program_about, program, chapters = read(header)
    codes = tagged([(f"MLREG_{n}", f"{value}: {text}") for n, value, text in re.findall(r'MLREG_X\((\w+), (-\d+), "([^"]+)"\)', header)], "Dv")
    types = [t for c in chapters for t in c.types]
    pages = {"mlreg": overview(re.match(r"/\* mlreg\.h - (.*)\.", header).group(1), labelled, program_about, program, chapters, date)}
    for c in chapters:
        pages[c.page] = chapter_page(c, codes, date)
        pages.update((f.name, function_page(f, c, types, date)) for f in c.functions)
    to.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (to / f"{name}.3").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
