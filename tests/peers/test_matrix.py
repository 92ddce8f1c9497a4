"""The peers and we agree: the matrix in its quick form, a test for each client; and its checks notice what they are for."""
import json
import pathlib
import shutil
import tempfile
import unittest

from bed.house import ROOT, run
from cli.program import location
from peers import artifacts, cells, clients, servers

LONGEST_S = 1500


class Matrix(unittest.TestCase):
    """One run; each client is then looked at by itself."""

    @classmethod
    def setUpClass(cls):
        if not location("debian"):
            raise unittest.SkipTest("no registries: run it under tests/bed/with-registries")
        with tempfile.TemporaryDirectory() as folder:
            done = run(ROOT / "tests" / "peers" / "matrix", "--json", f"{folder}/cells", check=False, timeout=LONGEST_S)
            print(done.stdout + done.stderr)
            cls.report = json.loads(pathlib.Path(folder, "cells").read_text())

    def agrees(self, name, kinds=None):
        rows = [row for row in self.report["cells"] if row["client"] == name]
        self.assertEqual([row["kind"] for row in rows], kinds or [*artifacts.KINDS, "own"], "rows are missing")
        self.assertTrue(any(cell["state"] == "ok" for row in rows for cell in row["cells"].values()), "nothing was tried")
        failed = [f"{row['kind']} {column}: {cell['why']}" for row in rows for column, cell in row["cells"].items() if cell["state"] == "FAILED"]
        self.assertEqual(failed, [])

    def test_matrix__every_client_has_its_test(self):
        self.assertEqual(sorted(c.name for c in clients.ALL), sorted(n.partition("__")[2] for n in dir(self) if n.startswith("test_agrees__")))

    def test_agrees__skopeo(self):
        self.agrees("skopeo")

    def test_agrees__oras(self):
        self.agrees("oras")

    def test_agrees__crane(self):
        self.agrees("crane")

    def test_agrees__regctl(self):
        self.agrees("regctl")

    def test_agrees__umoci(self):
        self.agrees("umoci", ["image"])

    @unittest.skipIf(clients.Podman.needs_more(), clients.Podman.needs_more())
    def test_agrees__podman(self):
        self.agrees("podman")

    @unittest.skipIf(clients.Buildah.needs_more(), clients.Buildah.needs_more())
    def test_agrees__buildah(self):
        self.agrees("buildah")

    def test_facts__of_every_registry_are_known(self):
        self.assertEqual(set(self.report["facts"]), set(servers.KINDS))
        for name, facts in self.report["facts"].items():
            self.assertEqual(set(facts), set(servers.FACTS), name)
            self.assertEqual(facts["referrers"] == "yes", name == "go", name)
            self.assertEqual(facts["ranges"], "yes", name)


class Checks(unittest.TestCase):
    """What the matrix would say if a peer, or we, did wrong."""

    def setUp(self):
        self.layout = pathlib.Path(tempfile.mkdtemp(prefix="mlreg-peers-")) / "layout"
        self.addCleanup(shutil.rmtree, self.layout.parent)
        self.artifact = artifacts.write("index", self.layout)
        self.wanted = cells.Wanted.of(self.artifact)

    def is_there(self):
        bench = cells.Bench.__new__(cells.Bench)
        return bench.layout_is(clients.Skopeo, self.layout, self.wanted)

    def blob(self, name):
        return self.layout / "blobs" / name.replace(":", "/")

    def test_checks__take_what_is_right(self):
        self.assertEqual(self.is_there(), self.artifact.digest)

    def test_checks__notice_a_missing_blob_of_a_child(self):
        self.blob(next(iter(self.artifact.children[1].blobs))).unlink()
        self.assertRaisesRegex(AssertionError, "not in the layout", self.is_there)

    def test_checks__notice_a_changed_byte(self):
        path = self.blob(next(iter(self.artifact.children[0].blobs)))
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        self.assertRaisesRegex(AssertionError, "other bytes", self.is_there)

    def test_checks__notice_another_manifest(self):
        self.wanted = cells.Wanted.of(artifacts.multi_arch().children[0])
        self.assertRaisesRegex(AssertionError, "knows nothing", self.is_there)
