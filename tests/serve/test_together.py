"""The short form of tests/soak serve: every client at once, gc beside them, and nothing fails."""
import pathlib
import unittest

from bed.house import run

TOGETHER = pathlib.Path(__file__).resolve().parent / "together"


class Together(unittest.TestCase):
    def test_together__clients_of_every_kind_work_side_by_side_while_gc_runs(self):
        done = run(TOGETHER, "10", check=False, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^mlreg +[1-9]")
