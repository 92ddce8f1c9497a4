"""The main job with every real registry: from a folder to the store, to the registry, back to another store and to files."""
import json
import shutil
import unittest
import unittest.mock

from cli.oci import INDEX, Artifact, Index, write_layout
from cli.program import FAILED, USAGE, Case, location, needs


class MainJob:
    """Inherited by one class per registry, so that each test has its registry in its name."""

    kind = None

    def setUp(self):
        super().setUp()
        self.there = self.registry(self.kind)

    def test_registry__a_model_goes_there_and_comes_back(self):
        folder, digest = self.built("tiny:v1", weights=3_000_000)
        ref = self.there.ref("tiny:v1")
        self.assertEqual(self.json("push", "tiny:v1", ref)["digest"], digest)
        self.assertEqual(self.json("tags", self.there.ref("tiny")), ["v1"])
        self.assertEqual(self.json("inspect", ref)["digest"], digest)
        second = self.work / "second"
        pulled = self.json("pull", ref, "--store", second)
        self.assertEqual(pulled["digest"], digest)
        self.assertGreater(pulled["bytes_moved"], 3_000_000)
        self.assertSound(second)
        self.mlreg("copy", f"store:{pulled['reference']}", "dir:from-store", "--store", second)
        self.assertSameFiles(folder, self.work / "from-store")
        self.mlreg("pull", ref, "-o", "direct")
        self.assertSameFiles(folder, self.work / "direct")

    def test_registry__what_is_there_is_not_moved(self):
        folder, _ = self.built("tiny:v1")
        ref = self.there.ref("tiny:v1")
        self.assertGreater(self.json("push", "tiny:v1", ref)["bytes_moved"], 200_000)
        self.assertEqual(self.json("push", "tiny:v1", ref)["bytes_moved"], 0)
        self.json("pull", ref, "--store", "second")
        self.assertEqual(self.json("pull", ref, "--store", "second")["bytes_moved"], 0)
        self.json("pull", ref, "-o", "out")
        self.assertEqual(self.json("pull", ref, "-o", "out")["bytes_moved"], 0)

    def test_registry__one_changed_file_moves_alone(self):
        folder, _ = self.built("tiny:v1")
        v1, v2 = self.there.ref("tiny:v1"), self.there.ref("tiny:v2")
        self.mlreg("push", "tiny:v1", v1)
        self.mlreg("pull", v1, "--store", "second")
        self.mlreg("pull", v1, "-o", "out")
        with open(folder / "README.md", "a") as f:
            f.write("A line more.\n")
        self.mlreg("build", folder, "-t", "tiny:v2")
        for words in (["push", "tiny:v2", v2], ["pull", v2, "--store", "second"], ["pull", v2, "-o", "out"]):
            moved = self.json(*words)["bytes_moved"]
            self.assertTrue(0 < moved < 5000, f"{words}: {moved}")
        self.assertSameFiles(folder, self.work / "out")

    def test_registry__straight_from_a_folder_and_by_all_forms_of_push(self):
        folder = self.model()
        direct = self.json("push", folder, self.there.ref("direct:v1"))
        self.assertFalse(self.store.exists(), "a push of a folder needs no store")
        kept = self.json("push", folder, "kept:v1", self.there.ref("kept:v1"))
        self.assertEqual([a["name"] for a in self.json("ls")], ["kept:v1"])
        self.assertEqual(self.json("push", "kept:v1", self.there.ref("again:v1"))["digest"], kept["digest"])
        self.assertEqual(direct["digest"], kept["digest"])
        for name in "direct", "kept", "again":
            self.mlreg("pull", self.there.ref(f"{name}:v1"), "-o", name)
            self.assertSameFiles(folder, self.work / name)

    def test_registry__the_whole_name_goes_round(self):
        folder, digest = self.built("tiny:v1")
        ref = self.there.ref("tiny:v1")
        self.mlreg("push", "tiny:v1", ref)
        stored = self.json("pull", ref, "--store", "second")["reference"]
        self.assertEqual([a["name"] for a in self.json("ls", "--store", "second")], [stored])
        self.assertEqual(ref.removeprefix("https://"), stored)
        self.assertEqual(self.json("push", ref, "--store", "second"), {**self.json("push", ref, "--store", "second"), "elapsed_ms": unittest.mock.ANY})
        self.assertEqual(self.json("inspect", ref)["digest"], digest)

    def test_registry__digests_stand_wherever_tags_do(self):
        folder, digest = self.built("tiny:v1")
        self.mlreg("push", f"tiny@{digest}", self.there.ref("tiny:v1"))
        ref = self.there.ref(f"tiny@{digest}")
        self.assertEqual(self.json("inspect", ref)["digest"], digest)
        self.assertEqual(self.mlreg("cat", ref, "README.md").stdout, (folder / "README.md").read_text())
        self.mlreg("pull", ref, "-o", "out")
        self.assertSameFiles(folder, self.work / "out")
        self.assertEqual(self.json("pull", ref, "--store", "second")["digest"], digest)
        self.assertEqual(self.json("push", ref, "--store", "second")["bytes_moved"], 0)
        self.assertEqual(self.json("copy", ref, "mine:v1", "--store", "third")["digest"], digest)

    def test_registry__a_tag_on_something_else_is_moved_only_when_asked(self):
        folder, first = self.built("tiny:v1")
        ref = self.there.ref("tiny:v1")
        self.mlreg("push", "tiny:v1", ref)
        (folder / "README.md").write_text("changed\n")
        second = self.json("build", folder, "-t", "tiny:v2")["digest"]
        for words in (["push", "tiny:v2", ref], ["push", folder, ref], ["copy", "tiny:v2", ref]):
            self.fails(*words, says=f"{ref}.*{first}", hint="--move")
            self.assertEqual(self.json("inspect", ref)["digest"], first)
        self.mlreg("push", "tiny:v2", self.there.ref("tiny:v2"))
        self.fails("tag", self.there.ref("tiny:v2"), ref, says="there already", hint="--move")
        self.assertEqual(self.json("push", "tiny:v2", ref, "--move")["digest"], second)
        self.assertEqual(self.json("inspect", ref)["digest"], second)

    def test_registry__tag_and_rm_work_there(self):
        folder, digest = self.built("tiny:v1")
        self.mlreg("push", "tiny:v1", self.there.ref("tiny:v1"))
        self.assertEqual(self.json("tag", self.there.ref("tiny:v1"), self.there.ref("tiny:latest"))["digest"], digest)
        self.assertEqual(self.json("tags", self.there.ref("tiny")), ["latest", "v1"])
        self.mlreg("rm", self.there.ref("tiny:v1"))
        self.assertEqual(self.json("tags", self.there.ref("tiny")), ["latest"])
        self.assertEqual(self.json("inspect", self.there.ref("tiny:latest"))["digest"], digest)

    def test_registry__what_is_missing_is_said(self):
        self.built("tiny:v1")
        self.mlreg("push", "tiny:v1", self.there.ref("tiny:v1"))
        for words in (["pull"], ["inspect"], ["rm"]):
            ref = self.there.ref("tiny:nope")
            self.fails(*words, ref, says=f"{ref}.*", hint=f"mlreg tags {self.there.ref('tiny')}`")
        self.fails("pull", self.there.ref("nope:v1"), says="nope", hint=None)
        self.fails("tags", self.there.ref("nope"), says="nope", hint=None)

    def test_registry__ranges_are_read_without_the_rest(self):
        folder, _ = self.built("tiny:v1")
        ref = self.there.ref("tiny:v1")
        self.mlreg("push", "tiny:v1", ref)
        data = (folder / "model.safetensors").read_bytes()
        for extra in [], ["--unverified"]:
            self.assertEqual(self.mlreg("cat", ref, "model.safetensors", "--range", "100-1099", *extra, text=False).stdout, data[100:1100])
            self.assertEqual(self.mlreg("cat", ref, "model.safetensors", *extra, text=False).stdout, data)

    def test_registry__copies_go_between_all_kinds_of_places(self):
        folder, digest = self.built("tiny:v1")
        a, b = self.there.ref("a:v1"), self.there.ref("b:v1")
        self.assertEqual(self.json("copy", "tiny:v1", a)["digest"], digest)
        self.assertEqual(self.json("copy", a, b)["digest"], digest)
        self.assertEqual(self.json("copy", b, "oci:layout")["digest"], digest)
        self.assertEqual(self.json("copy", "oci:layout:v1", self.there.ref("c:v2"))["digest"], digest)
        self.assertEqual(self.json("copy", f"dir:{folder}", self.there.ref("d:v1"))["digest"], digest)
        self.mlreg("copy", self.there.ref("c:v2"), "dir:out")
        self.assertSameFiles(folder, self.work / "out")
        self.assertEqual(self.json("copy", self.there.ref("d:v1"), "back:v1")["digest"], digest)

    def test_registry__an_index_takes_its_children_along(self):
        """Nested, with an unknown media type: everything arrives byte for byte, and can be read child by child."""
        cpu = Artifact([("cpu.bin", b"for cpus")])
        gpu = Artifact([("gpu.bin", b"for gpus" * 1000)], artifactType="application/vnd.example.unheard-of.v7")
        inner = Index([(gpu, {"os": "linux", "architecture": "arm64", "variant": "v8"})])
        index = Index([(cpu, {"os": "linux", "architecture": "amd64"}), (inner, None)], annotations={"note": "x"})
        write_layout(self.work / "layout", v1=index)
        ref = self.there.ref("index:v1")
        self.assertEqual(self.json("copy", "oci:layout:v1", ref)["digest"], index.digest)
        self.assertEqual(self.json("pull", ref, "--store", "second")["digest"], index.digest)
        self.assertSound(self.work / "second")
        seen = self.json("inspect", ref)
        self.assertEqual([(m["digest"], m["platform"]) for m in seen["manifests"]], [(cpu.digest, "linux/amd64"), (inner.digest, None)])
        self.assertEqual(self.mlreg("cat", self.there.ref(f"index@{gpu.digest}"), "gpu.bin").stdout, "for gpus" * 1000)
        self.mlreg("pull", ref, "-o", "chosen", "--platform", "linux/amd64")
        self.assertEqual((self.work / "chosen" / "cpu.bin").read_text(), "for cpus")
        self.mlreg("pull", ref, "-o", "inner", "--platform", "linux/arm64")
        self.assertEqual((self.work / "inner" / "gpu.bin").read_text(), "for gpus" * 1000)
        self.fails("cat", ref, "gpu.bin", says="is an index", hint="--variant NAME")
        self.assertEqual(self.json("copy", f"store:{ref.removeprefix('https://')}", "oci:out:v1", "--store", "second")["digest"], index.digest)
        self.assertEqual(self.snapshot(self.work / "out" / "blobs"), self.snapshot(self.work / "layout" / "blobs"))

    def test_registry__referrers_come_along_when_asked(self):
        """Through the API where there is one, through the fallback tag elsewhere."""
        subject = Artifact([("model.bin", b"weights")])
        signature = Artifact([("sig", b"signed")], artifactType="application/vnd.example.signature", subject=subject.descriptor())
        write_layout(self.work / "layout", v1=subject, sig=signature)
        ref = self.there.ref("signed:v1")
        self.mlreg("copy", "oci:layout:v1", ref, "--referrers")
        expected = [{"digest": signature.digest, "artifactType": "application/vnd.example.signature"}]
        self.assertEqual(self.json("inspect", ref)["referrers"], expected)
        self.mlreg("pull", ref, "--store", "plain")
        stored = "store:" + ref.removeprefix("https://")
        self.assertEqual(self.json("inspect", stored, "--store", "plain")["referrers"], [])
        self.mlreg("pull", ref, "--referrers", "--store", "full")
        self.assertEqual(self.json("inspect", stored, "--store", "full")["referrers"], expected)
        self.assertSound(self.work / "full")
        self.assertIn("application/vnd.example.signature", self.mlreg("inspect", ref).stdout)

    def test_registry__verbose_tells_the_requests_and_no_secret(self):
        self.built("tiny:v1")
        done = self.mlreg("push", "tiny:v1", self.there.ref("tiny:v1"), "-v")
        self.assertRegex(done.stderr, r"(?m)^mlreg: .*(PUT|POST|HEAD)")
        self.assertNotRegex(done.stderr, r"(?i)(basic|bearer) [A-Za-z0-9+/]{8}")

    def test_registry__quiet_says_nothing(self):
        self.built("tiny:v1")
        done = self.mlreg("push", "tiny:v1", self.there.ref("tiny:v1"), "-q")
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"^sha256:[0-9a-f]{64}\n$")


