"""The benchmark measures what it says and its table is well-formed; what the figures are is nobody's business here."""
import json
import pathlib
import shutil
import tempfile
import unittest

from bed.house import PROGRAM, ROOT, run

COMPARE = ROOT / "tests" / "bench" / "compare"
MIB = 1 << 20
has_nginx = unittest.skipUnless(shutil.which("nginx", path="/usr/sbin:/sbin:/usr/bin:/bin"), "nginx is not here: run tests/bed/install")


@unittest.skipUnless(PROGRAM.exists(), "needs a build")
class Bench(unittest.TestCase):
    def compare(self, *works):
        """The quick form: what it printed, and its JSON."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "figures.json")
            done = run(COMPARE, *works, "--mib", 8, "--runs", 1, "--json", file)
            return done.stdout, json.loads(file.read_text())

    def test_bench__lists_every_work(self):
        names = [line.split()[0] for line in run(COMPARE, "--list").stdout.splitlines()]
        self.assertEqual(len(names), len(set(names)))
        for name in "pull-one", "push-new", "push-again", "copy", "tls", "latency", "resume-pull", "resume-folder", "eight-processes":
            self.assertIn(name, names)

    def test_bench__refuses_a_work_that_it_does_not_have(self):
        done = run(COMPARE, "pull-none", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("pull-none", done.stderr)

    @has_nginx
    def test_bench__the_table_has_a_row_for_each_goal(self):
        text, figures = self.compare("pull-one")
        self.assertEqual([(row["work"], row["what"]) for row in figures["table"]],
                         [("pull-one", "s"), ("pull-one", "s"), ("pull-one", "CPU s/GB"), ("memory", "peak MiB")])
        table = text[text.index("\nwork "):].splitlines()[1:]
        self.assertEqual([line.split()[0] for line in table[1:5]], ["pull-one"] * 3 + ["memory"])
        self.assertRegex(table[0], r"^work +what +mlreg .*ratio +goal +met$")
        for line in table[1:5]:
            self.assertRegex(line, r"(yes|NO|-)$")
        self.assertRegex(text, r"SHA-256: \w+;.* steal: [\d.]+ %")
        ours = figures["works"]["pull-one"]["programs"]["mlreg"]
        self.assertEqual(len(ours), 1, "the first round is not counted")
        self.assertGreater(ours[0]["cpu"], 0)
        self.assertGreaterEqual(ours[0]["written"], 8 * MIB)

    def test_bench__the_server_counts_what_was_pushed(self):
        _, figures = self.compare("push-sink", "push-again")
        for name in "push-sink", "push-again":
            self.assertEqual(figures["works"][name]["bytes"], 8 * MIB)
            self.assertEqual(figures["works"][name]["failures"], {})
        for runs in figures["works"]["push-sink"]["programs"].values():
            for f in runs:
                self.assertGreaterEqual(f["received"], 8 * MIB)
                self.assertGreater(f["requests"], 0)
        again = figures["works"]["push-again"]["programs"]["mlreg"]
        self.assertEqual(len(again), 1, "the first push is not counted")
        self.assertGreater(again[0]["requests"], 0)

    def test_bench__a_killed_program_is_followed_by_one_that_ends_its_work(self):
        _, figures = self.compare("resume-pull", "resume-push")
        for name, moved in ("resume-pull", "sent"), ("resume-push", "received"):
            ours = figures["works"][name]["programs"]["mlreg"]
            self.assertEqual(len(ours), 1, figures["works"][name]["failures"])
            self.assertGreaterEqual(ours[0][moved], 8 * MIB)


if __name__ == "__main__":
    unittest.main()
