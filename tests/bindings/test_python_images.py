"""Images from Python: built on others, unpacked, and their files read and mapped where they lie in their tars."""
import json
import mmap
import os
import pathlib
import shlex
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest.mock
import zipfile

from bed.house import PROGRAM, ROOT
from bindings.python_bed import MODEL, OPEN_REGISTRIES, PACKAGE, Case, has, mlreg

EXAMPLE = ROOT / "examples" / "image.py"


def safetensors(values):
    """A file of one tensor "w" of float32."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, 4 * len(values)]}}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + struct.pack(f"<{len(values)}f", *values)


class Images(Case):
    def setUp(self):
        super().setUp()
        self.code = self.dir / "code"
        self.code.mkdir()
        (self.code / "serve.py").write_text("print(1)\n")
        (self.code / "util.py").write_text("pass\n")

    def image(self, ref="svc:v1", place=None, base=None, weights=MODEL["model.bin"], **options):
        with (place or self.store).build(kind="image") as builder:
            if base is not None:
                builder.set_base(base)
            builder.set_image(**options).add_bytes(weights, "models/model.bin").add_tree(self.code, title="app")
            return builder.commit(ref)

    def test_image__says_how_it_is_run(self):
        made = self.image(platform="linux/arm64/v8", user="1000", workdir="/app", env={"A": "1", "B": "x=y"}, labels={"k": "v"},
                          ports=["8080", "53/udp"], entrypoint=["python3"], cmd=["serve.py", "-v"])
        config = json.loads(made.config())
        self.assertEqual((config["architecture"], config["variant"]), ("arm64", "v8"))
        self.assertEqual(config["config"], {"User": "1000", "WorkingDir": "/app", "Env": ["A=1", "B=x=y"], "Labels": {"k": "v"},
                                            "ExposedPorts": {"8080/tcp": {}, "53/udp": {}}, "Entrypoint": ["python3"], "Cmd": ["serve.py", "-v"]})
        self.assertEqual(self.image("again:v1", platform="linux/arm64/v8").layers, made.layers)

    def test_image__is_made_on_another_and_of_layers_that_are_there(self):
        base, model = self.image("base:v1", env={"A": "1"}), self.built("m:v1")
        with self.store.build(kind="image") as builder:
            builder.set_base(base).set_image(env={"B": "2"})
            builder.add_layer_of(model, "model.bin", title="more/model.bin").add_layer_of(model, model.files["config.json"])
            self.assertRaises(mlreg.NotFoundError, builder.add_layer_of, model, "none")
            self.assertRaises(mlreg.InvalidError, builder.add_layer_of, model, 9)
            self.assertRaises(mlreg.StateError, builder.set_base, base)
            made = builder.commit("svc:v2")
        self.assertEqual(made.layers[:len(base.layers)], base.layers)
        self.assertEqual(json.loads(made.config())["config"]["Env"], ["A=1", "B=2"])
        made.unpack_image(self.dir / "root")
        for name, data in {"app/serve.py": b"print(1)\n", "models/model.bin": MODEL["model.bin"], "more/model.bin": MODEL["model.bin"],
                           "config.json": MODEL["config.json"]}.items():
            self.assertEqual((self.dir / "root" / name).read_bytes(), data, name)
        with self.store.build(kind="image") as builder:
            self.assertRaises(mlreg.InvalidError, builder.set_base, model)

    def test_image__one_layer_is_unpacked_alone(self):
        made = self.image()
        found, = made.find_in_image("/app/util.py")
        made.unpack_image(self.dir / "alone", layers=[found.digest])
        self.assertEqual([p.name for p in (self.dir / "alone").iterdir()], ["app"])
        self.assertRaises(mlreg.InvalidError, made.unpack_image, self.dir / "none", layers=["sha256:" + 64 * "0"])
        self.assertRaises(TypeError, made.unpack_image, self.dir / "none", layers=found.digest)

    def test_image__a_foreign_layer_stays_where_it_is_unless_it_is_asked_for(self):
        made, foreign = self.image(), "sha256:" + 64 * "1"
        manifest = made.manifest
        manifest["layers"].append({"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar", "digest": foreign, "size": 9,
                                   "urls": ["http://127.0.0.1:9/layer.tar"]})
        self.store.put("svc:v2", json.dumps(manifest).encode())
        with mlreg.Session("memory:") as memory:
            self.assertEqual(self.store.copy("svc:v2", memory).layers[-1].digest, foreign)
            self.assertRaises(mlreg.DeniedError, self.store.copy, "svc:v2", memory, "svc:v3", foreign=True)

    def test_image__a_foreign_layer_is_unpacked_if_that_is_asked_for(self):
        manifest = self.image().manifest
        manifest["layers"][0].update({"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar", "urls": ["http://127.0.0.1:9/layer.tar"]})
        self.store.put("svc:v2", json.dumps(manifest).encode())
        with mlreg.Session("memory:") as memory:
            copied = self.store.copy("svc:v2", memory)
            with self.assertRaises(mlreg.NotFoundError) as caught:
                copied.unpack_image(self.dir / "root")
            self.assertIn("foreign=True fetches it from http://127.0.0.1:9/layer.tar", caught.exception.hint)
            self.assertRaises(mlreg.DeniedError, copied.unpack_image, self.dir / "root", foreign=True)
        self.assertFalse((self.dir / "root").exists())

    def test_image__words_that_are_none_are_refused(self):
        self.assertRaisesRegex(mlreg.InvalidError, "a kind is one of 'artifact', 'image', 'index', not 'picture'", self.store.build, kind="picture")
        with self.store.build(kind="image") as builder:
            self.assertRaisesRegex(mlreg.InvalidError, "pack is one of", builder.add_tree, self.code, pack="xz")
            self.assertRaises(mlreg.InvalidError, builder.set_image, platform="arm64")
            self.assertRaises(mlreg.NotFoundError, builder.add_pip, self.dir / "none.txt")
        with self.store.build() as builder:
            self.assertRaises(mlreg.InvalidError, builder.set_image, user="x")

    def check_files(self, made):
        data = MODEL["model.bin"]
        with made.open("models/model.bin", file=True) as file:
            self.assertEqual((file.size, file.read()), (len(data), data))
            room = bytearray(20)
            self.assertEqual((file.read_at(1000, room), room), (20, data[1000:1020]))
        with made.open("models/model.bin") as layer:
            self.assertGreater(layer.size, len(data))
        self.assertRaises(mlreg.NotSupportedError, made.open, len(made.layers) - 1, file=True)

    def test_image__files_are_read_out_of_their_tars_in_every_place(self):
        self.check_files(self.image())
        with mlreg.Session("memory:") as memory:
            self.check_files(self.image(place=memory))
        for location in OPEN_REGISTRIES:
            ca_file = os.environ.get("MLREG_TEST_CA_FILE") if location.startswith("https") else None
            with self.subTest(location), mlreg.Session(location, ca_file=ca_file) as hub:
                self.check_files(self.image(f"python/{os.getpid()}-image:v1", place=hub))

    def quicker(self, *command):
        """What is run in place of a Python with pip: somebody else is at work, and then something is installed."""
        script = self.dir / "python-in-place"
        script.write_text(f'#!/bin/sh\nfor word; do if [ "$target" = next ]; then target=$word; elif [ "$word" = --target ]; then target=next; fi; done\n'
                          f'[ -z "$target" ] || {{ {shlex.join(map(str, command))} >/dev/null && echo 1 >"$target/it.py"; }}\n')
        script.chmod(0o755)
        return unittest.mock.patch.dict(os.environ, PATH=f"{self.dir}:{os.environ['PATH']}")

    def check_moved_meanwhile(self, place, repo, program):
        """The tag is where it was to be when the commit begins, and is not any more when it would be moved."""
        first, other = self.image(f"{repo}:v1", place), self.image(f"{repo}:other", place, weights=b"other")
        (self.dir / "requirements.txt").write_text("something==1\n")
        with place.build(kind="image") as builder:
            builder.add_pip(self.dir / "requirements.txt", python="python-in-place")
            with self.quicker(PROGRAM, *program), self.assertRaises(mlreg.ExistsError) as caught:
                builder.commit(f"{repo}:v1", move=True, expect_digest=first.digest)
        self.assertIn(f"is at {other.digest}, not at {first.digest}", str(caught.exception))
        self.assertIn("look at what is there now", str(caught.exception.hint))
        self.assertEqual(place.resolve(f"{repo}:v1").digest, other.digest)
        self.assertEqual(sorted(place.tags(repo)), ["other", "v1"])

    def test_image__a_tag_that_was_moved_meanwhile_is_left_where_it_is(self):
        self.check_moved_meanwhile(self.store, "svc", ["copy", "svc:other", "svc:v1", "--move", "--store", self.dir / "store"])
        for location in filter(None, (os.environ.get(f"MLREG_TEST_REGISTRY_{kind}") for kind in ("DEBIAN", "DISTRIBUTION"))):
            repo, host = f"python/{os.getpid()}-moved", location.partition("://")[2]
            with self.subTest(location), mlreg.Session(location) as hub:
                self.check_moved_meanwhile(hub, repo, ["copy", f"{host}/{repo}:other", f"{host}/{repo}:v1", "--move"])
        self.assertEqual(self.store.fsck(), [])

    def test_image__files_are_mapped_in_their_layers(self):
        made, data = self.image(), MODEL["model.bin"]
        offset, size = made.file_range("models/model.bin")
        self.assertEqual((offset > 0, offset % mmap.PAGESIZE, size), (True, 0, len(data)))
        with made.mmap("models/model.bin") as mapped:
            self.assertEqual(mapped[:], data)
        self.assertEqual(made.view("models/model.bin"), data)
        with self.store.build(kind="image") as builder:
            empty = builder.add_bytes(b"", "nothing").commit("empty:v1")
        self.assertRaisesRegex(ValueError, "is empty", empty.mmap, "nothing")
        self.assertRaisesRegex(ValueError, "is empty", empty.view, "nothing")

    @has("numpy")
    def test_load__maps_tensors_in_an_image_and_copies_nothing(self):
        import numpy
        values = [float(i) for i in range(100_000)]
        made = self.image(weights=safetensors(values))
        tensor = mlreg.load("svc:v1", "models/model.bin", store=self.dir / "store")["w"]
        self.assertTrue(numpy.array_equal(tensor, numpy.array(values, "<f4")))
        self.assertFalse(tensor.flags.owndata)
        layer, address = made.layers[made.files["models/model.bin"]], tensor.ctypes.data
        blob = layer.digest.partition(":")[2]
        lines = [line.split() for line in pathlib.Path("/proc/self/maps").read_text().splitlines() if blob in line]
        spans = [[int(n, 16) for n in line[0].split("-")] for line in lines]
        self.assertTrue(any(low <= address and address + tensor.nbytes <= high for low, high in spans), (hex(address), lines))

    @has("numpy")
    def test_load__takes_a_tar_of_another_tool_that_knows_no_pages(self):
        with tempfile.NamedTemporaryFile(dir=self.dir, suffix=".safetensors") as file:
            file.write(safetensors([1.5, 2.5]))
            file.flush()
            with tarfile.open(self.dir / "foreign.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
                tar.add(file.name, "w.safetensors")
        with self.store.build("application/vnd.example") as builder:      # no ModelPack, which would look into it
            made = builder.add_file(self.dir / "foreign.tar", title="w.safetensors", media_type="application/vnd.cncf.model.weight.v1.tar").commit("f:v1")
        self.assertRaisesRegex(ValueError, "begins at no page", made.mmap, "w.safetensors")
        self.assertEqual(mlreg.load("f:v1", "w.safetensors", store=self.dir / "store")["w"].tolist(), [1.5, 2.5])


class Script(Case):
    def wheels(self):
        """A folder with one wheel, of a package with one line; and a requirements file that asks for it, and for no index."""
        about = "tiny_requirement-1.0.dist-info"
        files = {"tiny_requirement.py": "VALUE = 1\n", f"{about}/METADATA": "Metadata-Version: 2.1\nName: tiny-requirement\nVersion: 1.0\n",
                 f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
        files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
        with zipfile.ZipFile(self.dir / "tiny_requirement-1.0-py3-none-any.whl", "w") as wheel:
            for name, text in files.items():
                wheel.writestr(name, text)
        (self.dir / "requirements.txt").write_text(f"--no-index\n--find-links {self.dir}\ntiny-requirement==1.0\n")
        return self.dir / "requirements.txt"

    def test_script__makes_an_index_of_two_architectures_out_of_a_folder_and_requirements(self):
        (self.folder() / "serve.py").write_text("import tiny_requirement\n")
        done = subprocess.run([sys.executable, EXAMPLE, self.dir / "folder", self.wheels(), self.dir / "images", "svc:v1"], text=True,
                              capture_output=True, timeout=300, env={**os.environ, "PYTHONPATH": str(PACKAGE)})
        self.assertEqual(done.returncode, 0, done.stderr)
        with mlreg.Session(self.dir / "images") as place:
            index = place.resolve("svc:v1")
            self.assertEqual(done.stdout.strip(), index.digest)
            self.assertEqual({child.platform for child in index.children}, {"linux/amd64", "linux/arm64"})
            for architecture in "amd64", "arm64":
                made, root = place.resolve("svc:v1", mlreg.Wish(host={"architecture": architecture})), self.dir / architecture
                self.assertEqual(json.loads(made.config())["architecture"], architecture)
                made.unpack_image(root)
                self.assertEqual((root / "opt/python/tiny_requirement.py").read_text(), "VALUE = 1\n")
                self.assertEqual((root / "app/serve.py").read_text(), "import tiny_requirement\n")

    def test_script__is_ten_lines_below_its_imports(self):
        below = EXAMPLE.read_text().partition("\nimport mlreg\n")[2]
        self.assertTrue(0 < len(below.strip().splitlines()) <= 10, below)
