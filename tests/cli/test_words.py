"""The command line's own grammar: commands, options, names, exit statuses, what goes to which stream."""
import json
import os
import pathlib
import re
import shlex
import subprocess
import time
import unittest

from bed.house import PROGRAM, ROOT
from cli.program import FAILED, OK, USAGE, Case

COMMANDS = ["build", "push", "pull", "copy", "image build", "image artifact", "image unpack", "image find", "ls", "tags", "tag", "inspect", "cat", "index", "variants", "host", "rm", "gc", "fsck",
            "login", "logout", "serve", "version"]
OTHER = "sha256:" + "0" * 64


class Words(Case):
    def test_words__without_any_the_usage_comes_and_the_status_is_2(self):
        done = subprocess.run([PROGRAM], capture_output=True, text=True, env=self.env)
        self.assertEqual((done.returncode, done.stdout), (USAGE, ""))
        self.assertIn("mlreg pull", done.stderr)

    def test_words__help_lists_every_command(self):
        text = self.mlreg("--help").stdout
        self.assertEqual(re.findall(r"(?m)^  mlreg ((?:image )?\w+)", text), COMMANDS)

    def test_words__every_command_has_help_of_its_own(self):
        for command in COMMANDS:
            with self.subTest(command):
                text = self.mlreg(*command.split(), "--help").stdout
                self.assertTrue(text.startswith(f"usage: mlreg {command} "))
                self.assertEqual("with --json: " in text, command != "cat")

    def test_words__help_names_every_option_that_is_taken(self):
        """An option that help shows and that is refused is a lie: of all of them, each as it is shown, only the one behind them is."""
        for command in COMMANDS:
            shown = re.findall(r"(?m)^  (--?[\w-]+)(?:, (--?[\w-]+))?(?: ([^\s-]\S*))?  ", self.mlreg(*command.split(), "--help").stdout)
            self.assertGreaterEqual(len(shown), 6)
            with self.subTest(command):
                self.fails(*command.split(), *(word for a, b, value in shown for word in (a, b, value) if word), "--no-such-option",
                           says=f"mlreg {command} has no option --no-such-option", status=USAGE)

    def test_words__every_option_is_named_by_a_help(self):
        source = (ROOT / "examples" / "mlreg" / "args.c").read_text()
        shown = set(re.findall(r"(?m)^  (--?[\w-]+)(?:, (--?[\w-]+))?", "".join(self.mlreg(*command.split(), "--help").stdout for command in COMMANDS)))
        self.assertEqual(set(re.findall(r'\{ "(--?[\w-]+)", ', source)) - {name for names in shown for name in names}, set())

    def test_words__an_empty_one_is_said(self):
        """It names nothing, and comes from a variable that is not set."""
        for words in (["build", "", "-t", "a:v1"], ["inspect", ""], ["cat", "a:v1", ""]):
            self.fails(*words, says="an argument is empty: mlreg " + words[0], hint="variable", status=USAGE)

    def test_words__an_unknown_command_is_guessed(self):
        self.fails("pul", "x", says='there is no command "pul"', hint="did you mean pull", status=USAGE)
        self.fails("xyzzy", says='there is no command "xyzzy"', hint="^  hint: `mlreg --help`", status=USAGE)
        self.fails("zz", says='there is no command "zz"', hint="^  hint: `mlreg --help`", status=USAGE)
        for words in ["image"], ["image", "nope"], ["image", "-q"]:
            self.fails(*words, says="image", hint="image build, image artifact, image unpack, image find", status=USAGE)

    def test_words__help_and_version_are_asked_for_in_every_way(self):
        """As skopeo, crane and oras are asked."""
        self.assertEqual(self.mlreg("help").stdout, self.mlreg("--help").stdout)
        self.assertEqual(self.mlreg("help", "image", "build").stdout, self.mlreg("image", "build", "--help").stdout)
        self.assertEqual(self.mlreg("pull", "--help", "a", "b", "c").stdout, self.mlreg("pull", "-h").stdout)
        self.assertEqual(self.mlreg("--version").stdout, self.mlreg("version").stdout)
        self.assertEqual(self.mlreg("image", "--help").stdout, self.mlreg("--help").stdout)
        self.fails("help", "pul", says='there is no command "pul"', hint="pull", status=USAGE)

    def test_words__an_unknown_option_is_guessed(self):
        self.fails("push", "--mov", "a", says="mlreg push has no option --mov", hint="did you mean --move", status=USAGE)
        self.fails("ls", "--move", says="mlreg ls has no option --move", hint="mlreg ls --help", status=USAGE)
        self.fails("--nope", says="mlreg has no option --nope", hint="mlreg --help", status=USAGE)
        self.fails("-X", says="mlreg has no option -X", hint="^  hint: `mlreg --help`", status=USAGE)

    def test_words__too_many_and_too_few(self):
        self.fails("tags", "a", "b", says='"b" is one argument too many: mlreg tags REPO', status=USAGE)
        self.fails("version", "x", says="mlreg version$", status=USAGE)
        self.fails("push", "a.bin", "b.bin", "c.bin", "d.bin", says="one argument too many", hint="quote", status=USAGE)
        self.fails("copy", "a:v1", says="arguments are missing: mlreg copy FROM TO", status=USAGE)
        self.fails("-q", says="no command is given", hint="mlreg --help", status=USAGE)

    def test_words__options_want_their_values(self):
        self.fails("ls", "--store", says="--store needs a value", hint=None, status=USAGE)
        self.fails("ls", "--store=", says="--store needs a value", hint=None, status=USAGE)
        self.fails("ls", "--json=yes", says="--json takes no value", hint=None, status=USAGE)

    def test_words__options_stand_anywhere_and_take_equals(self):
        self.built("m:v1")
        for words in (["ls", "--json", "--store", self.store], ["--json", f"--store={self.store}", "ls"], ["--store", self.store, "ls", "--json"]):
            self.assertEqual(json.loads(self.mlreg(*words).stdout)[0]["name"], "m:v1")

    def test_words__options_may_be_many(self):
        self.model()
        self.mlreg("build", "model", "-t", "m:v1", *(word for i in range(100) for word in ("--annotation", f"k{i}=v")))
        self.assertEqual(len(self.json("inspect", "m:v1")["annotations"]), 100)
        self.assertEqual(self.json("index", "create", "-t", "m:all", *(f"v{i}=m:v1" for i in range(100)))["variants"], 100)
        self.fails("ls", *["--annotation=a=b"] * 2, says="has no option", status=USAGE)
        self.fails("build", "model", "-t", "m:v1", *["--annotation=a=b"] * 257, says="--annotation is given over 256 times", hint=None, status=USAGE)

    def test_words__after_two_dashes_nothing_is_an_option(self):
        self.fails("inspect", "--", "-q", says='"-q"', hint=None, status=USAGE)

    def test_words__version(self):
        self.assertRegex(self.mlreg("version").stdout, r"^mlreg \d+\.\d+\.\d+\n$")
        self.assertRegex(self.json("version")["version"], r"^\d+\.\d+\.\d+$")

    def test_words__a_full_stdout_is_an_error(self):
        self.built("m:v1")
        for words in ["version"], ["cat", "m:v1", "model.safetensors"], ["ls", "--json"]:
            with open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, env=self.env)
            self.assertEqual((done.returncode, done.stderr), (FAILED, "mlreg: error: cannot write to stdout: No space left on device\n"))


