"""The wheel: built by pip from the tree, carries what it needs, runs where nothing of ours is."""
import os
import pathlib
import re
import sys
import tempfile
import unittest
import zipfile
from unittest import mock

from bed.house import run
from bindings.python_bed import PACKAGE, has

from mlreg import _session  # noqa: E402

MOST_BYTES = 25_000_000
SMOKE = """
import mlreg, pathlib, sys
with mlreg.Session("memory:") as place, place.build() as builder:
    model = builder.add_bytes(b"weights", "a.bin").commit("a/b:v1")
    assert model.open("a.bin").read() == b"weights"
ours = {line.split()[-1] for line in open("/proc/self/maps") if "mlreg" in line.split()[-1]}
print("\\n".join(sorted({pathlib.Path(p).name.partition("-")[0] for p in ours if ".so" in p})))
try:
    mlreg.Session("https://localhost:1").tags("a/b")
except mlreg.NetworkError:
    pass
"""


@has("numpy")          # as a sign that PyPI can be reached
class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.tmp.cleanup)
        cls.dir = pathlib.Path(cls.tmp.name)
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", cls.dir, PACKAGE, timeout=900)
        cls.wheel, = cls.dir.glob("*.whl")

    def fresh(self):
        """A virtual environment with nothing in it; its Python."""
        folder = tempfile.mkdtemp(dir=self.dir)
        run(sys.executable, "-m", "venv", folder, timeout=300)
        return pathlib.Path(folder, "bin", "python")

    def smoke(self, python):
        env = {k: v for k, v in os.environ.items() if k in ("HOME", "TMPDIR")}
        return run(python, "-c", SMOKE, env={**env, "PATH": "/nowhere"}, cwd=self.dir).stdout.split()

    def test_wheel__is_of_the_platform_and_small_enough(self):
        self.assertRegex(self.wheel.name, r"^mlreg-[\d.]+-py3-none-manylinux_\d+_\d+_\w+\.whl$")
        size = self.wheel.stat().st_size
        print(f"{self.wheel.name}: {size / 1e6:.1f} MB")
        self.assertLessEqual(size, MOST_BYTES)

    def test_wheel__lists_what_it_carries_with_licenses(self):
        with zipfile.ZipFile(self.wheel) as files:
            names = files.namelist()
            listed = files.read("mlreg/BUNDLED.md").decode()
        carried = {re.sub(r"-[0-9a-f]{8}", "", pathlib.Path(n).name) for n in names if n.startswith("mlreg.libs/") and ".so" in n}
        self.assertGreater(len(carried), 3)
        for name in carried:
            stem = re.match(r"(lib[a-z0-9_]+?)[-.]", name)[1]
            self.assertRegex(listed, rf"\| {re.escape(stem)}\b", name)
        for license_file in re.findall(r"licenses/[\w.+-]+\.txt", listed):
            self.assertIn(f"mlreg/{license_file}", names)
        self.assertIn("mlreg/py.typed", names)

    def test_wheel__runs_in_a_clean_environment_on_its_own_libraries(self):
        python = self.fresh()
        run(python, "-m", "pip", "install", "-q", "--no-index", self.wheel, timeout=300)
        loaded = self.smoke(python)
        for library in "libmlreg.so.0", "libcurl", "libsodium", "libcjson", "libxxhash", "libarchive":
            self.assertIn(library, loaded)

    def test_wheel__pip_installs_from_the_tree(self):
        python = self.fresh()
        run(python, "-m", "pip", "install", "-q", PACKAGE, timeout=900)
        self.assertIn("libmlreg.so.0", self.smoke(python))


class Certificates(unittest.TestCase):
    def found(self, *there, **env):
        clean = {k: v for k, v in os.environ.items() if k not in ("SSL_CERT_FILE", "CURL_CA_BUNDLE")}
        with mock.patch("os.path.exists", lambda path: path in there), mock.patch.dict(os.environ, {**clean, **env}, clear=True):
            return _session.system_ca()

    def test_certificates__are_found_where_systems_keep_them(self):
        self.assertIsNone(self.found("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"))
        self.assertEqual(self.found("/etc/pki/tls/certs/ca-bundle.crt"), "/etc/pki/tls/certs/ca-bundle.crt")
        self.assertEqual(self.found("/etc/ssl/cert.pem"), "/etc/ssl/cert.pem")
        self.assertIsNone(self.found())

    def test_certificates__of_the_environment_come_first(self):
        self.assertIsNone(self.found("/etc/ssl/cert.pem", SSL_CERT_FILE="/mine.pem"))
        self.assertIsNone(self.found("/etc/ssl/cert.pem", CURL_CA_BUNDLE="/mine.pem"))
