"""What is built, copied, read and kept from Python: places, artifacts, layers as files, memory as layers."""
import io
import json
import mmap
import os
import pathlib
import shutil
import subprocess
import tarfile
import threading
import unittest

from bed.house import PROGRAM
from bindings.python_bed import MODEL, OPEN_REGISTRIES, Case, has, mlreg


class Images(Case):
    def test_artifact__the_file_in_an_image_s_layer_is_mapped_and_read_like_a_raw_one(self):
        data = os.urandom(50_000)
        source = pathlib.Path(self.dir) / "weights"
        source.mkdir()
        (source / "w.bin").write_bytes(data)
        (source / "m.gguf").write_bytes(b"GGUF" + data[:100])
        subprocess.run([PROGRAM, "image", "build", "--store", f"{self.dir}/images", "--model", f"{source}:/models", "-t", "image:v1"],
                       check=True, capture_output=True, env={"HOME": str(self.dir)})
        with mlreg.Session(f"{self.dir}/images") as store, store.resolve("image:v1") as image:
            number = next(i for i, layer in enumerate(image.layers) if layer.title == "models/w.bin")
            offset, size = image.file_range(number)
            self.assertEqual((offset % mmap.PAGESIZE, size), (0, len(data)))
            with image.mmap(number) as mapped:
                self.assertEqual(mapped[:], data)
            with image.open(number, file=True) as file:
                self.assertEqual(file.read(), data)
            image.unpack_image(f"{self.dir}/rootfs", rootless=True)
            self.assertEqual((pathlib.Path(self.dir) / "rootfs" / "models" / "w.bin").read_bytes(), data)
            with self.assertRaises(mlreg.ExistsError):
                image.unpack_image(f"{self.dir}/rootfs")
            image.unpack_image(f"{self.dir}/part", path="/models")
            self.assertEqual(sorted(os.listdir(f"{self.dir}/part")), ["m.gguf", "w.bin"])
            self.assertEqual([(f.title, f.annotations["io.github.libmlreg.image.format"], f.annotations["io.github.libmlreg.image.bytes"])
                              for f in image.find_in_image()], [("models/m.gguf", "gguf", "104")])
            self.assertEqual([f.title for f in image.find_in_image("/models/w*")], ["models/w.bin"])


class Places(Case):
    def test_session__what_is_built_is_found_and_described(self):
        built = self.built()
        with self.store.resolve("team/tiny:v1") as found:
            self.assertEqual(found.digest, built.digest)
            self.assertEqual(sorted(found.files), sorted(MODEL))
            self.assertEqual(found.size, sum(map(len, MODEL.values())))
            self.assertEqual(found.repository, "team/tiny")
            self.assertEqual(found.manifest["layers"][0]["digest"], found.layers[0].digest)
            self.assertEqual(len(json.loads(found.config())["modelfs"]["diffIds"]), len(MODEL))
            self.assertEqual(found.media_type, "application/vnd.oci.image.manifest.v1+json")
            self.assertIsNone(found.subject)
            self.assertEqual(found.children, ())
        self.assertEqual(self.store.tags("team/tiny"), ["v1"])
        self.assertEqual(self.store.repositories(), ["team/tiny"])

    def test_session__copies_between_places_and_tags_within_one(self):
        self.built()
        with mlreg.Session("memory:") as memory, mlreg.Session(f"oci:{self.dir}/layout", create=True) as layout:
            there = self.store.copy("team/tiny:v1", memory)
            back = memory.copy("team/tiny:v1", layout, "v9")
            self.assertEqual(there.digest, back.digest)
            memory.copy("team/tiny:v1", memory, "team/tiny:v2")
            self.assertEqual(memory.tags("team/tiny"), ["v1", "v2"])
            memory.delete("team/tiny:v2")
            self.assertEqual(memory.tags("team/tiny"), ["v1"])

    def test_session__a_tag_moves_only_when_told_to(self):
        self.built(files={"a": b"1"})
        with mlreg.Session("memory:") as memory:
            first = self.store.copy("team/tiny:v1", memory)
            with self.store.build() as builder:
                builder.add_bytes(b"2", "a").commit("team/tiny:v1", move=True)
            with self.assertRaises(mlreg.ExistsError) as caught:
                self.store.copy("team/tiny:v1", memory)
            self.assertIsInstance(caught.exception, FileExistsError)
            with self.assertRaises(mlreg.ExistsError):
                self.store.copy("team/tiny:v1", memory, move=True, expect_digest="sha256:" + "0" * 64)
            self.store.copy("team/tiny:v1", memory, move=True, expect_digest=first.digest)

    def test_session__referrers_are_listed_and_come_along(self):
        model = self.built()
        with self.store.build("application/vnd.example.note.v1") as builder:
            note = builder.set_subject(model.digest).add_bytes(b"fine", "note").commit("team/tiny")
        self.assertEqual(note.subject.digest, model.digest)
        listed = self.store.referrers("team/tiny:v1")
        self.assertEqual([d.digest for d in listed], [note.digest])
        self.assertEqual(listed[0].artifact_type, "application/vnd.example.note.v1")
        self.assertEqual(self.store.referrers("team/tiny:v1", "application/vnd.other"), [])
        with mlreg.Session("memory:") as memory:
            self.store.copy("team/tiny:v1", memory, referrers=True)
            self.assertEqual(len(memory.referrers("team/tiny:v1")), 1)

    def test_session__keeps_a_store_in_order(self):
        self.built()
        self.store.delete("team/tiny:v1")
        looked = self.store.gc(dry_run=True, grace_ms=0)
        self.assertGreaterEqual(looked.bytes, sum(map(len, MODEL.values())))
        self.assertEqual(self.store.gc(grace_ms=0), looked)
        self.assertEqual(self.store.gc(grace_ms=0).blobs, 0)
        self.assertEqual(self.store.gc().blobs, 0)
        self.built()
        self.assertEqual(self.store.fsck(), [])
        blob = next(p for p in (self.dir / "store" / ".mlreg" / "blobs").rglob("*") if p.is_file() and p.stat().st_size > 1000)
        os.chmod(blob, 0o644)
        blob.write_bytes(b"x" + blob.read_bytes()[1:])
        self.assertTrue(any(blob.name in problem for problem in self.store.fsck()))

    def test_name__is_taken_apart(self):
        name = mlreg.Name.parse("ghcr.io/team/llama:v1")
        self.assertEqual(name, ("https://ghcr.io", "team/llama:v1", "ghcr.io/team/llama:v1", "team/llama", "v1", None))
        self.assertIsNone(mlreg.Name.parse("llama:v1").location)
        with self.assertRaises(mlreg.InvalidError):
            mlreg.Name.parse("UPPER:v1:v2")


