"""The public header stands alone, in C and C++, without a warning."""
import re
import tempfile
import unittest

from bed.house import HEADER, LIBRARY, ROOT, run

WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Wpadded", "-Werror"]


class Header(unittest.TestCase):
    def compiles(self, compiler, language, standard):
        run(compiler, "-x", language, f"-std={standard}", *WARNINGS, "-fsyntax-only", HEADER)

    def test_header__is_valid_c99(self):
        for compiler in "gcc", "clang":
            with self.subTest(compiler):
                self.compiles(compiler, "c", "c99")

    def test_header__is_valid_cxx11(self):
        for compiler in "g++", "clang++":
            with self.subTest(compiler):
                self.compiles(compiler, "c++", "c++11")

    def test_header__its_program_compiles_and_links(self):
        text = HEADER.read_text()
        program = re.search(r"A whole program.*?\n \*\n(.*?)\n \*/", text, re.S).group(1)
        program = re.sub(r"^ \* {0,5}", "", program, flags=re.M)
        with tempfile.TemporaryDirectory() as d:
            source = f"{d}/program.c"
            with open(source, "w") as f:
                f.write(program)
            run("gcc", "-std=c99", *WARNINGS, f"-I{ROOT}/include", source, LIBRARY, "-o", f"{d}/program", f"-Wl,-rpath,{LIBRARY.parent}")
            done = run(f"{d}/program", check=False, cwd=d, env={"HOME": d, "https_proxy": "http://127.0.0.1:9"})
            self.assertEqual(done.returncode, 1, "there is no network in the tests")
            self.assertTrue(done.stderr.strip())

    def test_header__every_function_says_what_it_returns_or_is_plain(self):
        """A function that can fail has a comment of its own above it."""
        text = HEADER.read_text()
        for m in re.finditer(r"\n(MLREG_API (?:int|int64_t)\s+(mlreg_\w+)\(.*?mlreg_error \*\*err\);)", text, re.S):
            before = text[:m.start(1)].rstrip()
            if m.group(2) != "mlreg_op_new":
                self.assertTrue(before.endswith("*/"), f"{m.group(2)} has no comment")
