"""Other tools read what we write and we read what they write: Debian's skopeo, both ways, with equal digests."""
import json
import shutil
import unittest

from bed.house import ROOT, run
from cli.oci import INDEX, Artifact, Index, digest, write_layout
from cli.program import Case, needs

has_skopeo = unittest.skipUnless(shutil.which("skopeo"), "skopeo is not here: run tests/bed/install")
PLAIN = ["--src-tls-verify=false", "--dest-tls-verify=false"]


@has_skopeo
@needs("debian")
class Skopeo(Case):
    def setUp(self):
        super().setUp()
        self.there = self.registry("debian")

    def copies(self, *args):
        self.skopeo("copy", "--preserve-digests", *PLAIN, *args)

    def test_skopeo__reads_a_repository_of_the_store_as_a_layout(self):
        folder, expected = self.built("team/m:v1")
        raw = self.skopeo("inspect", "--raw", f"oci:{self.store}/team/m:v1").stdout
        self.assertEqual(digest(raw.encode()), expected)
        self.copies(f"oci:{self.store}/team/m:v1", "oci:theirs:v1")
        self.assertEqual(self.json("inspect", "oci:theirs:v1")["digest"], expected)
        self.mlreg("copy", "oci:theirs:v1", "dir:out")
        self.assertSameFiles(folder, self.work / "out")
        self.assertSound()

    def test_skopeo__takes_what_we_pushed_and_we_take_it_back(self):
        folder, expected = self.built("m:v1")
        self.mlreg("push", "m:v1", self.there.ref("m:v1"))
        self.copies(f"docker://{self.there.ref('m:v1')}", "oci:layout:v1")
        self.assertEqual(self.json("copy", "oci:layout:v1", "back:v1", "--store", "second")["digest"], expected)
        self.assertSound(self.work / "second")
        self.mlreg("copy", "back:v1", "dir:out", "--store", "second")
        self.assertSameFiles(folder, self.work / "out")

    def test_skopeo__sends_from_our_store_and_we_pull_it(self):
        folder, expected = self.built("m:v1")
        self.copies(f"oci:{self.store}/m:v1", f"docker://{self.there.ref('theirs:v1')}")
        self.assertEqual(self.json("pull", self.there.ref("theirs:v1"), "--store", "second")["digest"], expected)
        self.assertEqual(self.json("push", "m:v1", self.there.ref("theirs:v1"))["bytes_moved"], 0)

    def test_skopeo__moves_an_index_of_ours_with_all_its_children(self):
        index = Index([(Artifact([(f"{a}.bin", a.encode() * 1000)]), {"os": "linux", "architecture": a}) for a in ("amd64", "arm64")])
        write_layout(self.work / "layout", v1=index)
        self.mlreg("copy", "oci:layout:v1", self.there.ref("i:v1"))
        self.copies("--all", f"docker://{self.there.ref('i:v1')}", "oci:theirs:v1")
        self.assertEqual(self.json("copy", "oci:theirs:v1", "i:v1")["digest"], index.digest)
        self.copies("--all", f"oci:{self.store}/i:v1", f"docker://{self.there.ref('again:v1')}")
        self.assertEqual(self.json("inspect", self.there.ref("again:v1"))["digest"], index.digest)
        self.assertSound()

    def test_skopeo__an_image_is_carried_through_registry_and_store(self):
        """Not a model at all: gzip layers and an image's config, byte for byte."""
        import gzip
        import io
        import tarfile
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            entry = tarfile.TarInfo("etc/motd")
            entry.size = 5
            tar.addfile(entry, io.BytesIO(b"hello"))
        blob = gzip.compress(stream.getvalue(), mtime=0)
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(stream.getvalue())]}, "config": {}}).encode()
        image = Artifact([], config=config, artifactType=None,
                         layers=[{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(blob), "size": len(blob)}])
        manifest = json.loads(image.data)
        manifest["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json"
        image.data = json.dumps(manifest).encode()
        image.digest = digest(image.data)
        image.blobs[digest(blob)] = blob
        write_layout(self.work / "layout", v1=image)
        self.copies("oci:layout:v1", f"docker://{self.there.ref('image:v1')}")
        self.assertEqual(self.json("pull", self.there.ref("image:v1"))["digest"], image.digest)
        self.assertEqual(self.json("push", self.there.ref("image:v1"))["bytes_moved"], 0)
        path = self.there.ref("image").replace(":", "+")    # as the store writes a port, for tools that split at the first colon
        self.copies(f"oci:{self.store}/{path}:v1", "oci:theirs:v1")
        self.assertEqual(self.json("inspect", "oci:theirs:v1")["digest"], image.digest)
        self.mlreg("pull", self.there.ref("image:v1"), "-o", "out")
        self.assertEqual((self.work / "out" / "etc" / "motd").read_text(), "hello")

    def test_skopeo__sees_the_tags_we_made(self):
        self.built("m:v1")
        for tag in "v1", "v2", "latest":
            self.mlreg("push", "m:v1", self.there.ref(f"m:{tag}"))
        seen = json.loads(self.skopeo("list-tags", "--tls-verify=false", f"docker://{self.there.ref('m')}").stdout)
        self.assertEqual(sorted(seen["Tags"]), self.json("tags", self.there.ref("m")))

    @needs("htpasswd")
    def test_skopeo__uses_what_our_login_kept(self):
        there = self.registry("htpasswd")
        _, expected = self.built("m:v1")
        self.mlreg("push", "m:v1", there.ref("m:v1"))
        raw = self.skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{there.ref('m:v1')}").stdout
        self.assertEqual(digest(raw.encode()), expected)
