"""The store by itself: what is built can be seen, read, named, copied, removed, checked and mended."""
import json
import os
import pathlib
import shutil
import subprocess

from bed.house import PROGRAM, run
from cli.oci import Artifact, digest, layer, write_layout
from cli.program import FAILED, USAGE, Case

JSON_KEYS = ["reference", "digest", "was", "bytes", "bytes_moved", "bytes_reused", "elapsed_ms"]


class Store(Case):
    def documented(self, command):
        """The keys that `mlreg COMMAND --help` says --json prints."""
        line = self.mlreg(command, "--help").stdout.splitlines()[-1]
        return line.removeprefix("with --json: ").strip("[{}]").split(", ")

    # ---- build, ls, tags, inspect ----

    def test_store__a_build_is_found_and_described(self):
        folder, digest = self.built("team/tiny:v1")
        self.assertEqual([(a["name"], a["digest"]) for a in self.json("ls")], [("team/tiny:v1", digest)])
        self.assertEqual(self.json("tags", "team/tiny"), ["v1"])
        seen = self.json("inspect", "team/tiny:v1")
        self.assertEqual(seen["artifactType"], "application/vnd.cncf.model.manifest.v1+json")
        self.assertEqual({l["file"]: l["bytes"] for l in seen["layers"]}, {k: len(v) for k, v in self.snapshot(folder).items()})
        self.assertEqual(seen["config"]["config"]["format"], "safetensors")
        self.assertEqual(seen["config"]["descriptor"]["licenses"], ["MIT"])

    def test_store__people_see_the_same(self):
        _, digest = self.built("tiny:v1")
        text = self.mlreg("inspect", "tiny:v1").stdout
        for part in digest, "safetensors", "MIT", "model.safetensors", "tokenizer/vocab.txt":
            self.assertIn(part, text)
        self.assertRegex(self.mlreg("ls").stdout, rf"(?m)^NAME +DIGEST +SIZE\ntiny:v1 +{digest[:19]}… +\d+ kB$")

    def test_store__json_has_the_documented_keys(self):
        folder = self.model()
        self.assertEqual(list(self.json("build", folder, "-t", "m:v1")), self.documented("build"))
        for words in (["copy", "m:v1", "n:v1"], ["copy", "m:v1", "dir:out"], ["tag", "m:v1", "o:v1"], ["inspect", "m:v1"], ["gc"], ["fsck"], ["version"]):
            self.assertEqual(list(self.json(*words)), self.documented(words[0]), words)
        self.assertEqual(list(self.json("ls")[0]), self.documented("ls"))
        self.assertEqual(list(self.json("rm", "o:v1")), self.documented("rm"))

    def test_store__same_folder_same_digest(self):
        folder = self.model()
        first = self.json("build", folder, "-t", "m:v1")["digest"]
        os.utime(folder / "README.md", (1, 1))
        self.assertEqual(self.json("build", folder, "-t", "m:v2", "--store", self.work / "second")["digest"], first)

    def test_store__several_names_at_once(self):
        folder = self.model()
        self.mlreg("build", folder, "-t", "m:v1", "-t", "m:latest", "-t", "other/m:v1")
        self.assertEqual([a["name"] for a in self.json("ls")], ["m:latest", "m:v1", "other/m:v1"])
        self.assertEqual(len({a["digest"] for a in self.json("ls")}), 1)

    def test_store__a_bad_name_among_several_is_seen_before_the_work(self):
        self.fails("build", self.model(), "-t", "m:v1", "-t", "BAD:v1", says="BAD", status=USAGE)
        self.assertFalse(self.store.exists() and self.json("ls"))

    def test_store__annotations(self):
        folder = self.model()
        self.mlreg("build", folder, "-t", "m:v1", "--annotation", "org.example.run=7", "--annotation", "note=a=b")
        self.assertEqual(self.json("inspect", "m:v1")["annotations"], {"note": "a=b", "org.example.run": "7"})
        for bad in "novalue", "=x":
            self.fails("build", folder, "-t", "m:v2", "--annotation", bad, says="is no annotation", hint="KEY=VALUE", status=USAGE)

    def test_store__hidden_files_stay_at_home(self):
        folder = self.model(**{".env": b"TOKEN=1", ".git/config": b"x"})
        self.mlreg("build", folder, "-t", "m:v1")
        self.assertFalse([l["file"] for l in self.json("inspect", "m:v1")["layers"] if l["file"].startswith(".")])

    def test_store__lies_where_it_is_told_to(self):
        folder = self.model()
        for args, env, where in ((["--store", self.work / "a"], {}, self.work / "a"), ([], {"MLREG_STORE": str(self.work / "b")}, self.work / "b"),
                                 ([], {"XDG_DATA_HOME": str(self.work / "c")}, self.work / "c" / "mlreg" / "store"), ([], {}, self.store),
                                 (["--store", "oci:x"], {}, self.work / "oci:x")):
            self.mlreg("build", folder, "-t", "m:v1", *args, env=env)
            self.assertTrue((where / "m" / "index.json").is_file(), where)

    # ---- cat ----

    def test_store__cat_writes_a_file_and_any_range_of_it(self):
        folder, _ = self.built("m:v1")
        data = (folder / "model.safetensors").read_bytes()
        for extra, expected in (([], data), (["--range", "0-0"], data[:1]), (["--range", "10-99"], data[10:100]), (["--range=1000-"], data[1000:]),
                                (["--range", f"5-{len(data) * 2}"], data[5:]), (["--range", f"{len(data) - 1}-{len(data) - 1}"], data[-1:])):
            self.assertEqual(self.mlreg("cat", "m:v1", "model.safetensors", *extra, text=False).stdout, expected, extra)

    def test_store__cat_finds_a_layer_by_its_digest(self):
        folder, _ = self.built("m:v1")
        layer = next(l for l in self.json("inspect", "m:v1")["layers"] if l["file"] == "config.json")
        self.assertEqual(self.mlreg("cat", "m:v1", layer["digest"]).stdout, (folder / "config.json").read_text())

    def test_store__cat_refuses_what_is_not_there(self):
        self.built("m:v1")
        self.fails("cat", "m:v1", "nope", says='there is no file "nope" in m:v1', hint="inspect")
        self.fails("cat", "m:v1", "README.md", "--range", "1000000-", says="README.md|range|end", hint=None)
        for bad in "5", "5-4", "-5", "a-b", "0--5", "0-5x", " 1-2", "1- 2", "99999999999999999999-":
            self.fails("cat", "m:v1", "README.md", f"--range={bad}", says="is no range", hint="0-99", status=USAGE)

    def test_store__cat_into_a_closed_pipe_ends_quietly(self):
        self.built("m:v1", weights=4_000_000)
        done = subprocess.run(["bash", "-o", "pipefail", "-c", f"{PROGRAM} cat m:v1 model.safetensors | head -c 8"], capture_output=True, env=self.env, timeout=60)
        self.assertEqual((len(done.stdout), done.stderr), (8, b""))

    # ---- tag, rm, gc ----

    def test_store__local_tags_move_freely_and_say_so(self):
        folder, first = self.built("m:v1")
        (folder / "README.md").write_text("changed\n")
        done = self.mlreg("build", folder, "-t", "m:v1", "--json")
        built = json.loads(done.stdout)
        self.assertEqual(built["was"], first)
        self.assertIn(f"m:v1 was {first[:19]}… and is now {built['digest'][:19]}…", done.stderr)
        self.mlreg("build", folder, "-t", "n:v1")
        (folder / "README.md").write_text("changed again\n")
        third = self.json("build", folder, "-t", "n:v2")["digest"]
        done = self.mlreg("tag", "n:v2", "n:v1")
        self.assertIn("n:v1 was", done.stderr)
        self.assertEqual(self.json("inspect", "n:v1")["digest"], third)

    def test_store__tag_stays_in_one_place(self):
        self.built("m:v1")
        self.fails("tag", "m:v1", "oci:layout:v1", says="not in one place", hint="copy", status=USAGE)
        self.fails("tag", "m:v1", "127.0.0.1:9/m:v1", says="not in one place", hint="copy", status=USAGE)
        self.fails("tag", "nope:v1", "m:v2", says="cannot tag nope:v1", hint="mlreg ls")

    def test_store__digests_stand_wherever_tags_do(self):
        folder, digest = self.built("m:v1")
        ref = f"m@{digest}"
        self.assertEqual(self.json("inspect", ref)["digest"], digest)
        self.assertEqual(self.mlreg("cat", ref, "README.md").stdout, (folder / "README.md").read_text())
        self.mlreg("copy", ref, "dir:out")
        self.assertSameFiles(folder, self.work / "out")
        self.mlreg("tag", ref, "m:v2")
        self.mlreg("copy", ref, f"oci:layout@{digest}")
        self.assertEqual(self.json("inspect", f"oci:layout@{digest}")["digest"], digest)
        self.mlreg("rm", ref)
        self.assertEqual(self.json("ls"), [])
        self.fails("inspect", ref, says="cannot inspect", hint="mlreg ls")

    def test_store__rm_takes_a_tag_and_leaves_the_others(self):
        folder, digest = self.built("m:v1")
        self.mlreg("tag", "m:v1", "m:v2")
        self.assertEqual(self.json("rm", "m:v1"), {"removed": "m:v1"})
        self.assertEqual([a["name"] for a in self.json("ls")], ["m:v2"])
        self.fails("rm", "m:v1", says="cannot remove m:v1", hint="mlreg ls")
        self.assertSound()

    def test_store__gc_removes_what_nothing_names_and_nothing_else(self):
        folder, _ = self.built("m:v1")
        self.model("m-v1", weights=100)
        self.mlreg("build", folder, "-t", "m:v1")
        self.assertEqual(self.json("gc"), {"blobs": 0, "bytes": 0, "dry_run": False}, "an hour's grace")
        would = self.json("gc", "--grace", "0", "--dry-run")
        self.assertEqual(would["dry_run"], True)
        self.assertGreater(would["bytes"], 190_000)
        self.assertEqual(self.json("gc", "--grace", "0"), {**would, "dry_run": False})
        self.assertEqual(self.json("gc", "--grace", "0")["blobs"], 0)
        self.mlreg("copy", "m:v1", "dir:out")
        self.assertSameFiles(folder, self.work / "out")
        self.assertSound()

    def test_store__gc_wants_seconds(self):
        self.built("m:v1")
        for bad in "-1", "1h", "", "99999999999":
            self.fails("gc", f"--grace={bad}", says="is no number of seconds|needs a value", hint=None, status=USAGE)

    # ---- copy ----

    def test_store__copies_go_between_all_kinds_of_local_places(self):
        folder, digest = self.built("m:v1")
        self.assertEqual(self.json("copy", "m:v1", "n/m:v2")["digest"], digest)
        self.assertEqual(self.json("copy", "n/m:v2", "oci:a:v1")["digest"], digest)
        self.assertEqual(self.json("copy", "oci:a:v1", "oci:b")["digest"], digest)
        self.assertEqual(self.json("tags", "oci:b"), ["v1"])
        self.assertEqual(self.json("copy", "oci:b:v1", "back:v3")["digest"], digest)
        self.mlreg("copy", "oci:b:v1", "dir:out")
        self.assertSameFiles(folder, self.work / "out")
        self.assertEqual(self.json("copy", "dir:out", "again:v1")["digest"], digest)
        self.assertEqual(self.json("copy", "dir:out", "oci:c:v1")["digest"], digest)
        self.mlreg("copy", "m:v1", "oci:b:v9", "--store", self.store)
        self.assertEqual(self.json("tags", "oci:b"), ["v1", "v9"])
        self.assertSound()

    def test_store__copies_within_it_move_nothing(self):
        self.built("m:v1")
        self.assertEqual(self.json("copy", "m:v1", "n:v1")["bytes_moved"], 0)
        self.assertEqual(self.json("copy", "m:v1", "n:v1")["bytes_moved"], 0)

    def test_store__files_are_chosen_by_pattern(self):
        folder, _ = self.built("m:v1")
        self.mlreg("copy", "m:v1", "dir:some", "--include", "*.json", "--include", "tokenizer/**")
        self.assertEqual(set(self.snapshot(self.work / "some")), {"config.json", "tokenizer/vocab.txt"})
        self.mlreg("copy", "m:v1", "dir:rest", "--exclude", "*.safetensors")
        self.assertEqual(set(self.snapshot(self.work / "rest")), {"config.json", "tokenizer/vocab.txt", "README.md"})
        self.fails("copy", "m:v1", "n:v1", "--include", "*", says="--include", hint="dir:DIR", status=USAGE)

    def test_store__a_repository_that_is_not_there_is_listed_by_ls(self):
        self.built("m:v1")
        for command in "tags", "ls":
            self.fails(command, "n", says="repository 'n' is not there", hint="mlreg ls")

    def test_store__patterns_that_leave_no_file_are_an_error(self):
        """A script goes on with nothing otherwise. And no folder is left, where there was none."""
        self.built("m:v1")
        for words, says in ((["--include", "*.gguf"], 'no file of m:v1 matches --include "\\*.gguf"'), (["--exclude", "**"], "leave no file of m:v1"),
                            (["--include", "*.bin", "--include", "*.onnx"], "leave no file of m:v1")):
            with self.subTest(words):
                self.fails("copy", "m:v1", "dir:out", *words, says=says, hint="mlreg inspect m:v1")
                self.assertFalse((self.work / "out").exists())
                self.assertEqual(self.fails("copy", "m:v1", "dir:" + str(self.work), *words, "--json", says=says).stdout, "")

    def test_store__patterns_look_into_archives(self):
        tree = self.work / "tree"
        tree.mkdir()
        (tree / "a.txt").write_text("a")
        run("tar", "-cf", "a.tar", "-C", tree, ".", cwd=self.work)
        data = (self.work / "a.tar").read_bytes()
        artifact = Artifact(layers=[layer(data, media_type="application/vnd.oci.image.layer.v1.tar")])
        artifact.blobs[digest(data)] = data
        write_layout(self.work / "layout", v1=artifact)
        self.mlreg("copy", "oci:layout:v1", "dir:out", "--include", "a.*")
        self.assertEqual(set(self.snapshot(self.work / "out")), {"a.txt"})
        self.fails("copy", "oci:layout:v1", "dir:other", "--include", "b.*", says="no file of oci:layout:v1 matches")
        self.assertFalse((self.work / "other").exists())

    def test_store__files_that_are_right_stay_untouched(self):
        folder, _ = self.built("m:v1")
        self.mlreg("copy", "m:v1", "dir:out")
        before = (self.work / "out" / "model.safetensors").stat()
        (self.work / "out" / "README.md").write_text("spoilt")
        (self.work / "out" / "mine.txt").write_text("mine")
        self.assertLess(self.json("copy", "m:v1", "dir:out")["bytes_moved"], 1000)
        after = (self.work / "out" / "model.safetensors").stat()
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))
        self.assertEqual((self.work / "out" / "README.md").read_bytes(), (folder / "README.md").read_bytes())
        self.assertEqual((self.work / "out" / "mine.txt").read_text(), "mine")

    def test_store__a_missing_parent_is_not_made(self):
        self.built("m:v1")
        self.fails("copy", "m:v1", "dir:no/such/place", says="no/such", hint="make it first")
        self.assertFalse((self.work / "no").exists())

    # ---- fsck ----

    def blob(self, title):
        digest = next(l["digest"] for l in self.json("inspect", "m:v1")["layers"] if l["file"] == title)
        return digest, [p for p in self.store.rglob(digest[7:]) if p.is_file()]

    def test_store__fsck_names_a_damaged_blob_and_takes_it_out_of_the_way(self):
        folder, _ = self.built("m:v1")
        digest, paths = self.blob("model.safetensors")
        self.assertGreaterEqual(len(paths), 1)
        os.chmod(paths[0], 0o644)
        with open(paths[0], "r+b") as f:
            f.seek(1000)
            f.write(b"rot")
        report = self.report()
        self.assertEqual(report["sound"], False)
        self.assertIn(digest, " ".join(report["problems"]))
        self.report("--repair")
        self.mlreg("build", folder, "-t", "m:v1")
        self.assertSound()
        self.mlreg("copy", "m:v1", "dir:out")
        self.assertSameFiles(folder, self.work / "out")

    def report(self, *args):
        done = subprocess.run([PROGRAM, "fsck", "--json", *args], capture_output=True, text=True, env=self.env, timeout=60)
        self.assertIn(done.returncode, (0, FAILED), done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if report["sound"] else FAILED)
        self.assertFalse(report["sound"] and not args and report["problems"])
        return report

    def test_store__fsck_names_a_missing_blob(self):
        self.built("m:v1")
        digest, paths = self.blob("README.md")
        for path in paths:
            path.unlink()
        self.assertIn(digest, " ".join(self.report()["problems"]))

    def test_store__fsck_restores_an_index_that_a_foreign_writer_emptied(self):
        folder, digest = self.built("m:v1")
        self.mlreg("tag", "m:v1", "m:v2")
        (self.store / "m" / "index.json").write_text("")
        self.assertFalse(self.report()["sound"])
        self.assertTrue(self.report("--repair")["sound"])
        self.assertEqual([(a["name"], a["digest"]) for a in self.json("ls")], [("m:v1", digest), ("m:v2", digest)])
        self.assertSound()

    def test_store__ls_says_what_is_broken_and_lists_the_rest(self):
        folder, digest = self.built("bad:v1")
        self.mlreg("build", self.model("other"), "-t", "good:v1")
        for path in self.store.rglob(digest[7:]):
            os.chmod(path, 0o644)
            path.write_bytes(b"rot")
        done = subprocess.run([PROGRAM, "ls"], capture_output=True, text=True, env=self.env)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("good:v1", done.stdout)
        self.assertIn("cannot read bad:v1", done.stderr)
        self.assertIn("mlreg fsck", done.stderr)

    def test_store__what_a_foreign_tool_wrote_is_kept(self):
        """skopeo may write while nobody else does: its tag is there afterwards, with ours."""
        if shutil.which("skopeo") is None:
            self.skipTest("skopeo is not here: run tests/bed/install")
        _, digest = self.built("m:v1")
        self.skopeo("copy", "--preserve-digests", f"oci:{self.store}/m:v1", f"oci:{self.store}/m:theirs")
        self.mlreg("tag", "m:v1", "m:ours")
        self.assertEqual([a["name"] for a in self.json("ls")], ["m:ours", "m:theirs", "m:v1"])
        self.assertEqual({a["digest"] for a in self.json("ls")}, {digest})
        self.assertSound()

    def test_store__layouts_are_kept_in_order_alike(self):
        folder, _ = self.built("m:v1")
        self.mlreg("copy", "m:v1", "oci:layout:v1")
        self.assertEqual(self.json("fsck", "oci:layout"), {"sound": True, "problems": []})
        self.assertEqual(self.mlreg("fsck", "oci:layout").stdout, "all is sound\n")
        self.mlreg("rm", "oci:layout:v1")
        self.assertGreater(self.json("gc", "oci:layout", "--grace", "0")["bytes"], 200_000)
        for bad in "m:v1", "127.0.0.1:9/m":
            self.fails("fsck", bad, says="is no layout", hint="oci:DIR", status=USAGE)
