"""What strangers write, spoiled by chance, into everything that reads it: a short round of tests/fuzz/run, the same each time."""
import os
import subprocess
import sys
import unittest

from bed.house import BUILD, ROOT
from fuzz.seeds import SEEDS

ASAN = BUILD.parent / "asan"


class Fuzz(unittest.TestCase):
    build = ASAN if (ASAN / "tests" / "fuzz_replay").exists() else BUILD      # with the sanitizers, where that build is at hand

    def run_target(self, target):
        done = subprocess.run([sys.executable, ROOT / "tests" / "fuzz" / "run", target], env={**os.environ, "MLREG_BUILD": str(self.build)},
                              capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, rf"^{target} +\d+ ok\n$")

    def test_replay__knows_the_targets_that_have_seeds_and_no_other(self):
        program = self.build / "tests" / "fuzz_replay"
        listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True, timeout=60).stdout.split()
        self.assertEqual(sorted(listed), sorted(SEEDS))
        self.assertEqual(subprocess.run([program, "nothing", "1", os.devnull], capture_output=True, timeout=60).returncode, 2)


def of(target):
    def test(self):
        self.run_target(target)
    test.__name__ = f"test_{target.replace('-', '_')}__refuses_what_is_spoiled"
    return test


for name in SEEDS:
    setattr(Fuzz, of(name).__name__, of(name))
