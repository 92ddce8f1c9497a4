"""Variants, as users meet them: one name for several machines, made, changed, chosen from, moved whole and in part."""
import json
import os
import pathlib
import re
import shutil
import subprocess

from cli.oci import EMPTY, Artifact, Index, digest, rules, write_layout
from cli.program import FAILED, USAGE, Case, needs

PREFIX = "io.github.libmlreg.variant."
PC = {"architecture": "amd64", "variant": "v3", "cpu_features": ["avx2"], "memory_bytes": 16 * 10**9}
GPU = {**PC, "accelerators": [{"kind": "cuda", "name": "NVIDIA A100", "compute": "8.0", "memory_bytes": 80 * 10**9, "driver": "535.183", "runtime": "12.2"}]}
ARM = {"architecture": "arm64", "memory_bytes": 8 * 10**9}
IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"


def tool(name):
    """A client that tests/bed/install put in place, or None."""
    found = shutil.which(name)
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "mlreg-tests"
    return found or next((str(p) for p in cache.glob(f"{name}-*/{name}")), None)


class Image(Artifact):
    """An image of no layer, which says what it runs on."""

    def __init__(self, name, arch):
        config = json.dumps({"architecture": arch, "os": "linux", "config": {"Labels": {"name": name}}, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        super().__init__(config=config, artifactType=None)
        self.data = self.data.replace(EMPTY.encode(), IMAGE_CONFIG.encode())
        self.digest = digest(self.data)


class Bed(Case):
    def setUp(self):
        super().setUp()
        for name, machine in ("pc", PC), ("gpu", GPU), ("arm", ARM):
            (self.work / f"{name}.json").write_text(json.dumps(machine))

    def model_of(self, *names):
        """One artifact each, in the store, of one file that holds its name."""
        for name in names:
            folder = self.work / f"model-{name}"
            folder.mkdir()
            (folder / "model.bin").write_text(f"for {name}\n")
            self.mlreg("build", folder, "-t", f"m:{name}", "-q")

    def index(self, ref="m:v1", *more):
        self.model_of("cuda", "cpu", "arm")
        return self.json("index", "create", "-t", ref, "cuda=m:cuda,platform=linux/amd64,compute=8.0,memory=40GB", "cpu=m:cpu,platform=linux/amd64",
                         "arm=m:arm,platform=linux/arm64,accelerator=none", *more)

    def files_for(self, ref, machine, *more):
        folder = self.work / f"out-{os.urandom(4).hex()}"
        self.mlreg("copy", ref, f"dir:{folder}", "--host", f"{machine}.json", *more)
        return (folder / "model.bin").read_text()


class Store(Bed):
    def test_index__is_created_added_to_and_removed_from(self):
        made = self.index()
        self.assertEqual(made["variants"], 3)
        seen = self.json("inspect", "m:v1")
        self.assertEqual([m["annotations"][PREFIX + "name"] for m in seen["manifests"]], ["cpu", "arm", "cuda"], "plain entries stand first")
        self.assertEqual(seen["manifests"][2]["annotations"], {PREFIX + "name": "cuda", PREFIX + "accelerator": "cuda", PREFIX + "compute": "8.0",
                                                               PREFIX + "memory": "40000000000"})
        self.model_of("rocm")
        self.assertEqual(self.json("index", "add", "m:v1", "rocm=m:rocm,compute=gfx942+gfx90a")["variants"], 4)
        self.assertEqual(self.json("index", "remove", "m:v1", "arm", "cuda")["variants"], 2)
        left = self.json("inspect", "m:v1")["manifests"]
        self.assertEqual([m["annotations"][PREFIX + "name"] for m in left], ["cpu", "rocm"])
        self.assertEqual(left[1]["annotations"][PREFIX + "compute"], "gfx942 gfx90a")
        self.assertSound(self.store)

    def test_index__same_input_makes_the_same_digest(self):
        first = self.index()["digest"]
        self.assertEqual(self.json("index", "create", "-t", "m:v2", "cuda=m:cuda,platform=linux/amd64,compute=8.0,memory=40GB",
                                   "cpu=m:cpu,platform=linux/amd64", "arm=m:arm,platform=linux/arm64,accelerator=none")["digest"], first)

    def test_index__keeps_what_others_wrote_into_it(self):
        one, other = Artifact([("a", b"a")]), Artifact([("b", b"b")])
        foreign = Index([(one, {"os": "linux", "architecture": "amd64", "os.version": "7"}), (other, None)], annotations={"note": "x"}, **{"x-unknown": [1]})
        write_layout(self.work / "layout", v1=foreign)
        before = json.loads(foreign.data)
        self.model_of("cuda")
        self.mlreg("copy", "oci:layout:v1", "oci:mine:v1")
        self.mlreg("index", "add", "oci:mine:v1", "cuda=m:cuda")
        index = json.loads((self.work / "mine" / "index.json").read_text())["manifests"][0]
        after = json.loads((self.work / "mine" / "blobs" / "sha256" / index["digest"][7:]).read_text())
        self.assertEqual(after["manifests"][:2], before["manifests"])
        self.assertEqual((after["annotations"], after["x-unknown"]), ({"note": "x"}, [1]))
        self.assertEqual(len(after["manifests"]), 3)

    def test_index__bad_words_are_said_and_nothing_is_written(self):
        self.index()
        before = self.json("inspect", "m:v1")["digest"]
        for words, says, status in (
                (["create", "-t", "m:x", "cuda"], "names no variant", USAGE), (["create", "-t", "m:x", "CUDA=m:cuda"], "no variant's name", FAILED),
                (["create", "-t", "m:x", "cuda=m:cuda,wheels=4"], 'no variant has a "wheels"', USAGE), (["create", "-t", "m:x", "cuda=m:cuda,memory=much"], "no amount", USAGE),
                (["create", "-t", "m:x", "cuda=m:cuda,platform=linux"], "no platform", FAILED), (["create", "-t", "m:x", "a=m:nope"], "nope", FAILED),
                (["create", "-t", "m:x", "a=m:cpu", "a=m:cuda"], 'two variants are called "a"', FAILED), (["create", "x"], "needs one name", USAGE),
                (["add", "m:v1", "again=m:v1"], "entry of itself", FAILED), (["add", "m:v1", "cpu=m:cuda,platform=linux/amd64"], 'two variants are called "cpu"', FAILED),
                (["remove", "m:v1", "tpu"], 'no variant "tpu"', FAILED), (["remove", "m:v1", "cpu", "arm", "cuda"], "no entry", FAILED),
                (["create", "-t", "m:v1", "a=m:v1"], "entry of itself", FAILED), (["add", "m:cpu", "a=m:cuda"], "is no index", FAILED),
                (["turn", "m:v1"], "nothing to do with an index", USAGE)):
            with self.subTest(words):
                self.fails("index", *words, says=says, hint=None, status=status)
        self.assertEqual(self.json("inspect", "m:v1")["digest"], before)
        self.assertEqual(self.json("tags", "m"), ["arm", "cpu", "cuda", "v1"])
        self.assertSound(self.store)

    def test_variants__by_name_are_of_an_index_alone(self):
        """Who wants one by its name and got whatever is there would run the wrong one."""
        self.model_of("cpu")
        for words in (["copy", "m:cpu", "dir:out"], ["copy", "m:cpu", "n:v1"], ["copy", "m:cpu", "oci:layout:v1"], ["cat", "m:cpu", "model.bin"], ["variants", "m:cpu"],
                      ["image", "find", "m:cpu"], ["image", "unpack", "m:cpu", "out"]):
            with self.subTest(words):
                self.fails(*words, "--variant", "cuda", says='m:cpu is no index: it has no variant "cuda"$', hint="leave --variant out")
        self.assertFalse((self.work / "out").exists() or (self.work / "layout").exists())
        self.assertEqual(self.json("tags", "m"), ["cpu"])
        self.assertEqual(self.files_for("m:cpu", "pc", "--accelerator", "none", "--precision", "bf16"), "for cpu\n")

    def test_variants__a_description_that_cannot_be_read_is_said_with_the_reason(self):
        self.index()
        self.fails("variants", "m:v1", "--host", "none.json", says="cannot read none.json: No such file or directory", hint="mlreg host --json")
        self.fails("copy", "m:v1", "dir:out", "--host", ".", says="cannot read .: Is a directory", hint="mlreg host --json")

    def test_variants__the_fit_is_chosen_and_explained(self):
        self.index()
        self.assertEqual(self.files_for("m:v1", "pc"), "for cpu\n")
        self.assertEqual(self.files_for("m:v1", "gpu"), "for cuda\n")
        self.assertEqual(self.files_for("m:v1", "arm"), "for arm\n")
        self.assertEqual(self.files_for("m:v1", "gpu", "--accelerator", "none"), "for cpu\n")
        self.assertEqual(self.files_for("m:v1", "pc", "--variant", "cuda"), "for cuda\n")
        self.assertEqual(self.files_for("m:v1", "gpu", "--platform", "linux/arm64"), "for arm\n")
        said = self.mlreg("variants", "m:v1", "--explain", "--host", "pc.json").stdout
        self.assertRegex(said, r"(?s)^\* \S+ cpu .*chosen\n.*cuda .*40\.0 GB\n    no: needs cuda, and no such device is here\n")
        self.assertIn("no: is for linux/arm64", said)
        self.assertEqual([(v["name"], v["fit"]) for v in self.json("variants", "m:v1", "--host", "gpu.json")],
                         [("cuda", "chosen"), ("cpu", "fits"), ("arm", "no: is for linux/arm64")])

    def test_variants__where_none_fits_the_error_lists_all(self):
        self.model_of("cuda")
        self.mlreg("index", "create", "-t", "m:v1", "cuda=m:cuda,compute=9.0")
        self.fails("copy", "m:v1", "dir:out", "--host", "pc.json", says="none of the 1 variants fits.*cuda needs cuda, and no such device is here")
        self.fails("copy", "m:v1", "dir:out", "--host", "gpu.json", says="needs compute 9.0, and NVIDIA A100 has 8.0")
        self.fails("copy", "m:v1", "dir:out", "--platform", "plan9", says="no platform", hint="linux/amd64")
        self.assertFalse((self.work / "out").exists())

    def test_variants__malformed_descriptions_of_machines_are_refused(self):
        self.index()
        (self.work / "bad.json").write_text('{"architecture": 7}')
        self.fails("variants", "m:v1", "--host", "bad.json", says="architecture", hint="mlreg host")
        self.fails("copy", "m:v1", "dir:out", "--host", "nowhere.json", says="nowhere.json", hint="mlreg host")
        self.assertFalse((self.work / "out").exists())

    def test_host__prints_this_machine_which_may_be_handed_in_again(self):
        self.index()
        machine = self.json("host")
        self.assertIn(machine["architecture"], ("amd64", "arm64"))
        self.assertGreater(machine["memory_bytes"], 10**8)
        (self.work / "this.json").write_text(json.dumps(machine))
        self.assertEqual(self.json("variants", "m:v1", "--host", "this.json"), self.json("variants", "m:v1"))

    def test_partial__one_variant_comes_says_so_and_the_rest_follows(self):
        index = self.index()["digest"]
        self.assertEqual(self.json("copy", "m:v1", "oci:part:v1", "--variant", "cuda")["digest"], index)
        self.assertIn(" arm  linux/arm64  none  (not here)", self.mlreg("inspect", "oci:part:v1").stdout)
        absent = {v["name"]: v["absent"] for v in self.json("variants", "oci:part:v1")}
        self.assertEqual(absent, {"cpu": True, "arm": True, "cuda": False})
        self.mlreg("gc", "oci:part", "--grace", "0")
        self.assertSound_layout("part")
        self.fails("copy", "oci:part:v1", "dir:out", "--host", "pc.json", says="variant cpu is the one that fits, but its manifest .* is not there", hint="bring it")
        self.mlreg("copy", "oci:part:v1", "dir:out", "--host", "gpu.json")
        self.mlreg("tag", "oci:part:v1", "oci:part:also")
        self.fails("copy", "oci:part:v1", "oci:whole:v1", "--all-variants", says="in part only", hint="bring all variants")
        self.assertEqual(self.json("copy", "oci:part:v1", "oci:second:v1")["digest"], index)
        self.assertEqual(sum(v["absent"] for v in self.json("variants", "oci:second:v1")), 2)
        self.mlreg("copy", "m:v1", "oci:part:v1", "--variant", "cpu")
        self.assertEqual(sum(v["absent"] for v in self.json("variants", "oci:part:v1")), 1)
        self.mlreg("copy", "m:v1", "oci:part:v1")
        self.assertNotIn("absent", (self.work / "part" / "index.json").read_text())
        self.assertSound_layout("part")
        self.assertEqual(self.json("copy", "oci:part:v1", "oci:whole:v1", "--all-variants")["digest"], index)

    def test_partial__what_was_brought_and_is_lost_is_still_told(self):
        self.index()
        self.mlreg("copy", "m:v1", "oci:part:v1", "--variant", "cuda")
        cuda = next(v["digest"] for v in self.json("variants", "oci:part:v1") if v["name"] == "cuda")
        (self.work / "part" / "blobs" / "sha256" / cuda[7:]).unlink()
        self.assertNotEqual(self.broken("part"), [])
        self.assertEqual([p for p in self.broken("part") if cuda not in p], [])

    def broken(self, layout):
        done = subprocess.run(self.command("fsck", f"oci:{layout}", "--json"), capture_output=True, text=True, cwd=self.work, env=self.env)
        return json.loads(done.stdout)["problems"]

    def assertSound_layout(self, name):
        self.assertEqual(self.json("fsck", f"oci:{name}"), {"sound": True, "problems": []})


class OnRegistries:
    kind = None

    def setUp(self):
        super().setUp()
        self.there = self.registry(self.kind)
        self.model_of("cuda", "cpu", "arm")
        for name in "cuda", "cpu":
            self.mlreg("push", f"m:{name}", self.there.ref(f"{name}:v1"))
        self.ref = self.there.ref("m:v1")

    def create(self, *more):
        return self.json("index", "create", "-t", self.ref, f"cuda={self.there.ref('cuda:v1')},platform=linux/amd64,compute=8.0",
                         f"cpu={self.there.ref('cpu:v1')},platform=linux/amd64", *more)

    def test_index__takes_entries_from_other_repositories_and_the_store(self):
        self.create("arm=m:arm,platform=linux/arm64,accelerator=none")
        self.assertEqual([self.files_for(self.ref, machine) for machine in ("pc", "gpu", "arm")], ["for cpu\n", "for cuda\n", "for arm\n"])

    def test_index__is_changed_only_if_nobody_else_did(self):
        first = self.create()["digest"]
        self.assertEqual(self.json("index", "add", self.ref, "arm=m:arm,platform=linux/arm64")["variants"], 3)
        self.fails("index", "create", "-t", self.ref, "arm=m:arm", says="there already", hint="--move")
        self.assertEqual(self.json("index", "remove", self.ref, "arm")["digest"], first)

    def test_variants__cost_two_requests_and_none_for_what_is_here(self):
        self.create()
        said = self.mlreg("variants", self.ref, "--host", "gpu.json", "-v").stderr
        self.assertEqual(len(re.findall(r"GET \S*/manifests/", said)), 1, said)
        self.mlreg("build", "model-cpu", "-t", "other:v1", "--store", "second")
        out = self.mlreg("pull", self.ref, "--one-variant", "--host", "gpu.json", "-v", "--store", "second")
        manifests = re.findall(r"(?:GET|HEAD) \S*/manifests/", out.stderr)
        self.assertEqual(len(manifests), 2, out.stderr)
        again = self.mlreg("pull", self.ref, "--one-variant", "--host", "gpu.json", "-v", "--store", "second")
        self.assertEqual(len(re.findall(r"(?:GET|HEAD) \S*/(?:manifests|blobs)/", again.stderr)), 1, again.stderr)
        offline = f"store:{self.ref.removeprefix('https://')}"
        here = self.mlreg("copy", offline, "dir:here", "--store", "second", "--host", "gpu.json", "-v")
        self.assertNotRegex(here.stderr, "GET|HEAD")
        self.assertEqual((self.work / "here" / "model.bin").read_text(), "for cuda\n")

    def test_partial__is_refused_by_registries_which_take_the_variant_instead(self):
        self.create()
        self.mlreg("pull", self.ref, "--variant", "cuda", "--store", "second")
        stored = "store:" + self.ref.removeprefix("https://")
        self.assertSound(self.work / "second")
        self.fails("copy", stored, self.there.ref("promoted:v1"), "--store", "second", says="in part only", hint="bring all variants")
        self.fails("inspect", self.there.ref("promoted:v1"), says="promoted", hint=None)
        moved = self.json("copy", self.ref, self.there.ref("promoted:v1"), "--variant", "cuda")
        self.assertEqual(moved["digest"], self.json("inspect", self.there.ref("cuda:v1"))["digest"])
        whole = self.json("copy", self.ref, self.there.ref("whole:v1"))
        self.assertEqual(whole["digest"], self.json("inspect", self.ref)["digest"])

    def test_judges__other_clients_choose_the_plain_entry_of_a_platform(self):
        """An index of images: crane, oras, regctl, skopeo and podman take for each platform what has no needs, whatever the order of adding."""
        images = {name: Image(name, arch) for name, arch in (("cuda", "amd64"), ("cpu", "amd64"), ("arm", "arm64"))}
        write_layout(self.work / "images", **images)
        ref = self.there.ref("images:v1")
        made = self.json("index", "create", "-t", ref, "cuda=oci:images:cuda,compute=8.0", "cpu=oci:images:cpu", "arm=oci:images:arm,accelerator=none")
        self.assertEqual(made["variants"], 3)
        self.assertEqual([m["platform"] for m in self.json("inspect", ref)["manifests"]], ["linux/amd64", "linux/arm64", "linux/amd64"])
        bare = ref.removeprefix("https://")
        for arch, wanted in ("amd64", "cpu"), ("arm64", "arm"):
            for command in self.judges(bare, arch):
                done = subprocess.run(command, capture_output=True, text=True, env={**self.env, "REGCTL_CONFIG": str(self.work / "regctl.json")}, timeout=60)
                self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}")
                self.assertEqual(json.loads(done.stdout)["config"]["digest"], next(iter(images[wanted].blobs)), command)

    def judges(self, ref, arch):
        """Commands that print the manifest each would take for an architecture."""
        crane, oras, regctl = tool("crane"), tool("oras"), tool("regctl")
        if crane:
            yield [crane, "manifest", "--insecure", "--platform", f"linux/{arch}", ref]
        if oras:
            yield [oras, "manifest", "fetch", "--plain-http", "--platform", f"linux/{arch}", ref]
        if regctl:
            yield [regctl, "--host", f"reg={ref.partition('/')[0]},tls=disabled", "manifest", "get", "--platform", f"linux/{arch}", "--format", "raw-body", ref]
        if os.getuid() == 0 and (podman := tool("podman")):          # an image's name in its storage is its config's digest
            yield ["sh", "-c", """printf '{"config":{"digest":"sha256:%s"}}' $("$@" | tail -n 1)""", "-", podman, "--root", self.work / "storage", "--runroot",
                   self.work / "runroot", "--storage-driver", "vfs", "pull", "-q", "--tls-verify=false", "--os", "linux", "--arch", arch, f"docker://{ref}"]
        if skopeo := tool("skopeo"):
            layout = self.work / f"skopeo-{arch}"
            copied = subprocess.run([skopeo, "--insecure-policy", "--override-os", "linux", "--override-arch", arch, "copy", "--src-tls-verify=false", "-q",
                                     f"docker://{ref}", f"dir:{layout}"], capture_output=True, text=True, env=self.env, timeout=60)
            self.assertEqual(copied.returncode, 0, copied.stderr)
            yield ["cat", str(layout / "manifest.json")]


@needs("debian")
class Debian(OnRegistries, Bed):
    kind = "debian"


@needs("distribution")
class Distribution(OnRegistries, Bed):
    kind = "distribution"


class Evil(Bed):
    def test_index__moved_between_check_and_push_stays_as_the_other_left_it(self):
        """The tag is read at one digest, and by the time it would be written it is at another."""
        one, other = Artifact([("a", b"a")]), Artifact([("b", b"b")])
        first, second = Index([(one, None)]), Index([(one, None), (other, None)])
        script = rules("team/m", "v1", first)
        for rule in script:
            if rule["path"].endswith(f"/manifests/(v1|{first.digest})"):
                rule["times"] = 1
        later = rules("team/m", "v1", second)
        evil = self.evil(script + later)
        self.model_of("cuda")
        ref = f"{evil.host}/team/m:v1"
        said = self.fails("index", "add", ref, "cuda=m:cuda", says="not at .* as expected", hint="do it again")
        self.assertFalse([r for r in evil.requests() if r["method"] == "PUT"], said)
