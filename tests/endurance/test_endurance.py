"""A first round of endurance: the programs of this folder in the length that tests/all has room for; tests/soak runs them longer."""
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from bed.house import BUILD, ROOT, run
from cli.program import needs
from endurance.bench import Broken, Program, contents, write_model

HERE = ROOT / "tests" / "endurance"
CANNOT = 77
LONGEST_S = 1500


def calls_program():
    """With the sanitizers, where that build is at hand."""
    asan = BUILD.parent / "asan" / "tests" / "endurance_calls"
    return asan if asan.exists() else BUILD / "tests" / "endurance_calls"


class Endurance(unittest.TestCase):
    def holds(self, *command):
        done = run(*command, check=False, timeout=LONGEST_S)
        print(done.stdout + done.stderr)
        if done.returncode == CANNOT:
            self.skipTest(done.stdout.strip().splitlines()[-1])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    @needs("distribution")
    def test_kills__300_at_random_moments_lose_nothing(self):
        self.assertRegex(self.holds(HERE / "kills", "--kills", "300"), r"30\d killed in \d+ rounds .*: 0 tags lost")

    @needs("token")
    def test_network__every_fault_at_every_request(self):
        self.assertRegex(self.holds(HERE / "network"), r"(?m)^3\d\d faults: ")

    @needs("distribution")
    def test_power__cuts_lose_nothing_that_was_reported(self):
        self.assertIn("30 power cuts", self.holds(HERE / "power", "--cuts", "30"))

    @needs("distribution")
    def test_calls__each_that_fails_is_survived(self):
        said = self.holds(calls_program(), "--most", "2", os.environ["MLREG_TEST_REGISTRY_DISTRIBUTION"])
        rows = re.findall(r"(?m)^(\w+) +(\S.*\S) +\d+ +(\d+) +(\d+) +(\d+)$", said)
        self.assertEqual((len({verb for verb, *_ in rows}), len({fault for _, fault, *_ in rows}), len(rows)), (7, 7, 49))
        self.assertTrue(all(int(tried) > 0 and int(tried) == int(refused) + int(through) for _, _, tried, refused, through in rows), said)
        self.assertIn("nothing suffered", said)

    @needs("distribution")
    def test_full__disks_of_all_sizes(self):
        self.assertEqual(self.holds(HERE / "full").count("nothing lost"), 6)

    @needs("distribution")
    def test_archives__whose_pull_was_killed_are_ended(self):
        self.assertIn("0 left over", self.holds(HERE / "archives", "--kills", "6"))


class Checks(unittest.TestCase):
    """What the programs would say if something were lost."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlreg-endurance-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.program = Program(self.folder, self.folder / "store")
        self.model = write_model(self.folder / "model", 1, 100_000)
        self.program.run("build", self.model, "-t", "m:v1")

    def test_checks__a_sound_store_is(self):
        self.program.sound()
        self.assertEqual(self.program.leftovers(), [])
        self.program.run("copy", "m:v1", f"dir:{self.folder}/out")
        self.assertEqual(contents(self.folder / "out"), contents(self.model))

    def test_checks__a_lost_blob_is_seen(self):
        for blob in self.folder.glob("store/**/blobs/sha256/*"):
            if blob.stat().st_size == 50_000:
                blob.unlink()
        self.assertRaises(Broken, self.program.sound)

    def test_checks__what_fails_is_seen(self):
        self.assertRaisesRegex(Broken, "mlreg inspect gone:v1 ends with 1", self.program.run, "inspect", "gone:v1")
