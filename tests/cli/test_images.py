"""Images: built without a daemon, on bases that stay where they are, and readable by everybody else's tools."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tarfile
import unittest

from bed.house import ROOT
from cli.program import Case, needs

TAR = "application/vnd.oci.image.layer.v1.tar"


class Images(Case):
    def setUp(self):
        super().setUp()
        self.app = self.work / "app"
        self.app.mkdir()
        (self.app / "serve.py").write_text("print(1)\n")

    def layers(self, folder, tag):
        """The manifest of a layout's tag, and the files of its layers."""
        index = json.loads((folder / "index.json").read_text())
        digest = next(m["digest"] for m in index["manifests"] if m["annotations"]["org.opencontainers.image.ref.name"] == tag)
        blob = lambda d: folder / "blobs" / "sha256" / d.partition(":")[2]
        manifest = json.loads(blob(digest).read_text())
        return manifest, [blob(layer["digest"]) for layer in manifest["layers"]]

    def test_images__paths_on_the_command_line_may_be_long(self):
        deep = self.work.joinpath(*["d" * 200] * 8)
        deep.mkdir(parents=True)
        (deep / "app.py").write_text("print()\n")
        self.mlreg("image", "build", "--add", f"{deep}/app.py:/srv/app.py", "--model", f"{deep}:/m", "-t", "long:v1")
        self.mlreg("image", "unpack", "long:v1", "out")
        self.assertEqual(set(self.snapshot(self.work / "out")), {"srv/app.py", "m/app.py"})

    def test_images__layers_are_tars_for_everybody_with_bytes_at_a_page(self):
        model = self.model("tiny")
        self.mlreg("image", "build", "--model", f"{model}:/models", "--add", "app:/app", "-t", "oci:out:v1")
        manifest, files = self.layers(self.work / "out", "v1")
        self.assertEqual({layer["mediaType"] for layer in manifest["layers"]}, {TAR})
        for file in files[:-1]:
            listed = subprocess.run(["tar", "tvf", file], capture_output=True, text=True)
            self.assertEqual((listed.returncode, listed.stderr), (0, ""))
            with tarfile.open(file) as tar:
                inner = [m for m in tar if m.isfile()]
                self.assertEqual([(m.offset_data % 4096, m.uid, m.gid, m.mtime) for m in inner], [(0, 0, 0, 0)])
                self.assertEqual(tar.extractfile(inner[0]).read(), (model / inner[0].name.partition("/")[2]).read_bytes())

    def test_images__weights_lie_below_what_changes_more_often(self):
        """From a folder and from an artifact: a changed config leaves the layers before it as they are."""
        (self.work / "m").mkdir()
        for name, text in {"a.py": "code", "config.json": "{}", "weights.bin": "any", "z.bin": "other"}.items():
            (self.work / "m" / name).write_text(text)
        self.mlreg("build", "m", "-t", "m:v1")
        for model in "m", "m:v1":
            with self.subTest(model):
                self.mlreg("image", "build", "--model", model, "--add", "app:/app", "-t", "svc:v1")
                layers = self.json("inspect", "svc:v1")["layers"]
                self.assertEqual([layer["annotations"].get("org.cncf.model.filepath") for layer in layers],
                                 ["models/weights.bin", "models/z.bin", "models/config.json", "models/a.py", None])

    def test_images__of_an_index_what_fits_is_the_base_and_the_model(self):
        """As every base of a hub is one; a model's own, with nothing in it, would be no model at all."""
        self.mlreg("build", self.model("tiny"), "-t", "tiny:any")
        self.mlreg("index", "create", "-t", "tiny:v1", "cpu=tiny:any")
        for machine in "amd64", "arm64":
            (self.app / "arch").write_text(machine)
            self.mlreg("image", "build", "--add", "app:/base", "--platform", f"linux/{machine}", "-t", f"base:{machine}")
        self.mlreg("index", "create", "-t", "base:v1", "a=base:amd64", "b=base:arm64")
        for machine in "amd64", "arm64":
            self.mlreg("image", "build", "--base", "base:v1", "--model", "tiny:v1", "--platform", f"linux/{machine}", "-t", f"svc:{machine}")
            self.mlreg("image", "unpack", f"svc:{machine}", machine, "--platform", f"linux/{machine}")
            self.assertEqual((self.work / machine / "base" / "arch").read_text(), machine)
            self.assertTrue((self.work / machine / "models" / "config.json").exists())
        self.fails("image", "build", "--base", "base:v1", "--platform", "linux/s390x", "-t", "svc:v1", says="cannot read base:v1: none of the 2 variants fits")

    def test_images__the_same_inputs_give_the_same_image(self):
        first = self.json("image", "build", "--add", "app:/app", "-t", "a:v1")
        (self.app / "serve.py").touch()
        self.assertEqual(self.json("image", "build", "--add", "app:/app", "-t", "b:v1")["digest"], first["digest"])

    @unittest.skipUnless(shutil.which("umoci") and shutil.which("skopeo"), "needs umoci and skopeo")
    def test_images__umoci_unpacks_and_skopeo_copies_them(self):
        self.mlreg("image", "build", "--add", "app:/app", "-t", "oci:out:plain")
        self.mlreg("image", "build", "--add", "app:/app", "--gzip", "-t", "oci:out:gzip")
        self.mlreg("image", "build", "--add", "app:/app", "--zstd", "-t", "oci:out:zstd")
        for tag in ("plain", "gzip"):
            subprocess.run(["umoci", "unpack", "--rootless", "--image", f"out:{tag}", f"u-{tag}"], cwd=self.work, check=True, capture_output=True)
            self.assertEqual((self.work / f"u-{tag}/rootfs/app/serve.py").read_text(), "print(1)\n")
        for tag in ("plain", "gzip", "zstd"):
            subprocess.run(["skopeo", "copy", f"oci:out:{tag}", f"oci:again:{tag}"], cwd=self.work, check=True, capture_output=True)

    def test_images__the_model_in_an_image_is_an_artifact_without_a_copy(self):
        model = self.model("tiny")
        self.mlreg("image", "build", "--model", model, "-t", "svc:v1")
        made = self.json("image", "artifact", "svc:v1", "-t", "svc:model")
        self.assertLess(made["bytes_moved"], 2000)
        self.mlreg("copy", "svc:model", "dir:back")
        self.assertSameFiles(model, self.work / "back" / "models")

    def test_images__what_would_hide_a_part_of_the_base_is_refused(self):
        (self.work / "root" / "usr" / "lib").mkdir(parents=True)
        (self.work / "root" / "usr" / "lib" / "libc").write_text("c\n")
        (self.work / "root" / "lib").symlink_to("usr/lib")
        for how in (), ("--zstd",):
            self.mlreg("image", "build", "--add", "root:/", *how, "-t", "base:v1", "--move")
            for target, says, hint in (("usr", "/usr exists in the base as a directory, and the layer makes it a file", "/usr/NAME"),
                                       ("lib/libc/x", "/lib/libc exists in the base as a file, and the layer makes it a directory", "another path"),
                                       ("lib", "/lib exists in the base as a link, and the layer makes it a file", "\"usr/lib\"")):
                before = self.snapshot(self.store)
                self.fails("image", "build", "--base", "base:v1", "--add", f"app/serve.py:/{target}", "-t", "svc:v1", says=says, hint=hint)
                self.assertEqual(self.snapshot(self.store), before)
        self.mlreg("image", "build", "--base", "base:v1", "--add", "app:/lib", "--add", "app/serve.py:/lib/more/serve.py", "-t", "svc:v1")
        self.mlreg("image", "unpack", "svc:v1", "out")
        self.assertEqual(sorted(p.name for p in (self.work / "out" / "usr" / "lib").iterdir()), ["libc", "more", "serve.py"])

    def test_images__a_requirement_that_cannot_be_installed_is_one_clear_line(self):
        (self.work / "wrong.txt").write_text("no-such-package-of-anybody==1\n")
        self.fails("image", "build", "--pip", "wrong.txt", "-t", "svc:v1", says="pip cannot install what wrong.txt asks for",
                   env={"PIP_NO_INDEX": "1"})
        self.fails("inspect", "svc:v1", says="is not there")

    def use_the_machines_pip(self):
        """As the machine is set up to ask an index, without folders of wheels that would answer before it."""
        self.env.update({k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.lower().endswith("_proxy") or k in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")})
        self.env.pop("PIP_FIND_LINKS", None)
        config = pathlib.Path.home() / ".config" / "pip" / "pip.conf"
        if config.exists():
            self.env.setdefault("PIP_CONFIG_FILE", str(config))

    def skip_without_an_index(self):
        """What failed is nobody's fault where pip alone fails too."""
        asked = subprocess.run(["python3", "-m", "pip", "download", "--quiet", "--no-deps", "-d", "asked", "-r", "requirements.txt"], cwd=self.work, env=self.env,
                               capture_output=True, timeout=600)
        if asked.returncode != 0:
            self.skipTest("pip reaches no index here")

    def test_images__what_pip_gets_from_an_index_is_the_same_layer_each_time(self):
        """Into two places, which know nothing of each other: pip installs twice."""
        (self.work / "requirements.txt").write_text("idna==3.7\n")
        self.use_the_machines_pip()
        configs = []
        for name in "one", "two":
            how = {"env": {"XDG_CACHE_HOME": str(self.work / f"cache-{name}")}, "timeout": 600}
            build = "image", "build", "--pip", "requirements.txt", "-t", f"oci:{name}:v1"
            if self.mlreg(*build, status=None, **how).returncode != 0:
                self.skip_without_an_index()
                self.mlreg(*build, **how)
            manifest, _ = self.layers(self.work / name, "v1")
            configs.append(json.loads((self.work / name / "blobs" / "sha256" / manifest["config"]["digest"][7:]).read_text()))
        self.assertEqual(configs[0]["rootfs"]["diff_ids"], configs[1]["rootfs"]["diff_ids"])
        self.assertIn("PYTHONPATH=/opt/python", configs[0]["config"]["Env"])
        self.mlreg("image", "unpack", "oci:one:v1", "root")
        said = subprocess.run(["python3", "-I", "-B", "-c", "import sys; sys.path.insert(0, 'root/opt/python'); import idna; print(idna.__file__, idna.encode('b\u00fccher'))"],
                              cwd=self.work, env=self.env, capture_output=True, text=True)
        self.assertRegex(said.stdout, r"root/opt/python/idna/__init__.py b'xn--bcher-kva'", said.stderr)

    def test_images__an_epoch_that_is_no_number_is_refused(self):
        self.fails("image", "build", "--add", "app:/app", "-t", "svc:v1", says="SOURCE_DATE_EPOCH is \"soon\"", env={"SOURCE_DATE_EPOCH": "soon"})


class OnBase:
    """Inherited by one class per registry."""

    kind = None

    def setUp(self):
        super().setUp()
        self.there = self.registry(self.kind)
        self.app, self.lib = self.work / "app", self.work / "lib"
        self.app.mkdir()
        self.lib.mkdir()
        (self.app / "serve.py").write_text("print(1)\n")
        (self.lib / "libc").write_bytes(self.random.randbytes(2_000_000))
        self.base = self.there.ref("base:v1")
        self.mlreg("image", "build", "--add", "lib:/usr/share/lib", "--cmd", "sh", "-t", self.base)

    def build(self, ref, *more):
        return self.json("image", "build", "--base", self.base, *more, "--add", "app:/app", "-t", ref, "--store", "second")

    def test_base__is_mounted_where_the_image_is_built(self):
        self.assertLess(self.build(self.there.ref("svc:v1"))["bytes_moved"], 20_000)

    def test_base__stays_where_it_is_and_a_copy_finds_it(self):
        self.assertLess(self.build("svc:v1")["bytes_moved"], 20_000)
        self.assertSound(self.work / "second")
        self.mlreg("gc", "--grace", "0", "--store", "second")
        self.assertLess(self.json("push", "svc:v1", self.there.ref("svc:v1"), "--store", "second")["bytes_moved"], 20_000)
        self.assertGreater(self.json("copy", "svc:v1", "oci:whole:v1", "--store", "second")["bytes_moved"], 2_000_000)

    def test_base__that_is_gone_is_said_with_its_place(self):
        self.build("svc:v1")
        for record in (self.work / "second/.mlreg/absent").iterdir():
            record.write_text(record.read_text().replace(self.there.host, "127.0.0.1:9"))
        self.fails("copy", "svc:v1", "oci:whole:v1", "--store", "second", says="127.0.0.1:9", hint="must come from there")

    def test_base__of_the_store_with_something_else_there_is_refused_and_nothing_sent(self):
        self.mlreg("copy", self.base, "base:v1", "--store", "second")
        ref = self.there.ref("svc:v1")
        first = self.json("image", "build", "--base", "base:v1", "--add", "app:/app", "-t", ref, "--store", "second")["digest"]
        for target in "usr", "usr/share/lib/libc/app":
            with self.subTest(target):
                self.fails("image", "build", "--base", "base:v1", "--add", f"app/serve.py:/{target}", "-t", ref, "--move", "--store", "second",
                           says="exists in the base as a", hint="another path")
        self.fails("image", "build", "--base", "base:v1", "--add", "app/serve.py:/usr", "-t", self.there.ref("other:v1"), "--store", "second", says="/usr exists")
        self.assertEqual(self.json("inspect", ref)["digest"], first)
        self.fails("tags", self.there.ref("other"), says="name not known")

    def test_readme__an_image_is_built_as_shown(self):
        text = next(b for b in re.findall(r"(?ms)^```\w*\n(.*?)^```", (ROOT / "README.md").read_text()) if "mlreg image build" in b)
        text = text.replace("docker.io/python:3.12-slim", self.base).replace("ghcr.io/you/service", self.there.ref("service")).replace("\\\n", " ")
        (self.work / "requirements.txt").write_text("")
        self.model("tiny").rename(self.work / "tiny")
        for line in text.strip().splitlines():
            self.mlreg(*shlex.split(line)[1:])
        self.assertEqual(self.json("tags", self.there.ref("service")), ["model", "v1"])


@needs("debian")
class Debian(OnBase, Case):
    kind = "debian"


@needs("distribution")
class Distribution(OnBase, Case):
    kind = "distribution"