class Names(Case):
    def test_names__malformed_ones_are_refused_with_the_rule(self):
        for name, says in (
                ("Llama:v1", "upper-case"), ("a//b:v1", "repository"), ("a:" + "t" * 129, "129|tag"), ("a:.v1", "tag"), ("a:v 1", "tag"), ("a@sha256:123", "digest"),
                ("a@sha256:" + "A" * 64, "digest"), ("a@md5:" + "0" * 32, "digest|algorithm"), ("ghcr.io/:v1", "repository"), ("ghcr.io/UP/x:v1", "upper-case"),
                ("a" * 300 + ":v1", "255|long"), (":v1", "repository|NAME"), ("@" + OTHER, "repository|NAME"), ("oci:", "folder"), ("https://ghcr.io", "repository"),
                ("ghcr.io/a\nb:v1", "repository"), ("a:v1\x1b[31m", "tag")):
            with self.subTest(name):
                self.fails("inspect", name, says=says, hint=None, status=USAGE)

    def test_names__a_tag_of_128_characters_is_fine(self):
        self.built("a:" + "t" * 128)
        self.assertEqual(self.json("ls")[0]["name"], "a:" + "t" * 128)

    def test_names__a_path_is_no_name(self):
        for path in "./model", "/model", "../x:v1", "~/x":
            self.fails("inspect", path, says="is a path, not a name", hint="oci:DIR", status=USAGE)

    def test_names__where_a_registry_is_meant_a_name_without_host_is_explained(self):
        self.fails("pull", "llama:v1", says='"llama:v1" names no registry', hint="docker.io/llama:v1", status=USAGE)
        self.fails("push", "llama:v1", says='"llama:v1" names no registry', hint="docker.io/llama:v1", status=USAGE)
        self.built("llama:v1")
        self.fails("push", "llama:v1", "llama:v1", says='"llama:v1" names no registry', hint="docker.io/llama:v1", status=USAGE)
        self.fails("copy", "other:v1", "dir:out", says="cannot copy other:v1", hint="docker.io/other:v1")

    def test_names__push_wants_a_tag(self):
        self.built("llama:v1")
        for words in (["llama:v1"], [self.work / "llama-v1"], []):
            self.fails("push", *words, "127.0.0.1:9/team/llama", says="names no tag", hint="127.0.0.1:9/team/llama:v1", status=USAGE)
        self.fails("push", "llama", "127.0.0.1:9/team/llama:v1", says="there is no folder llama", hint="NAME:TAG")

    def test_names__elsewhere_a_tag_or_a_digest_is_wanted(self):
        for words in (["inspect", "llama"], ["cat", "llama", "x"], ["rm", "llama"], ["tag", "llama", "b:v1"], ["copy", "llama", "dir:x"], ["pull", "127.0.0.1:9/x"]):
            self.fails(*words, says="names no tag", hint="sha256", status=USAGE)

    def test_names__a_build_is_named_by_tag_alone(self):
        folder = self.model()
        self.fails("build", folder, says="needs a name", hint="-t NAME:v1", status=USAGE)
        self.fails("build", folder, "-t", "m", says="names no tag", hint="m:v1", status=USAGE)
        self.fails("build", folder, "-t", "m@" + OTHER, says="names no tag", hint="m:v1", status=USAGE)
        self.fails("build", folder, "-t", "oci:x:v1", says="is a layout", hint="copy", status=USAGE)
        self.fails("build", folder, "-t", "dir:x", says="is a folder", hint="copy", status=USAGE)

    def test_names__layouts_and_folders_stand_only_where_they_make_sense(self):
        self.fails("pull", "oci:x:v1", says="is a layout", hint="copy", status=USAGE)
        self.fails("push", "oci:x:v1", says="is a layout", hint="copy", status=USAGE)
        self.fails("pull", "dir:x", says="is a folder", hint="copy", status=USAGE)
        self.fails("inspect", "dir:x", says="is a folder", hint="copy", status=USAGE)
        self.fails("copy", "dir:a", "dir:b", says="both are folders", hint="cp -r", status=USAGE)
        self.fails("copy", "dir:", "m:v1", says="names no folder", status=USAGE)

    def test_names__of_a_store_may_look_like_a_prefix(self):
        """"store:host/…" is what a pull left; "store:v1" is tag v1 of a repository called store."""
        folder = self.model()
        self.json("build", folder, "-t", "store:v1", "-t", "ghcr.io/team/llama:v1")
        self.assertEqual(self.json("inspect", "store:v1")["reference"], "store:v1")
        self.assertEqual(self.json("inspect", "store:ghcr.io/team/llama:v1")["reference"], "store:ghcr.io/team/llama:v1")
        self.assertEqual(self.json("tags", "store:ghcr.io/team/llama"), ["v1"])
        self.assertEqual([a["name"] for a in self.json("ls")], ["ghcr.io/team/llama:v1", "store:v1"])

    def test_names__ls_takes_a_repository_however_it_is_written(self):
        self.built("a:v1")
        self.built("b:v1")
        for word in "a", "a:v1":
            self.assertEqual([x["name"] for x in self.json("ls", word)], ["a:v1"])
        self.fails("ls", "oci:x", says="is a layout, which will not do here", status=USAGE)
        self.fails("ls", "A", says='repository \'A\' has upper-case letters', status=USAGE)

    def test_names__plain_http_is_for_this_machine_or_asked_for(self):
        self.fails("inspect", "http://192.0.2.1/x:v1", says="http", hint="--plain-http")

    def test_names__login_takes_a_host(self):
        self.fails("login", "team", says="is no registry's host", hint="docker.io", status=USAGE)
        self.fails("login", "ghcr.io/team", says="is more than a host", status=USAGE)
        self.fails("logout", "ghcr.io/team", says="is more than a host", status=USAGE)
        for host in "oci:x", "ftp://ghcr.io", "ghcr.io:x", "https://", ".":
            self.fails("login", host, says=f'"{re.escape(host)}" is no registry\'s host', status=USAGE)

    def test_names__of_another_scheme_are_said(self):
        self.fails("inspect", "ftp://ghcr.io/x:v1", says="ftp", hint="https://", status=USAGE)


