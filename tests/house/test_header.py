"""The public header stands alone, in C and C++, without a warning."""
import re
import tempfile
import unittest

from bed.house import HEADER, LIBRARY, ROOT, declared, run

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

    def test_header__every_function_has_a_comment_that_says_since_when(self):
        found = re.findall(r"/\*\* ((?:(?!\*/).)*) \*/\nMLREG_API [^;(]*?\b(mlreg_\w+)\(", HEADER.read_text(), re.S)
        self.assertEqual({name for _, name in found}, declared())
        for comment, name in found:
            self.assertRegex(re.sub(r"\s*\n \*\s*", " ", comment), r"^[A-Z\"].*[.)] Since 0\.\d\.$", name)

    def test_header__comments_name_codes_that_are(self):
        text = HEADER.read_text()
        named = re.findall(r"\bE[A-Z]{2,}\b", " ".join(re.findall(r"/\*.*?\*/", text, re.S)))
        self.assertLessEqual(set(named) - {"ERRORS"}, set(re.findall(r"MLREG_X\((\w+), -", text)))
