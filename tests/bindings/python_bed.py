"""python_bed.py - the Python binding under test: on the path, with the library that was built, and places to use it on."""
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

from bed.house import LIBRARY, ROOT
from cli.program import Evil, location

PACKAGE = ROOT / "bindings" / "python"
os.environ.setdefault("MLREG_LIBRARY", str(LIBRARY))
sys.path.insert(0, str(PACKAGE))

import mlreg  # noqa: E402  (needs the two lines above)

MODEL = {"config.json": b'{"model_type":"tiny"}', "model.bin": bytes(range(256)) * 4096, "sub/notes.md": b"# notes\n"}
OPEN_REGISTRIES = os.environ.get("MLREG_TEST_REGISTRY", "").split()


def has(module):
    """Skips a test where a package from tests/bed/python is missing."""
    try:
        __import__(module)
        missing = False
    except ImportError:
        missing = True
    return unittest.skipIf(missing, f"no {module} here: run it with tests/bed/python")


def python(code, *arguments, **env):
    """Runs a program of its own in this Python, as a user of the package; CompletedProcess with text."""
    more = {"PYTHONPATH": str(PACKAGE), **{k: str(v) for k, v in env.items()}}
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], capture_output=True, text=True,
                          timeout=300, env={**os.environ, **more})


class Case(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.dir = pathlib.Path(tmp.name)
        self.store = mlreg.Session(self.dir / "store", create=True)
        self.addCleanup(self.store.close)

    def folder(self, files=None):
        """A folder of files to build from."""
        top = self.dir / "folder"
        for name, data in (files or MODEL).items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(data)
        return top

    def built(self, ref="team/tiny:v1", place=None, files=None):
        """An artifact of MODEL."""
        with (place or self.store).build() as builder:
            return builder.add_tree(self.folder(files)).commit(ref, move=True)

    def evil(self, *rules):
        """A server that answers by a script."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        server = Evil(folder, list(rules))
        self.addCleanup(server.stop)
        return server


__all__ = ["Case", "MODEL", "OPEN_REGISTRIES", "PACKAGE", "has", "location", "mlreg", "python"]
