"""What the libraries export is what the header declares and the version map lists, and nothing else."""
import re
import unittest

from bed.house import LIBRARY, ROOT, STATIC, declared, run


class Exports(unittest.TestCase):
    def test_exports__of_the_shared_library_equal_the_header(self):
        names = {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--defined-only", LIBRARY).stdout.splitlines()}
        self.assertEqual({n for n in names if not n.startswith("MLREG_")}, declared())

    def test_exports__of_the_map_equal_the_header(self):
        text = (ROOT / "lib" / "mlreg.map").read_text()
        self.assertEqual(set(re.findall(r"\b(mlreg_\w+);", text)), declared())

    def test_exports__of_the_static_library_all_carry_our_prefix(self):
        for line in run("nm", "--defined-only", "--extern-only", STATIC).stdout.splitlines():
            words = line.split()
            if len(words) == 3:
                self.assertRegex(words[2], r"^(mlr|mlreg)_", line)

    def test_exports__soname_is_0(self):
        self.assertIn("libmlreg.so.0", run("readelf", "-d", LIBRARY).stdout)