@needs("debian")
class Debian(MainJob, Case):
    kind = "debian"


@needs("htpasswd")
class Htpasswd(MainJob, Case):
    kind = "htpasswd"


@needs("distribution")
class Distribution(MainJob, Case):
    kind = "distribution"


@needs("token")
class Token(MainJob, Case):
    kind = "token"


@needs("tls")
class Tls(MainJob, Case):
    kind = "tls"


@needs("redirect")
class Redirect(MainJob, Case):
    kind = "redirect"


@needs("go")
class Go(MainJob, Case):
    kind = "go"


@needs("debian", "distribution")
class Between(Case):
    def test_between__a_model_is_promoted_from_registry_to_registry(self):
        one, other = self.registry("debian"), self.registry("distribution")
        folder, digest = self.built("tiny:v1")
        self.mlreg("push", "tiny:v1", one.ref("tiny:v1"))
        shutil.rmtree(self.store)
        self.assertEqual(self.json("copy", one.ref("tiny:v1"), other.ref("tiny"))["digest"], digest)
        self.assertFalse(self.store.exists(), "no store is needed on the way")
        self.mlreg("pull", other.ref("tiny:v1"), "-o", "out")
        self.assertSameFiles(folder, self.work / "out")

    def test_between__repositories_of_one_registry_blobs_are_mounted(self):
        there = self.registry("distribution")
        folder, digest = self.built("tiny:v1", weights=1_000_000)
        self.mlreg("push", "tiny:v1", there.ref("a:v1"))
        self.assertEqual(self.json("copy", there.ref("a:v1"), there.ref("b:v1"))["bytes_moved"], 0)
