"""The programs of one idea each, run as their heads say; and the main job with the real model."""
import os
import pathlib
import re
import subprocess
import struct

from bed.house import BUILD, ROOT, run
from cli.program import FAILED, USAGE, Case, needs

EXAMPLES = ROOT / "examples"


class Programs(Case):
    def example(self, name, *args, status=0, env=()):
        done = subprocess.run([BUILD / "examples" / name, *map(str, args)], capture_output=True, text=True, cwd=self.work, env={**self.env, **dict(env)}, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def test_examples__are_each_under_120_lines_and_know_the_header_alone(self):
        for name in "pull", "push", "stream", "memory", "variants", "image":
            text = (EXAMPLES / f"{name}.c").read_text()
            self.assertLess(len(text.splitlines()), 120, name)
            self.assertNotRegex(text, r'#include "', name)

    def test_examples__the_program_and_its_server_know_the_header_alone(self):
        """Besides their own headers, that is, and the two that one has of the other."""
        for name, others in ("mlreg", {"../server/options.h"}), ("server", {"../mlreg/shown.h"}):
            own = {header.name for header in (EXAMPLES / name).glob("*.h")}
            for path in (EXAMPLES / name).glob("*.[ch]"):
                self.assertLessEqual(set(re.findall(r'#include "(.*)"', path.read_text())), own | others, path)

    def test_examples__say_how_they_are_used(self):
        for name in "pull", "push", "stream", "memory", "variants", "image":
            self.assertIn(f"usage: {name} ", self.example(name, status=USAGE).stderr)

    @needs("debian")
    def test_examples__push_and_pull(self):
        there = self.registry("debian")
        folder = self.model()
        repo = f"{there.part}/m:v1"
        pushed = self.example("push", folder, there.url, repo).stdout.strip()
        self.assertEqual(self.json("inspect", there.ref("m:v1"))["digest"], pushed)
        (folder / "README.md").write_text("changed\n")
        self.assertIn("is taken", self.example("push", folder, there.url, repo, status=FAILED).stderr)
        for _ in range(2):
            self.assertIn(pushed, self.example("pull", there.url, repo, "models", "out").stdout)
        self.mlreg("pull", there.ref("m:v1"), "-o", "expected")
        self.assertSameFiles(self.work / "out", self.work / "expected")
        self.assertIn("404", self.example("pull", there.url, f"{there.part}/m:nope", "models", "out", status=FAILED).stderr)

    @needs("htpasswd")
    def test_examples__push_with_credentials_of_its_own(self):
        there = self.registry("htpasswd", login=False)
        folder = self.model()
        env = {"MLREG_USER": there.user, "MLREG_PASSWORD": there.password}
        self.example("push", folder, there.url, f"{there.part}/m:v1", env=env)
        self.example("push", folder, there.url, f"{there.part}/m:v2", env={**env, "MLREG_PASSWORD": "wrong"}, status=FAILED)

    @needs("debian")
    def test_examples__stream_from_a_store_and_from_a_registry(self):
        there = self.registry("debian")
        folder, _ = self.built("m:v1")
        self.mlreg("push", "m:v1", there.ref("m:v1"))
        header = struct.unpack("<Q", (folder / "model.safetensors").read_bytes()[:8])[0]
        local = self.example("stream", self.store, "m:v1", "model.safetensors").stdout
        self.assertEqual(local, f"streamed: header of {header} bytes\nmapped: header of {header} bytes\n")
        remote = self.example("stream", there.url, f"{there.part}/m:v1", "model.safetensors").stdout
        self.assertIn(f"streamed: header of {header} bytes\nnot mapped: ", remote)
        self.example("stream", self.store, "m:v1", "nope", status=FAILED)

    def serve(self, *args, **more):
        if not (BUILD / "examples" / "serve").exists():
            self.skipTest("no C++ compiler was there when the examples were built")
        return self.example("serve", *args, **more)

    def test_examples__the_cxx_page_is_short_and_knows_the_header_alone(self):
        self.assertLess(len((EXAMPLES / "mlreg.hpp").read_text().splitlines()), 150)
        self.assertLess(len((EXAMPLES / "serve.cpp").read_text().splitlines()), 120)
        (self.work / "handles.hpp").write_text('#include "mlreg.hpp"\n#include <type_traits>\n' + "".join(
            f'static_assert(!std::is_copy_constructible<mlreg::{t}>::value && !std::is_copy_assignable<mlreg::{t}>::value, "a copy frees twice");\n'
            for t in ("session", "artifact", "op", "failure")))
        for compiler in "g++", "clang++":
            for standard in "c++11", "c++20":
                run(compiler, f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Werror", f"-I{ROOT}/include", f"-I{EXAMPLES}",
                    "-include", self.work / "handles.hpp", "-fsyntax-only", EXAMPLES / "serve.cpp")

    @needs("debian")
    def test_examples__serve_pulls_maps_and_goes_on_without_the_registry(self):
        there = self.registry("debian")
        folder, digest = self.built("m:v1")
        self.mlreg("push", "m:v1", there.ref("m:v1"))
        weights = (folder / "model.safetensors").read_bytes()
        says = f"serving {digest}, {len(weights)} bytes of weights, the first is {weights[0]}\n"
        for registry in there.url, there.url, "http://127.0.0.1:9":
            self.assertEqual(self.serve(registry, f"{there.part}/m:v1", "models", "model.safetensors").stdout, says)
        self.assertIn("the model has no nope", self.serve(there.url, f"{there.part}/m:v1", "models", "nope", status=FAILED).stderr)
        self.assertIn("404", self.serve(there.url, f"{there.part}/m:v9", "models", "x", status=FAILED).stderr)
        self.assertIn("usage: serve ", self.serve(status=USAGE).stderr)

    def test_examples__memory(self):
        first = self.example("memory", "models", "runs/demo:step-1").stdout
        self.assertEqual(self.example("memory", "models", "runs/demo:step-1").stdout, first, "same bytes, same digest")
        seen = self.json("inspect", "runs/demo:step-1", "--store", "models")
        self.assertEqual(seen["digest"] + "\n", first)
        self.assertEqual({l["file"]: l["bytes"] for l in seen["layers"]}, {"layers/0/weight.bin": 4 << 20, "layers/0/bias.bin": 4 << 10})


    def test_examples__variants(self):
        for name in "cpu", "cuda":
            (self.work / name).mkdir()
            (self.work / name / "m.bin").write_text(name)
            self.mlreg("build", name, "-t", f"m:{name}")
        self.example("variants", self.store, "m:v1", "cpu=m:cpu", "cuda=m:cuda")
        (self.work / "gpu.json").write_text('{"architecture":"amd64","accelerators":[{"kind":"cuda"}]}')
        with open(self.work / "gpu.json") as machine:
            done = subprocess.run([BUILD / "examples" / "variants", self.store, "m:v1"], stdin=machine, capture_output=True, text=True, env=self.env, timeout=60)
        digest = self.json("inspect", "m:cuda")["digest"]
        self.assertEqual(done.stdout, f"cuda: chosen\ncpu: fits\n{digest}\n", done.stderr)

    def image_in(self, place, refs):
        """An image on scratch, and one on that."""
        app = self.work / "app"
        app.mkdir(exist_ok=True)
        (app / "serve.py").write_text("print(1)\n")
        folder = self.model("tiny")
        base = self.example("image", place, "scratch", folder, "app", refs[0]).stdout.strip()
        made = self.example("image", place, refs[0], folder, "app", refs[1]).stdout.strip()
        self.assertIn("none", self.example("image", place, refs[0] + "-none", folder, "app", refs[1], status=FAILED).stderr)
        return folder, base, made

    def test_examples__image(self):
        folder, base, made = self.image_in("models", ["svc:base", "svc:v1"])
        seen = self.json("inspect", "svc:v1", "--store", "models")
        self.assertEqual(seen["digest"], made)
        self.assertEqual(len(seen["layers"]), 2 * len(self.json("inspect", f"svc@{base}", "--store", "models")["layers"]))
        self.assertEqual({key: seen["config"]["config"][key] for key in ("WorkingDir", "Entrypoint", "Env")},
                         {"WorkingDir": "/app", "Entrypoint": ["python3", "serve.py"], "Env": ["MODEL=/models"]})
        self.mlreg("image", "unpack", "svc:v1", "root", "--store", "models")
        self.assertEqual((self.work / "root/app/serve.py").read_text(), "print(1)\n")
        self.assertSameFiles(folder, self.work / "root/models")

    @needs("debian")
    def test_examples__image_in_a_registry(self):
        there = self.registry("debian")
        _, _, made = self.image_in(there.url, [f"{there.part}/svc:base", f"{there.part}/svc:v1"])
        self.assertEqual(self.json("inspect", there.ref("svc:v1"))["digest"], made)

    def test_examples__kubernetes_manifests_are_valid(self):
        """By Kubernetes' own schemas, misspelt fields included; and what they run, our program takes."""
        try:
            import kubernetes_validate, yaml
        except ImportError:
            self.skipTest("no kubernetes-validate here: run it with tests/bed/python")
        seen = set()
        for path in sorted((EXAMPLES / "kubernetes").glob("*.yaml")):
            for manifest in yaml.safe_load_all(path.read_text()):
                kubernetes_validate.validate(manifest, "1.33", strict=True)
                seen.add(manifest["kind"])
                pod = manifest["spec"].get("template", {}).get("spec", {})
                for container in pod.get("initContainers", []):
                    command, ref, *options = container["args"]
                    taken = self.mlreg(command, "--help").stdout
                    self.assertTrue(ref.startswith("ghcr.io/"))
                    for option in options[::2]:
                        self.assertIn(f"  {option} ", taken)
                manifest["spec"]["misspelt"] = 1
                with self.assertRaises(kubernetes_validate.ValidationError):
                    kubernetes_validate.validate(manifest, "1.33", strict=True)
        self.assertEqual(seen, {"Deployment", "Pod", "Service"})


class RealModel(Case):
    @needs("debian")
    def test_real_model__goes_through_the_main_job(self):
        """sentence-transformers' all-MiniLM-L6-v2, 90 MB; where it cannot be had, one of its shape."""
        cache = os.environ.get("XDG_CACHE_HOME") or str(pathlib.Path(os.environ.get("HOME", "/nonexistent")) / ".cache")
        run(EXAMPLES / "fetch-model", self.work / "minilm", env={**self.env, "XDG_CACHE_HOME": cache})
        there = self.registry("debian")
        built = self.json("build", "minilm", "-t", "minilm:v1")
        config = self.json("inspect", "minilm:v1")["config"]
        self.assertEqual(config["config"], {"architecture": "BertModel", "format": "safetensors", "paramSize": "22.7m", "precision": "fp32"})
        self.assertEqual(config["descriptor"]["licenses"], ["Apache-2.0"])
        self.assertEqual(self.json("push", "minilm:v1", there.ref("minilm:v1"))["digest"], built["digest"])
        self.mlreg("pull", there.ref("minilm:v1"), "--store", "second")
        self.mlreg("copy", "store:" + there.ref("minilm:v1"), "dir:out", "--store", "second")
        self.assertSameFiles(self.work / "minilm", self.work / "out")
        with open(self.work / "minilm" / "README.md", "a") as f:
            f.write("A line more.\n")
        self.mlreg("build", "minilm", "-t", "minilm:v2")
        self.assertLess(self.json("push", "minilm:v2", there.ref("minilm:v2"))["bytes_moved"], 50_000)
        self.assertLess(self.json("pull", there.ref("minilm:v2"), "--store", "second")["bytes_moved"], 50_000)
        self.assertSound(self.work / "second")
