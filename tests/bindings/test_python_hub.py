"""pull, push and load: a model by name, as people who know Hugging Face expect it."""
import gc
import json
import os
import pathlib
import re
import struct
import sys
import unittest
from unittest import mock

from bed.house import ROOT
from bindings.python_bed import MODEL, OPEN_REGISTRIES, PACKAGE, Case, has, mlreg, python


def safetensors(tensors, metadata=None):
    """A safetensors file; tensors: name to (dtype, shape, bytes)."""
    header, data = {"__metadata__": metadata or {"format": "pt"}}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


class Home(Case):
    """A home of its own, so that the default store and the cache lie in the test's folder."""

    def setUp(self):
        super().setUp()
        home = mock.patch.dict(os.environ, {"HOME": str(self.dir / "home")})
        home.start()
        self.addCleanup(home.stop)
        for name in "MLREG_STORE", "XDG_DATA_HOME", "XDG_CACHE_HOME":
            os.environ.pop(name, None)

    def files(self, folder):
        top = pathlib.Path(folder)
        return {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()}


class Hub(Home):
    def test_push__into_the_store_and_pull_from_it(self):
        digest = mlreg.push(self.folder(), "tiny:v1", annotations={"org.example.a": "b"})
        self.assertEqual(mlreg.default_store(), self.dir / "home" / ".local" / "share" / "mlreg" / "store")
        folder = mlreg.pull("tiny:v1")
        self.assertTrue(folder.startswith(str(self.dir / "home" / ".cache" / "mlreg" / "snapshots")), folder)
        self.assertEqual(self.files(folder), MODEL)
        self.assertEqual(mlreg.pull(f"tiny@{digest}"), folder)
        self.assertEqual(self.files(mlreg.pull("tiny:v1", self.dir / "out", "*.bin")), {"model.bin": MODEL["model.bin"]})

    def test_push__wants_a_tag_and_moves_it_only_when_told_to(self):
        self.assertRaises(mlreg.InvalidError, mlreg.push, self.folder(), "tiny")
        mlreg.push(self.folder(), "tiny:v1", store=self.dir / "s")
        (self.folder() / "config.json").write_text("{}")
        with self.assertRaises(mlreg.ExistsError):
            mlreg.push(self.dir / "folder", "tiny:v1", store=self.dir / "s")
        mlreg.push(self.dir / "folder", "tiny:v1", store=self.dir / "s", move=True)

    @has("numpy")
    def test_pull__says_what_is_missing(self):
        for wrong in lambda: mlreg.pull("none:v1"), lambda: mlreg.load("none:v1", "model.safetensors"):
            with self.assertRaises(mlreg.NotFoundError) as caught:
                wrong()
            self.assertIn("docker.io/none:v1", str(caught.exception))

    @unittest.skipUnless(OPEN_REGISTRIES, "no registries: run it under tests/bed/with-registries")
    def test_hub__goes_to_a_registry_and_comes_back(self):
        host = OPEN_REGISTRIES[0].partition("://")[2]
        ref = f"{host}/python-hub/{os.getpid()}:v1"
        seen = []
        digest = mlreg.push(self.folder(), ref, progress=seen.append, max_workers=2)
        self.assertTrue(seen)
        self.assertEqual(self.files(mlreg.pull(ref, self.dir / "direct", ignore_patterns=["*.md", "sub/*"])),
                         {n: d for n, d in MODEL.items() if not n.endswith(".md")})
        self.assertFalse(mlreg.default_store().exists())
        folder = mlreg.pull(ref)
        self.assertEqual(self.files(folder), MODEL)
        with mlreg.Session(mlreg.default_store()) as store:
            self.assertEqual(store.resolve(ref).digest, digest)
        self.assertEqual(mlreg.pull(ref), folder)

    def test_pull__sends_the_token_it_is_given(self):
        evil = self.evil({"path": ".*", "header": {"Authorization": "Bearer secret-token"}, "status": 404, "body": "{}"},
                         {"path": ".*", "status": 401, "headers": {"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:1/",service="x"'}})
        self.assertRaises(mlreg.NotFoundError, mlreg.pull, f"{evil.host}/team/x:v1", token="secret-token")


class Readme(Home):
    @unittest.skipUnless(OPEN_REGISTRIES, "no registries: run it under tests/bed/with-registries")
    @has("numpy")
    def test_readme__its_programs_run(self):
        self.programs_run(PACKAGE / "README.md", 2)

    @unittest.skipUnless(OPEN_REGISTRIES, "no registries: run it under tests/bed/with-registries")
    @has("numpy")
    def test_readme__the_first_page_s_program_runs(self):
        self.programs_run(ROOT / "README.md", 1)

    def programs_run(self, readme, n_blocks):
        """In one folder with a model, with a registry on this machine in place of ghcr.io."""
        (self.dir / "my-model").mkdir()
        (self.dir / "my-model" / "model.safetensors").write_bytes(safetensors({"a": ("F32", [2], bytes(8))}))
        blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.S)
        self.assertEqual(len(blocks), n_blocks)
        code = "".join(blocks).replace('"https://ghcr.io"', repr(OPEN_REGISTRIES[0]))
        code = code.replace("ghcr.io", OPEN_REGISTRIES[0].partition("://")[2]).replace("you/", f"readme-{os.getpid()}-{n_blocks}/")
        done = python(f"import os\nos.chdir({str(self.dir)!r})\n" + code + "\nprint(sorted(tensors), folder)", HOME=self.dir)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith("['a'] "), done.stdout)


class Load(Home):
    def stored(self, data, artifact_type=None):
        """A ModelPack's builder would refuse a broken file at once; an artifact of another type takes any."""
        with self.store.build(artifact_type) as builder:
            builder.add_bytes(data, "model.safetensors").commit("weights:v1", move=True)
        return lambda: mlreg.load("weights:v1", "model.safetensors", store=self.dir / "store")

    @has("numpy")
    def test_load__maps_tensors_of_every_kind(self):
        import numpy
        want = {"f": numpy.arange(12, dtype="<f4").reshape(3, 4), "h": numpy.ones((2, 2), "<f2"), "i": numpy.array([[-1]], "<i8"),
                "b": numpy.array([True, False]), "u": numpy.arange(256, dtype="u1"), "s": numpy.array(7, "<i4")}
        names = {"<f4": "F32", "<f2": "F16", "<i8": "I64", "|b1": "BOOL", "|u1": "U8", "<i4": "I32"}
        load = self.stored(safetensors({n: (names[a.dtype.str], list(a.shape), a.tobytes()) for n, a in want.items()}))
        tensors = load()
        self.assertEqual(set(tensors), set(want))
        for name, array in want.items():
            got = numpy.asarray(tensors[name])
            self.assertEqual((got.dtype, got.shape), (array.dtype, array.shape))
            numpy.testing.assert_array_equal(got, array)
        tensors["f"][0, 0] = 99
        self.assertEqual(numpy.asarray(load()["f"])[0, 0], 0)

    @has("numpy")
    def test_load__tensors_outlive_everything_else(self):
        import numpy
        load = self.stored(safetensors({"a": ("F32", [0, 3], b""), "b": ("C64", [], numpy.complex64(1j).tobytes())}))
        tensors = load()
        self.store.delete("weights:v1")
        self.store.gc(grace_ms=0)
        gc.collect()
        self.assertEqual((tensors["a"].shape, tensors["b"].shape, complex(tensors["b"])), ((0, 3), (), 1j))
        self.assertRaises(mlreg.NotFoundError, load)

    @has("numpy")
    def test_load__says_what_it_lacks(self):
        load = self.stored(safetensors({"a": ("BF16", [2], bytes(4))}))
        with mock.patch.dict(sys.modules, {"torch": None}):
            with self.assertRaisesRegex(mlreg.NotSupportedError, "BF16: install torch"):
                load()
            with mock.patch.dict(sys.modules, {"numpy": None}), self.assertRaisesRegex(ImportError, "torch or numpy"):
                mlreg.load("127.0.0.1:1/never/asked:v1", "model.safetensors")

    @has("safetensors")
    @has("numpy")
    def test_load__reads_what_safetensors_wrote_and_safetensors_what_was_pulled(self):
        import numpy
        from safetensors.numpy import load_file, save_file
        want = {f"layer.{i}": numpy.random.default_rng(i).normal(size=(17, i + 1)).astype("<f4") for i in range(20)}
        (self.dir / "made").mkdir()
        save_file(want, self.dir / "made" / "model.safetensors")
        mlreg.push(self.dir / "made", "real:v1")
        tensors = mlreg.load("real:v1", "model.safetensors")
        again = load_file(os.path.join(mlreg.pull("real:v1"), "model.safetensors"))
        for name, array in want.items():
            numpy.testing.assert_array_equal(numpy.asarray(tensors[name]), array)
            numpy.testing.assert_array_equal(again[name], array)

    @has("numpy")
    def test_load__names_what_is_wrong_with_a_file(self):
        good = safetensors({"a": ("F32", [2], bytes(8))})
        for data, says in ((b"", "is empty"), (b"1234567", "7 bytes"), (good[:8], "header"), (b"\xff" * 8 + good[8:], "header"),
                           (struct.pack("<Q", 4) + b"nope", "no JSON"), (struct.pack("<Q", 2) + b"[]", "no JSON object"),
                           (good[:-1], "lies outside"), (safetensors({"a": ("F32", [3], bytes(8))}), "another size"),
                           (safetensors({"a": ("F32", [-2], bytes(8))}), "lies outside"), (safetensors({"a": ("Q9", [2], bytes(8))}), "Q9"),
                           (struct.pack("<Q", 8) + b'{"a": 1}', "not described"),
                           (struct.pack("<Q", 100_000) + b"[" * 100_000, "no JSON"),
                           (safetensors({"a": ({}, [2], bytes(8))}), "unknown type {}"),
                           (safetensors({"a": ("F32", [2 ** 64], bytes(8))}), "lies outside"),
                           (safetensors({"a": ("F32", [0, 2 ** 62, 2 ** 62], b"")}), "cannot be made here"),
                           (safetensors({"a": ("U8", [1] * 100, b"1")}), "cannot be made here"),
                           (safetensors({"a": ("F32", [1], bytes(7))}), "another size")):
            with self.assertRaises(mlreg.Error) as caught:
                self.stored(data, "application/vnd.example.v1")()
            self.assertRegex(str(caught.exception), says)
