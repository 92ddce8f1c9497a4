"""The SHA-256 kernels for ARMv8, built by a cross compiler and run by an emulator."""
import hashlib
import random
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from bed.house import ROOT, run

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
CODEC = ROOT / "lib" / "codec"
KERNEL = CODEC / "sha256_arm.c"
LENGTHS = [*range(0, 200), *range(4090, 4100), 8256, 20000, 100000, 64, 300, 6000]


class Arm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for tool in (COMPILER, EMULATOR):
            if shutil.which(tool) is None:
                raise unittest.SkipTest(f"{tool} is not here")
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.program = folder / "arm_sums"
        others = [p for p in sorted(CODEC.glob("sha256*.c")) if p not in (KERNEL, CODEC / "sha256_sodium.c")]
        compiler = [COMPILER, "-std=c11", "-O3", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-D_GNU_SOURCE", f"-I{ROOT / 'lib'}"]
        run(*compiler, "-march=armv8-a+crypto", "-c", KERNEL, "-o", folder / "kernel.o")
        run(*compiler, "-static", ROOT / "tests" / "codec" / "arm_sums.c", *others, folder / "kernel.o", "-o", cls.program)
        data = random.Random(20261128).randbytes(max(LENGTHS) + len(LENGTHS))
        done = subprocess.run([EMULATOR, cls.program, *map(str, LENGTHS)], input=data, capture_output=True, timeout=300, check=True)
        cls.lines = done.stdout.decode().splitlines()
        cls.sums = [hashlib.sha256(data[i:i + length]).hexdigest() for i, length in enumerate(LENGTHS)]

    def test_arm__is_chosen_where_the_processor_says_it_can(self):
        self.assertEqual(self.lines[0], "best armv8, armv8 x2")

    def test_arm__gives_the_same_sums_as_pythons(self):
        kernels = dict(line.split(": ", 1) for line in self.lines[1:])
        self.assertEqual(set(kernels), {"armv8", "armv8 x2"})
        for name, sums in kernels.items():
            self.assertEqual(sums.split(), self.sums * 2, name)
