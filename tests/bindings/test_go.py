"""The Go binding: formatted, vetted, complete, and every one of its Go tests, under the race detector, on an installed
library: one build for all of it. Each Go test counts as a test of its own."""
import json
import pathlib
import re
import tempfile
import unittest

from bed.house import HEADER, ROOT, declared, run
from bindings.go_bed import BINDING, GO_S, environment, find_go

TESTS = sorted(set(re.findall(r"^func ((?:Test|Example)\w*)\(", "\n".join(f.read_text() for f in sorted(BINDING.glob("*_test.go"))), re.M)) - {"TestMain"})

# What the binding does without, and why.
UNUSED = {
    "mlreg_error_code": "every call that fails returns its code too",
    "mlreg_descriptor_annotation": "mlreg_descriptor_annotation_at gives all of them, for a map",
}


class GoSource(unittest.TestCase):
    """What needs no Go."""

    def source(self):
        return {f: f.read_text() for f in BINDING.iterdir() if f.suffix in (".go", ".c", ".h") and not f.name.endswith("_test.go")}

    def test_source__uses_every_public_function(self):
        text = "\n".join(self.source().values())
        used = set(re.findall(r"\bC\.(mlreg_\w+)\(", text)) | set(re.findall(r"(?<!C\.)\b(mlreg_(?!go_)\w+)\(", (BINDING / "bridge.c").read_text()))
        self.assertEqual(declared() - used, set(UNUSED))

    def test_source__knows_every_code(self):
        codes = set(re.findall(r"MLREG_X\((E\w+),", HEADER.read_text()))
        self.assertEqual(codes, set(re.findall(r"Code\s*=\s*C\.MLREG_(E\w+)", (BINDING / "errors.go").read_text())))

    def test_source__says_its_job_in_the_first_line(self):
        for file, text in self.source().items():
            self.assertRegex(text.splitlines()[0], rf"^(// |/\* ){re.escape(file.name)} - \w.*\.( \*/)?$")

    def test_source__needs_go_1_24_and_its_standard_library_only(self):
        """The compiler keeps to that version of the language, and vet to its library."""
        self.assertEqual((BINDING / "go.mod").read_text(), "module github.com/libmlreg/libmlreg/bindings/go\n\ngo 1.24\n")


class Go(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.go = find_go()
        if cls.go is None:
            raise unittest.SkipTest("no Go that is new enough is here, and a quick run fetches none: run tests/bed/install")
        tmp = tempfile.TemporaryDirectory()
        cls.addClassCleanup(tmp.cleanup)
        cls.dir = pathlib.Path(tmp.name)
        cls.env = dict(environment(), MLREG_TEST_OLD_LIBRARY=str(cls.old_library()))
        cls.outcomes, cls.output = cls.run_tests()

    @classmethod
    def old_library(cls):
        """A library that says it is 0.0.9 and lacks what came later, which here is all the rest."""
        old = cls.dir / "old"
        old.mkdir()
        (old / "old.c").write_text("unsigned mlreg_version(void) { return 9; }\n")
        run("gcc", "-shared", "-fPIC", old / "old.c", "-Wl,-soname,libmlreg.so.0",
            f"-Wl,--version-script={ROOT / 'lib' / 'mlreg.map'}", "-o", old / "libmlreg.so.0")
        return old

    @classmethod
    def run_tests(cls):
        """The outcome and output of every Go test, by name; and everything that was printed."""
        done = run("nice", cls.go, "test", "-vet=all", "-count=1", "-json", "./...", cwd=BINDING, env=cls.env, check=False, timeout=GO_S)
        outcomes, output, everything = {}, {}, [done.stderr]
        for line in done.stdout.splitlines():
            event = json.loads(line)
            name, text = event.get("Test", "").partition("/")[0], event.get("Output", "")
            everything.append(text)
            output[name] = output.get(name, "") + text
            if event["Action"] in ("pass", "fail", "skip") and "/" not in event.get("Test", ""):
                outcomes[name] = event["Action"]
        return {name: (outcome, output.get(name, "")) for name, outcome in outcomes.items()}, "".join(everything)

    def test_go__source_is_formatted(self):
        gofmt = pathlib.Path(run(self.go, "env", "GOROOT", env=self.env).stdout.strip()) / "bin" / "gofmt"
        self.assertEqual(run(gofmt, "-l", ".", cwd=BINDING).stdout, "")

    def test_go__vet_is_content_and_the_package_as_a_whole_passes(self):
        self.assertEqual(self.outcomes.get("", ("missing",))[0], "pass", self.output[-4000:])


def go_test(name):
    def test(self):
        outcome, output = self.outcomes.get(name, ("missing", self.output[-4000:]))
        if outcome == "skip":
            self.skipTest(" ".join(output.split()))
        self.assertEqual(outcome, "pass", output)
    return test


for _name in TESTS:
    setattr(Go, f"test_go__{_name}", go_test(_name))
