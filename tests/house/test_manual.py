"""The header as manual pages, by `ninja docs`: every function with all that its comment says, clean, and found by man."""
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from bed.house import BUILD, HEADER, ROOT, declared, run

MARKS = {"Codes", "Since", "param", "return"}       # how comments are written; pages have headings for these


def words(text):
    return set(re.findall(r"[\w\[\]/<>.*-]*\w", text))


def comments():
    """Each public function's comment, by its name."""
    return {name: re.sub(r"\n \*", " ", comment) for comment, name in
            re.findall(r"/\*\* ((?:(?!\*/).)*) \*/\nMLREG_API [^;(]*?\b(mlreg_\w+)\(", HEADER.read_text(), re.S)}


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run("ninja", "-C", BUILD, "docs")
        cls.pages = {p.stem: p for p in (BUILD / "include" / "man" / "man3").iterdir()}

    def shown(self, name):
        """A page as plain text, no line of it wrapped."""
        return re.sub(r".\x08", "", run("mandoc", "-T", "utf8", "-O", "width=500", self.pages[name]).stdout)

    def test_manual__every_function_is_in_it_with_its_text(self):
        self.assertEqual(set(comments()), declared())
        for name, comment in comments().items():
            with self.subTest(name):
                self.assertEqual(words(comment) - MARKS - words(self.shown(name)), set())

    def test_manual__every_prototype_is_in_it(self):
        for prototype, name in re.findall(r"^MLREG_API ([^;]*?\b(mlreg_\w+)\([^;]*\);)", HEADER.read_text(), re.M):
            self.assertIn("".join(prototype.split()), "".join(self.shown(name).split()))

    def test_manual__the_contract_is_in_it_whole(self):
        top = HEADER.read_text().partition("*/")[0]
        self.assertEqual(words(top) - words(self.shown("mlreg")) - {"mlreg.h"}, set())

    def test_manual__what_a_function_takes_is_on_its_page(self):
        for name in declared():
            page = self.shown(name)
            for taken in re.findall(r"\bmlreg_(?:\w+_(?:options|report|fn)|stats|source)\b", page.partition("DESCRIPTION")[0]):
                self.assertRegex(page.partition("TYPES")[2], rf"\}} {taken};|\(\*{taken}\)", name)
        self.assertIn("MLREG_COPY_MOVE_TAG", self.shown("mlreg_copy"))
        self.assertIn("connect_timeout_ms;   /* 10 000 */", self.shown("mlreg_session_open"))

    def test_manual__every_type_and_constant_is_in_a_chapter(self):
        chapters = " ".join(self.shown(name) for name in self.pages if name.startswith("mlreg-"))
        code = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
        names = set(re.findall(r"\b(?:mlreg|MLREG)_\w+", code)) - {"MLREG_H", "MLREG_API", "MLREG_ERROR_MAP"}
        self.assertEqual({n for n in names if not re.search(rf"\b{n}\b", chapters)}, set())
        for code in re.findall(r"MLREG_X\((\w+), -", HEADER.read_text()):
            self.assertIn(f"MLREG_{code}", self.shown("mlreg-errors"))

    def test_manual__is_clean_and_refers_to_pages_that_are(self):
        run("mandoc", "-T", "lint", "-W", "warning", *self.pages.values())
        for name, page in self.pages.items():
            self.assertLessEqual(set(re.findall(r"^\.(?:It )?Xr (\S+) 3", page.read_text(), re.M)), set(self.pages), name)

    def test_manual__man_finds_it_as_the_first_page_says(self):
        line = re.search(r"`(man -M \S+ mlreg)`", (ROOT / "README.md").read_text()).group(1)
        line = line.replace("build/release", str(BUILD))
        for name in "mlreg", "mlreg_copy", "mlreg-session":
            self.assertIn(name, run("bash", "-c", re.sub("mlreg$", name, line), env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"}).stdout)

    def test_manual__is_the_same_from_the_same_header(self):
        for name in "one", "two":
            tmp = tempfile.TemporaryDirectory()
            self.addCleanup(tmp.cleanup)
            made = pathlib.Path(tmp.name)
            shutil.copy(HEADER, made / "mlreg.h")
            run("python3", ROOT / "include" / "manual.py", made / "mlreg.h", made, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
            pages = {p.name: p.read_text() for p in (made / "man3").iterdir()}
            self.assertIn("November 14, 2023", pages["mlreg.3"])
            first = pages if name == "one" else first
        self.assertEqual(pages, first)