class Untouched(Case):
    """A command that cannot do its work has made nothing on the way."""

    def test_untouched__no_store_and_no_layout_are_made(self):
        (self.work / "file").write_text("x")
        self.fails("build", "nowhere", "-t", "a:v1", says="there is no folder nowhere", hint="holds the model's files")
        self.fails("build", "file", "-t", "a:v1", says="there is no folder file")
        self.fails("copy", "dir:nowhere", "oci:layout:v1", says="there is no folder nowhere")
        self.fails("index", "add", "l:v1", "cpu=a:v1", says="cannot open the store")
        self.fails("image", "build", "-t", "a:v1", says="nothing in it", hint="--model", status=USAGE)
        self.assertFalse(self.store.exists())
        self.built("a:v1")
        self.fails("tag", "a:v1", "oci:layout:v1", says="not in one place", hint="copy", status=USAGE)
        self.assertFalse((self.work / "layout").exists())

    def test_untouched__no_place_is_made_for_what_cannot_be_had(self):
        none = self.evil([]).host + "/x:v1"
        for words in (["pull", "127.0.0.1:9/x:v1"], ["pull", none], ["copy", none, "m:v1"], ["copy", none, "oci:layout:v1"],
                      ["index", "create", "-t", "m:v1", f"cpu={none}"], ["index", "create", "-t", "oci:layout:v1", f"cpu={none}"],
                      ["image", "build", "--base", none, "-t", "m:v1"], ["pull", none, "-o", "out"], ["copy", none, "dir:out"], ["image", "unpack", none, "out"]):
            with self.subTest(words):
                self.fails(*words, says="cannot connect to 127.0.0.1:9|answered 404")
                self.assertEqual((self.files(self.home), sorted(p.name for p in self.work.iterdir())), ({self.home / "sentinel"}, ["sentinel"]))
                self.assertFalse(self.store.exists())

    def test_untouched__what_is_copied_is_not_annotated(self):
        """To say nothing would be to lose what was said."""
        self.built("a:v1")
        for words in (["push", "a:v1", "127.0.0.1:9/x:v1"], ["copy", "a:v1", "b:v1"], ["copy", "a:v1", "dir:out"]):
            self.fails(*words, "--annotation", "k=v", says="--annotation goes with a folder", hint="mlreg build", status=USAGE)

    def test_untouched__a_file_is_no_place(self):
        (self.work / "file").write_text("x")
        self.fails("ls", "--store", "file", says="file is no directory", hint="another path")


