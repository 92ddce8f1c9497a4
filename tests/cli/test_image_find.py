"""The models in images, of ours and of others: found by path and by content, and brought without the layers that hold others."""
import shutil
import subprocess
import unittest

from cli.program import Case, as_root, needs
from cli.service import safetensors

MODEL, OTHER = safetensors(2, 3, 5), safetensors(*range(1000))


class ImageFind(Case):
    def setUp(self):
        super().setUp()
        for path, data in {"app/opt/blob": MODEL, "app/opt/notes.txt": b"of one\n", "app/srv/old.safetensors": OTHER, "models/m.gguf": b"GGUF" + bytes(200_000),
                           "models/config.json": b"{}"}.items():
            (self.work / path).parent.mkdir(parents=True, exist_ok=True)
            (self.work / path).write_bytes(data)

    def found(self, ref, *path):
        return [(f["path"], f["bytes"], f["format"]) for f in self.json("image", "find", ref, *path)]

    def tool(self, *args):
        done = subprocess.run([str(a) for a in args], cwd=self.work, capture_output=True, text=True, timeout=120, env={**self.env, "TMPDIR": str(self.work)})
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done.stdout.strip()

    def ours(self, *pack):
        self.mlreg("image", "build", "--model", "models:/models", "--add", "app:/", "-t", "image:v1", *pack)
        return "image:v1"

    def test_image_find__models_by_their_content_whatever_they_are_called(self):
        for pack in (), ("--gzip",), ("--zstd",):
            with self.subTest(pack):
                ref = self.ours(*pack)
                self.assertEqual(self.found(ref), [("models/m.gguf", 200_004, "gguf"), ("opt/blob", len(MODEL), "safetensors"),
                                                   ("srv/old.safetensors", len(OTHER), "safetensors")])
        shown = self.mlreg("image", "find", ref).stdout.splitlines()
        self.assertRegex(shown[2], r"^safetensors +\d+ B +sha256:\w{12}…  /opt/blob$")

    def test_image_find__by_path_and_by_pattern(self):
        ref = self.ours()
        self.assertEqual([f[0] for f in self.found(ref, "--path", "/models")], ["models/config.json", "models/m.gguf"])
        self.assertEqual([f[0] for f in self.found(ref, "--path", "*.safetensors")], ["srv/old.safetensors"])
        self.assertEqual([f[0] for f in self.found(ref, "--path", "/**/b*")], ["opt/blob"])
        self.assertEqual(self.found(ref, "--path", "/nothing"), [])
        self.fails("image", "find", ref, "--path", "/../etc", says=r"\.\.")

    def test_image_find__what_is_no_image_is_said(self):
        self.built("model:v1")
        self.fails("image", "find", "model:v1", says="is no image", hint="checkout")

    @needs("distribution")
    def test_image_find__of_named_layers_only_the_beginning_moves_and_only_those_that_are_asked_for(self):
        there = self.registry("distribution")
        (self.work / "models" / "m.gguf").write_bytes(b"GGUF" + bytes(8_000_000))
        self.ours()
        self.mlreg("push", "image:v1", there.ref("image:v1"))
        self.assertEqual(self.found(there.ref("image:v1"), "--path", "/opt/blob"), [("opt/blob", len(MODEL), "safetensors")])
        moved = self.json("image", "unpack", there.ref("image:v1"), "app-alone", "--path", "/opt")["bytes_moved"]
        self.assertLess(moved, 1_000_000)
        self.assertEqual((self.work / "app-alone" / "blob").read_bytes(), MODEL)

    @needs("debian", "distribution")
    def test_image_find__of_layers_that_name_nothing_only_those_move_that_must(self):
        """A base of 8 MB below, a model in a layer of its own in between, code on top."""
        for kind in "debian", "distribution":
            with self.subTest(kind):
                ref = self.registry(kind).ref("image:v1")
                (self.work / "base").mkdir()
                (self.work / "base" / "libc").write_bytes(self.random.randbytes(8_000_000))
                self.mlreg("image", "build", "--add", "base:/usr/lib", "--add", "app/opt:/opt", "--add", "app/srv:/srv", "--gzip", "-t", ref)
                layer = next(f["layer"] for f in self.json("image", "find", ref) if f["path"] == "opt/blob")
                moved = self.json("image", "unpack", ref, "alone", "--path", "/opt/blob")["bytes_moved"]
                self.assertLess(moved, 100_000)
                self.assertEqual(self.snapshot(self.work / "alone"), {"blob": MODEL})
                moved = self.json("image", "unpack", ref, "layer", "--layer", layer[7:19])["bytes_moved"]
                self.assertLess(moved, 100_000)
                self.assertEqual(self.snapshot(self.work / "layer"), {"opt/blob": MODEL, "opt/notes.txt": b"of one\n"})
                moved = self.json("image", "unpack", ref, "whole", "--path", "/opt")["bytes_moved"]
                self.assertGreater(moved, 8_000_000)
                self.fails("image", "unpack", ref, "none", "--layer", "sha256:0123", says='no layer "sha256:0123"', hint="inspect")
                for name in "base", "alone", "layer", "whole":
                    shutil.rmtree(self.work / name)

    # ---- images of others ----

    def like_theirs(self, ref):
        """Two layers, the second of which removes a model that the first one had."""
        shown = self.json("inspect", ref)
        self.assertEqual(len(shown["layers"]), 2)
        self.assertEqual(self.found(ref), [("opt/blob", len(MODEL), "safetensors")])
        self.assertEqual([f[0] for f in self.found(ref, "--path", "/srv")], [])
        self.mlreg("image", "unpack", ref, "theirs")
        self.assertEqual(self.snapshot(self.work / "theirs"), {"opt/blob": MODEL, "opt/notes.txt": b"of one\n"})
        self.mlreg("image", "unpack", ref, "part", "--path", "/opt/blob")
        self.assertEqual(self.snapshot(self.work / "part"), {"blob": MODEL})
        for name in "theirs", "part":
            shutil.rmtree(self.work / name)
        return shown

    def of_umoci(self):
        """By unpack and repack: the tars of `umoci insert` have no end, which GNU tar refuses as well."""
        self.tool("umoci", "init", "--layout", "umoci")
        self.tool("umoci", "new", "--image", "umoci:v1")
        for step in "cp -r app/. bundle/rootfs/", "rm bundle/rootfs/srv/old.safetensors":
            self.tool("umoci", "unpack", "--rootless", "--image", "umoci:v1", "bundle")
            self.tool("sh", "-c", step)
            self.tool("umoci", "repack", "--image", "umoci:v1", "bundle")
            shutil.rmtree(self.work / "bundle")
        return "umoci:v1"

    @unittest.skipUnless(shutil.which("umoci"), "no umoci: run tests/bed/install")
    def test_image_find__in_an_image_of_umoci(self):
        self.like_theirs("oci:" + self.of_umoci())

    @needs("distribution")
    @unittest.skipUnless(shutil.which("umoci") and shutil.which("skopeo"), "needs umoci and skopeo: run tests/bed/install")
    def test_image_find__in_an_image_of_docker_s_schema(self):
        ref = self.registry("distribution").ref("docker:v1")
        self.skopeo("--insecure-policy", "copy", "--format", "v2s2", "--dest-tls-verify=false", "oci:" + self.of_umoci(), f"docker://{ref}")
        self.assertEqual(self.like_theirs(ref)["mediaType"], "application/vnd.docker.distribution.manifest.v2+json")

    @as_root
    @unittest.skipUnless(shutil.which("buildah"), "no buildah: run tests/bed/install")
    def test_image_find__in_an_image_of_buildah(self):
        buildah = ["buildah", "--root", self.work / "storage", "--runroot", self.work / "runroot", "--storage-driver", "vfs"]
        first = self.tool(*buildah, "from", "scratch")
        self.tool(*buildah, "copy", first, "app", "/")
        image = self.tool(*buildah, "commit", "--quiet", first)
        second = self.tool(*buildah, "from", image)
        mounted = self.tool(*buildah, "mount", second)
        self.tool("rm", f"{mounted}/srv/old.safetensors")
        self.tool(*buildah, "commit", "--quiet", second, "oci:buildah:v1")
        self.like_theirs("oci:buildah:v1")
