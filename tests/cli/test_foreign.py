"""Layers that are not to be distributed: they stay at their address, with every place saying where that is, until somebody wants them all the same."""
import base64
import gzip
import io
import json
import tarfile

from cli.oci import EMPTY, MANIFEST, Artifact, descriptor, digest, write_layout
from cli.program import USAGE, Case, needs

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER, FOREIGN = "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar"


def tar_of(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


@needs("distribution")
class ForeignLayers(Case):
    def setUp(self):
        super().setUp()
        self.ours, self.theirs = tar_of(ours=b"ours\n"), tar_of(theirs=self.random.randbytes(300_000))
        self.there = self.registry("distribution")

    def serve(self, data):
        """Who gives the layer away himself."""
        return self.evil([{"path": "/layer.tar", "body_base64": base64.b64encode(data).decode()}])

    def image(self, ref, *urls):
        """An image of two layers, as its maker pushes it: the second one is somewhere else."""
        return self.make(ref, [descriptor(self.ours, LAYER), descriptor(self.theirs, FOREIGN, urls=list(urls))], [self.ours, self.theirs])

    def make(self, ref, layers, plain, manifest=MANIFEST, config_type=CONFIG):
        config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in plain]}}).encode()
        made = Artifact([("", self.ours)], config, artifactType=None, mediaType=manifest, layers=layers)
        made.data = made.data.replace(EMPTY.encode(), config_type.encode())
        made.digest = digest(made.data)
        write_layout(self.work / "theirs", v1=made)
        self.mlreg("copy", "oci:theirs:v1", ref)
        return made

    def asked(self, server):
        return len(server.requests())

    def test_foreign__stay_where_they_are_from_place_to_place(self):
        vendor = self.serve(self.theirs)
        made = self.image(self.there.ref("image:v1"), f"http://{vendor.host}/layer.tar")
        self.mlreg("copy", self.there.ref("image:v1"), "mine:v1")
        self.mlreg("copy", self.there.ref("image:v1"), self.there.ref("again:v1"))
        self.mlreg("push", "mine:v1", self.there.ref("pushed:v1"))
        self.mlreg("copy", "mine:v1", "oci:out:v1")
        self.assertSound()
        self.assertEqual(self.json("inspect", self.there.ref("again:v1"))["digest"], made.digest)
        self.assertNotIn(digest(self.theirs)[7:], {p.name for p in self.files(self.work / "out")})
        self.assertEqual(self.asked(vendor), 0)

    def test_foreign__a_copy_fetches_what_is_asked_for(self):
        vendor = self.serve(self.theirs)
        ref = self.there.ref("image:v1")
        self.image(ref, f"http://{vendor.host}/gone", f"http://{vendor.host}/layer.tar")
        self.fails("image", "unpack", ref, "rootfs", says=digest(self.theirs)[:20], hint=f"--foreign fetches it from http://{vendor.host}/gone")
        self.mlreg("copy", ref, "oci:whole:v1", "--foreign")
        self.mlreg("image", "unpack", "oci:whole:v1", "rootfs")
        self.fails("copy", ref, "dir:out", "--foreign", says="layers that are there", hint="pull REF --foreign", status=USAGE)
        self.assertEqual(self.snapshot(self.work / "rootfs")["ours"], b"ours\n")
        self.assertEqual(len(self.snapshot(self.work / "rootfs")), 2)
        self.assertEqual([r["path"] for r in vendor.requests()], ["/gone", "/layer.tar"])
        self.assertEqual([n for r in vendor.requests() for n, _ in r["headers"] if n.lower() == "authorization"], [])

    def test_foreign__not_every_address_of_very_many_is_tried(self):
        vendor = self.serve(self.theirs)
        ref = self.there.ref("image:v1")
        self.image(ref, *(f"http://{vendor.host}/gone/{i}" for i in range(100)))
        self.fails("copy", ref, "oci:whole:v1", "--foreign", says="/gone/15", hint="it must come from")
        self.assertEqual(len({r["path"] for r in vendor.requests()}), 16)

    def test_foreign__unpacking_fetches_what_is_asked_for_and_keeps_none_of_it(self):
        vendor = self.serve(self.theirs)
        ref = self.there.ref("image:v1")
        self.image(ref, f"http://{vendor.host}/gone", f"http://{vendor.host}/layer.tar")
        self.mlreg("copy", ref, "mine:v1")
        before = self.snapshot(self.store)
        for name, where in ("far", ref), ("near", "mine:v1"):
            self.mlreg("image", "unpack", where, name, "--foreign")
            self.assertEqual(self.snapshot(self.work / name)["ours"], b"ours\n")
            self.assertEqual(sorted(self.snapshot(self.work / name)), ["ours", "theirs"])
        self.mlreg("image", "unpack", ref, "part", "--path", "theirs", "--foreign")
        self.assertEqual(sorted(self.snapshot(self.work / "part")), ["theirs"])
        self.assertEqual([r["path"] for r in vendor.requests()], ["/gone", "/layer.tar"] * 3)
        self.assertEqual([n for r in vendor.requests() for n, _ in r["headers"] if n.lower() == "authorization"], [])
        self.assertEqual(self.snapshot(self.store), before)

    def test_foreign__unpacking_is_guarded_and_checked_as_a_copy_is(self):
        vendor = self.serve(bytes(len(self.theirs)))
        ref = self.there.ref("image:v1")
        self.image(ref, f"http://{vendor.host}/layer.tar")
        self.fails("image", "unpack", ref, "rootfs", "--foreign", says=digest(self.theirs)[:20])
        asked = self.asked(vendor)
        self.mlreg("copy", ref, "oci:out:v1")
        self.fails("image", "unpack", "oci:out:v1", "rootfs", "--foreign", says="leads to 127.0.0.1|127.0.0.1", hint="must come from")
        self.assertEqual(self.asked(vendor), asked)
        self.assertFalse((self.work / "rootfs").exists())

    def test_foreign__whoever_reads_without_asking_is_told_where_they_are(self):
        ref, url = self.there.ref("image:v1"), "http://127.0.0.1:9/layer.tar"
        self.image(ref, url)
        self.mlreg("copy", ref, "mine:v1")
        self.mlreg("copy", ref, "oci:out:v1")
        for where in ref, "mine:v1", "oci:out:v1":
            for words in (["image", "unpack", where, "rootfs"], ["image", "find", where], ["image", "find", where, "--path", "theirs"], ["copy", where, "dir:out-files"]):
                with self.subTest(words):
                    done = self.fails(*words, says=digest(self.theirs)[:20], hint="--foreign")
                    self.assertIn(url, done.stderr)
        self.assertFalse((self.work / "rootfs").exists())
        self.assertEqual(self.snapshot(self.work / "out-files"), {})

    def test_foreign__a_store_says_where_they_are_and_gets_them_later(self):
        vendor = self.serve(self.theirs)
        ref = self.there.ref("image:v1")
        url = f"http://{vendor.host}/layer.tar"
        self.image(ref, url)
        self.mlreg("copy", ref, "mine:v1")
        record, = (self.store / ".mlreg" / "absent").iterdir()
        self.assertEqual((record.name, json.loads(record.read_text())["url"]), (digest(self.theirs)[7:], url))
        self.mlreg("gc", "--grace", "0")
        self.assertTrue(record.exists())
        self.fails("image", "unpack", "mine:v1", "rootfs", says=f"not to be distributed, and was left where it is: {url}", hint="--foreign")
        self.mlreg("copy", "mine:v1", "second:v1")
        self.mlreg("copy", "second:v1", "whole:v1", "--foreign")
        self.mlreg("image", "unpack", "whole:v1", "rootfs")
        self.assertEqual(len(self.snapshot(self.work / "rootfs")), 2)
        self.assertEqual(self.asked(vendor), 1)
        self.assertSound()

    def test_foreign__of_a_layout_are_asked_for_by_nobody_in_particular(self):
        """Nobody named this machine: a stranger's address does not lead to it."""
        vendor = self.serve(self.theirs)
        self.image("mine:v1", f"http://{vendor.host}/layer.tar")
        self.mlreg("copy", "mine:v1", "oci:out:v1")
        self.fails("copy", "oci:out:v1", "whole:v1", "--foreign", says="leads to 127.0.0.1|127.0.0.1", hint="must come from")
        self.assertEqual(self.asked(vendor), 0)

    def test_foreign__without_a_network_the_address_is_said(self):
        ref = self.there.ref("image:v1")
        self.image(ref, "http://127.0.0.1:9/layer.tar")
        self.fails("copy", "--foreign", ref, "oci:out:v1", says=r"127\.0\.0\.1:9|refused", hint="must come from http://127.0.0.1:9/layer.tar")
        self.fails("inspect", "oci:out:v1", says="not there|no artifact")

    def test_foreign__other_bytes_at_the_address_are_refused(self):
        vendor = self.serve(bytes(len(self.theirs)))
        ref = self.there.ref("image:v1")
        self.image(ref, f"http://{vendor.host}/layer.tar")
        self.fails("copy", "--foreign", ref, "oci:out:v1", says=digest(self.theirs)[:20])

    def test_foreign__of_a_base_stay_with_their_address(self):
        packed = gzip.compress(self.theirs, mtime=0)
        vendor = self.serve(packed)
        url = f"http://{vendor.host}/layer.tar"
        docker = "application/vnd.docker."
        self.make(self.there.ref("base:v1"), [descriptor(self.ours, docker + "image.rootfs.diff.tar"),
                                              descriptor(packed, docker + "image.rootfs.foreign.diff.tar.gzip", urls=[url])],
                  [self.ours, self.theirs], docker + "distribution.manifest.v2+json", docker + "container.image.v1+json")
        (self.work / "app").write_text("code\n")
        for ref in "svc:v1", self.there.ref("svc:v1"):
            with self.subTest(ref):
                self.mlreg("image", "build", "--base", self.there.ref("base:v1"), "--add", "app:/app", "-t", ref)
        self.assertSound()
        self.mlreg("copy", "svc:v1", "oci:out:v1")
        index = json.loads((self.work / "out" / "index.json").read_text())
        manifest = json.loads((self.work / "out" / "blobs" / "sha256" / index["manifests"][0]["digest"][7:]).read_text())
        self.assertEqual((manifest["layers"][1]["mediaType"], manifest["layers"][1]["urls"]), (FOREIGN + "+gzip", [url]))
        self.assertEqual(self.asked(vendor), 0)