class Layers(Case):
    def setUp(self):
        super().setUp()
        self.model = self.built()
        self.data = MODEL["model.bin"]

    def test_layer__reads_into_what_it_is_given(self):
        with self.model.open("model.bin") as layer:
            room = bytearray(1000)
            self.assertEqual(layer.readinto(memoryview(room)[10:]), 990)
            self.assertEqual(room[:10], bytes(10))
            self.assertEqual(room[10:], self.data[:990])
            self.assertEqual(layer.tell(), 990)
            self.assertEqual(layer.read(), self.data[990:])
            self.assertEqual(layer.read(1), b"")
            self.assertEqual(layer.size, len(self.data))

    def test_layer__seeks_as_files_do(self):
        with self.model.open("model.bin") as layer:
            self.assertEqual(layer.seek(-5, io.SEEK_END), len(self.data) - 5)
            self.assertEqual(layer.read(), self.data[-5:])
            self.assertEqual(layer.seek(0), 0)
            layer.seek(3)
            self.assertEqual(layer.seek(4, io.SEEK_CUR), 7)
            self.assertEqual(layer.read(2), self.data[7:9])
            self.assertEqual(layer.seek(10**9), 10**9)
            self.assertEqual(layer.read(), b"")
            self.assertRaises(ValueError, layer.seek, -1)
            self.assertRaises(ValueError, layer.seek, 0, 9)

    def test_layer__is_read_at_any_offset_by_many_threads(self):
        wrong = []
        with self.model.open("model.bin") as layer:
            def read(start):
                for offset in range(start, len(self.data), 65536):
                    room = bytearray(777)
                    n = layer.read_at(offset, room)
                    if room[:n] != self.data[offset:offset + 777]:
                        wrong.append(offset)
            threads = [threading.Thread(target=read, args=(i * 1000,)) for i in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(layer.tell(), 0)
            self.assertEqual(layer.read_at(len(self.data), bytearray(5)), 0)
        self.assertEqual(wrong, [])

    def test_layer__serves_the_standard_library(self):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, data in MODEL.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        with self.store.build() as builder:
            packed = builder.add_bytes(archive.getvalue(), "all.tar").commit("team/packed:v1")
        with io.BufferedReader(packed.open("all.tar")) as layer, tarfile.open(fileobj=layer) as tar:
            self.assertEqual({m.name: tar.extractfile(m).read() for m in tar}, MODEL)
        target = io.BytesIO()
        with packed.open(0) as layer:
            shutil.copyfileobj(layer, target)
        self.assertEqual(target.getvalue(), archive.getvalue())
        with io.TextIOWrapper(io.BufferedReader(self.model.open("sub/notes.md"))) as lines:
            self.assertEqual(lines.readlines(), ["# notes\n"])

    def test_layer__is_mapped_from_a_store(self):
        with self.model.mmap("model.bin") as mapped:
            self.assertEqual(mapped[:], self.data)
        with self.model.mmap("model.bin", mmap.ACCESS_COPY) as mapped:
            mapped[0:1] = b"!"
        fd = self.model.fd("model.bin")
        try:
            self.assertEqual(os.pread(fd, 10, 100), self.data[100:110])
            self.assertFalse(os.get_inheritable(fd))
        finally:
            os.close(fd)
        with mlreg.Session("memory:") as memory:
            self.assertRaises(mlreg.NotSupportedError, self.store.copy("team/tiny:v1", memory).fd, 0)

    def test_checkout__writes_the_files_that_are_wanted(self):
        self.model.checkout(self.dir / "all")
        found = {str(p.relative_to(self.dir / "all")): p.read_bytes() for p in (self.dir / "all").rglob("*") if p.is_file()}
        self.assertEqual(found, MODEL)
        self.model.checkout(str(self.dir / "some"), include=["*.bin", "sub/**"], exclude=["*.md", "sub/*.md"])
        self.assertEqual([p.name for p in (self.dir / "some").rglob("*") if p.is_file()], ["model.bin"])
        self.assertRaises(TypeError, self.model.checkout, self.dir / "none", include="*.bin")


class Memory(Case):
    def check(self, data, expected):
        with self.store.build() as builder:
            made = builder.add_bytes(data, "data.bin").commit("team/memory:v1", move=True)
        with made.open("data.bin") as layer:
            self.assertEqual(layer.read(), expected)

    def test_builder__takes_anything_with_a_buffer(self):
        data = os.urandom(3_000_000)
        self.check(data, data)
        self.check(bytearray(data), data)
        self.check(memoryview(data)[7:2_000_000], data[7:2_000_000])
        self.check(memoryview(data).toreadonly(), data)
        (self.dir / "file").write_bytes(data)
        with open(self.dir / "file", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            self.check(mapped, data)
        self.check(b"", b"")

    @has("numpy")
    def test_builder__takes_arrays(self):
        import numpy
        array = numpy.arange(1_000_000, dtype="<f4").reshape(1000, 1000)
        self.check(array, array.tobytes())
        array.setflags(write=False)
        self.check(array, array.tobytes())
        with self.store.build() as builder:
            self.assertRaises((BufferError, ValueError), builder.add_bytes, array.T[::2], "strided")

    def test_builder__holds_memory_until_it_is_done_and_no_longer(self):
        from mlreg import _builder
        data = bytearray(b"weights")
        builder = self.store.build().add_bytes(data, "a")
        self.assertRaises(BufferError, data.extend, b"more")
        self.assertRaises(mlreg.InvalidError, builder.add_bytes, data, "../outside")
        builder.commit("team/memory:v2")
        data.extend(b"more")
        builder.close()
        self.store.build().add_bytes(data, "a").close()
        data.extend(b"more")
        self.assertEqual(_builder._lent, {})

    def test_builder__config_annotations_and_tags(self):
        with self.store.build("application/vnd.example.v1") as builder:
            builder.set_config("application/vnd.example.config.v1+json", b'{"a":1}')
            builder.annotate({"org.example.a": "ä", "org.example.b": ""}).annotate(lone="x")
            builder.add_file(self.folder() / "config.json", title="conf/c.json", media_type="application/vnd.example.layer")
            made = builder.commit("team/made:v1", also=["latest", "v1.0"])
        self.assertEqual(made.config(), b'{"a":1}')
        self.assertEqual(made.annotations, {"org.example.a": "ä", "org.example.b": "", "lone": "x"})
        self.assertEqual(made.files, {"conf/c.json": 0})
        self.assertEqual(made.layers[0].media_type, "application/vnd.example.layer")
        self.assertEqual(made.descriptor.artifact_type, "application/vnd.example.v1")
        self.assertEqual(self.store.tags("team/made"), ["latest", "v1", "v1.0"])
        self.assertRaises(mlreg.StateError, builder.add_bytes, b"", "late")

    def test_builder__same_input_same_digest(self):
        self.assertEqual(self.built("team/a:v1").digest, self.built("team/b:v1").digest)


@unittest.skipUnless(OPEN_REGISTRIES, "no registries: run it under tests/bed/with-registries")
class Registries(Case):
    def test_registry__a_model_goes_there_and_comes_back(self):
        built = self.built()
        for location in OPEN_REGISTRIES:
            ca_file = os.environ.get("MLREG_TEST_CA_FILE") if location.startswith("https") else None
            with self.subTest(location), mlreg.Session(location, ca_file=ca_file) as hub:
                repo = f"python/{os.getpid()}"
                pushed = self.store.copy("team/tiny:v1", hub, f"{repo}:v1")
                self.assertEqual(pushed.digest, built.digest)
                with hub.resolve(f"{repo}:v1") as found, found.open("model.bin") as layer:
                    self.assertEqual(layer.read(), MODEL["model.bin"])
                    with found.open("model.bin", unverified=True) as early:
                        self.assertEqual(early.read(), MODEL["model.bin"])
                self.assertIn("v1", hub.tags(repo))
                target = pathlib.Path(self.dir, "out", location.split(":")[-1])
                target.parent.mkdir(exist_ok=True)
                pushed.checkout(target)
                self.assertEqual((target / "config.json").read_bytes(), MODEL["config.json"])