class Streams(Case):
    def on_terminal(self, *args, **env):
        """Runs with stderr on a terminal; gives what came there."""
        settings = "".join(f"{k}={v} " for k, v in env.items())
        return self.converse(f"{settings}{shlex.join(self.command(*args))} >/dev/null")

    def test_streams__data_alone_is_on_stdout(self):
        folder = self.model()
        done = self.mlreg("build", folder, "-t", "m:v1")
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"^built m:v1\n  sha256:[0-9a-f]{64}\n  .* moved\n$")
        done = self.mlreg("tags", "m")
        self.assertEqual((done.stdout, done.stderr), ("v1\n", ""))

    def test_streams__quiet_leaves_the_digest_alone(self):
        folder = self.model()
        self.mlreg("build", folder, "-t", "m:v1")
        (folder / "README.md").write_text("changed\n")
        done = self.mlreg("build", folder, "-t", "m:v1", "-q")
        self.assertRegex(done.stdout, r"^sha256:[0-9a-f]{64}\n$")
        self.assertEqual(done.stderr, "")

    def test_streams__errors_are_coloured_on_a_terminal_only(self):
        _, said = self.on_terminal("inspect", "A:v1")
        self.assertIn("\033[", said)
        for env in {"NO_COLOR": "1"}, {"TERM": "dumb"}:
            _, said = self.on_terminal("inspect", "A:v1", **env)
            self.assertNotIn("\033", said)
            self.assertIn("mlreg: error: ", said)

    def test_streams__that_are_closed_are_given_to_nothing_else(self):
        """Else the next file or connection has their number, and what is logged is written there."""
        process = subprocess.Popen(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', *self.command("serve", "--listen", "127.0.0.1:0")], env=self.env)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.terminate)
        folder, deadline = pathlib.Path(f"/proc/{process.pid}/fd"), time.monotonic() + 60
        while "socket:" not in subprocess.run(["ls", "-l", folder], capture_output=True, text=True).stdout and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual([os.readlink(folder / str(i)) for i in range(3)], ["/"] * 3)
        done = subprocess.run(["sh", "-c", '"$0" version >&-', PROGRAM], capture_output=True, text=True, env=self.env)
        self.assertEqual((done.returncode, done.stderr), (FAILED, "mlreg: error: cannot write to stdout: Bad file descriptor\n"))
        done = subprocess.run(["sh", "-c", '"$0" version 2>&-', PROGRAM], capture_output=True, text=True, env=self.env)
        self.assertEqual(done.returncode, OK)

    def test_streams__the_live_line_is_for_terminals_and_leaves_nothing(self):
        folder = self.model(weights=4_000_000)
        status, said = self.on_terminal("build", folder, "-t", "m:v1")
        self.assertEqual(status, OK)
        self.assertNotIn("\n", said)
        self.assertTrue(said == "" or said.endswith("\r\033[K"))
        _, said = self.on_terminal("build", folder, "-t", "m:v2", NO_COLOR="1")
        self.assertNotIn("\033", said)


if __name__ == "__main__":
    unittest.main()
