"""tally.py DIR - adds up the reports that tests/all left in DIR, names what failed or was skipped, ends with one line."""
import collections
import json
import pathlib
import re
import sys

LINE = re.compile(r"^(not ok|ok) (?:\d+ )?-? ?(.*?)(?: ?# ?(SKIP) ?(.*))?$")


def from_meson(path):
    """(name, outcome, reason) of every cmocka test; a program that broke off counts as one failure more."""
    for line in path.read_text().splitlines():
        test = json.loads(line)
        program, failed = test["name"], False
        for text in (test.get("stdout") or "").splitlines():
            m = LINE.match(text)
            if not m:
                continue
            ok, name, skip, rest = m.groups()
            if skip:
                yield f"{program}: {name or rest}", "skipped", test_reason(test) or "what it needs is not here"
            else:
                failed |= ok != "ok"
                yield f"{program}: {name}", "passed" if ok == "ok" else "failed", ""
        if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and not failed:
            yield program, "failed", f"{test['result']}: {(test.get('stderr') or '').strip()[-2000:]}"


def test_reason(test):
    """What the test printed on stderr before it skipped itself."""
    return " ".join((test.get("stderr") or "").split())[:200]


def shortened(reason):
    """The end of it says what; build/reports has it all."""
    text = " ".join(reason.split())
    return text if len(text) <= 400 else "… " + text[-400:]


def main():
    folder, counts = pathlib.Path(sys.argv[1]), collections.Counter()
    results = []
    for path in sorted(folder.glob("*.testlog.json")):
        results += [(f"{path.name.split('.')[0]}/{n}", o, r) for n, o, r in from_meson(path)]
    for path in sorted(folder.glob("*.crashed")):
        results.append((path.stem, "failed", "the test runner itself broke off"))
    for path in sorted(folder.glob("*.python.json")):
        results += [(r["name"], r["outcome"], r["reason"]) for r in json.loads(path.read_text())]
    for name, outcome, reason in results:
        counts[outcome] += 1
        if outcome != "passed":
            print(f"{outcome}: {name}" + (f" ({shortened(reason)})" if reason else ""))
    print(f"{counts['passed']} passed, {counts['failed']} failed" + (f", {counts['skipped']} skipped" if counts["skipped"] else ""))
    return counts["failed"] > 0 or counts["passed"] == 0


if __name__ == "__main__":
    sys.exit(main())
