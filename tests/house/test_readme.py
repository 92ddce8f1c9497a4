"""The README does not lie: every command in it runs, with a registry on this machine in place of ghcr.io."""
import os
import re
import shutil
import subprocess
import time
import unittest

from bed.house import BUILD, HEADER, LIBRARY, PROGRAM, ROOT, run
from cli.program import Case, as_root, needs

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```\w*\n(.*?)```", README, re.S)
AROUND_C = """#include <mlreg.h>
#include <stdio.h>
int main(void)
{
    mlreg_session *hub = NULL, *store = NULL;
    mlreg_artifact *model = NULL;
    mlreg_error *err = NULL;
    mlreg_session_options create;
    MLREG_INIT(create);
    create.flags = MLREG_OPEN_CREATE;
%s
    if (err != NULL) fprintf(stderr, "%%s\\n", mlreg_error_message(err));
    mlreg_artifact_free(model);
    mlreg_session_free(store);
    mlreg_session_free(hub);
    return err != NULL;
}
"""


def block(first):
    """The one block that begins with this."""
    found = [b for b in BLOCKS if b.startswith(first)]
    assert len(found) == 1, f"README.md has {len(found)} blocks that begin with {first!r}"
    return found[0]


class Readme(Case):
    def setUp(self):
        super().setUp()
        (self.work / "build").mkdir()
        (self.work / "build" / "mlreg").symlink_to(PROGRAM)

    def shell(self, line, **env):
        return run("bash", "-euc", line, cwd=self.work, env={**self.env, **env})

    def lines(self, text, there):
        """With a part of a registry on this machine in place of one's own of ghcr.io."""
        return [line.replace("ghcr.io/you", f"{there.host}/{there.part}").replace("ghcr.io", there.host) for line in text.splitlines()]

    def logs_in(self, line, there):
        """Answers what login asks on its terminal; the password is not shown there."""
        status, said = self.converse(line, ("User: ", there.user + "\n"), ("Password: ", there.password + "\n"))
        self.assertEqual(status, 0, said)
        self.assertIn(f"logged in to {there.host}", said)
        self.assertNotIn(there.password, said)

    @needs("htpasswd")
    def test_readme__push_your_own_model(self):
        there = self.registry("htpasswd", login=False)
        self.model("my-model")
        path, login, *rest = self.lines(block("export PATH"), there)
        self.logs_in(f"{path}\n{login}", there)
        self.shell("\n".join([path, *rest]))
        self.assertSameFiles(self.work / "my-model", self.work / "there")

    @needs("debian")
    def test_readme__keep_it_in_the_store_first(self):
        there = self.registry("debian")
        folder = self.model("my-model")
        self.env["PATH"] = f"{self.work}/build:{os.environ['PATH']}"
        for line in self.lines(block("mlreg build"), there):
            said = self.shell(line).stdout
            if line.startswith("mlreg cat"):
                self.assertEqual(said, (folder / "config.json").read_text())
        self.assertSameFiles(folder, self.work / "there")
        self.assertEqual(self.json("tags", "oci:./layout"), ["v1"])

    def test_readme__one_name_many_machines(self):
        for name in "cpu", "cuda", "sve":
            (self.work / name).mkdir()
            (self.work / name / "model.bin").write_text(name)
            self.mlreg("build", name, "-t", f"llama:{name}")
        self.env["PATH"] = f"{self.work}/build:{os.environ['PATH']}"
        for line in block("mlreg index create").splitlines():
            self.shell(line)
        self.assertEqual((self.work / "here" / "model.bin").read_text(), "cpu")
        self.assertEqual({v["name"]: v["absent"] for v in self.json("variants", "oci:./part:v1")}, {"cuda": False, "cpu": True, "sve": True})

    def test_readme__names_commands_and_options_that_are(self):
        """Also outside of blocks."""
        listed = re.findall(r"^  mlreg ([a-z]+(?: [a-z]+)*)", self.mlreg("--help").stdout, re.M)
        commands = {command.split()[0] for command in listed}
        options = set(re.findall(r"--[a-z-]+", "".join(self.mlreg(*command.split(), "--help").stdout for command in listed)))
        named = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.S))
        self.assertLessEqual({word for text in named for word in re.findall(r"^mlreg ([a-z]+)", text)}, commands)
        self.assertLessEqual({word for text in named for word in re.findall(r"^(--[a-z-]+)", text)}, options)

    # ---- from C ----

    def test_readme__the_library_is_installed_and_used(self):
        (self.work / "program.c").write_text("#include <mlreg.h>\nint main(void) { return mlreg_version() != MLREG_VERSION; }\n")
        install, compile = block("meson install").splitlines()
        install = install.replace("build/release", f"{BUILD} --no-rebuild")
        self.shell(install if os.getuid() == 0 else install.replace("ldconfig", "true"), DESTDIR=str(self.work / "root"))
        pc = next((self.work / "root").rglob("mlreg.pc"))
        self.shell(compile, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(self.work / "root"))
        self.shell("./a.out", LD_LIBRARY_PATH=str(pc.parent.parent))

    def compiled(self, source):
        (self.work / "program.c").write_text(source)
        run("gcc", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", "program.c", LIBRARY, "-o", "program", f"-Wl,-rpath,{LIBRARY.parent}", cwd=self.work)
        return self.work / "program"

    def pulls(self, code, there):
        """C that pulls team/llama:v1 from ghcr.io, with a registry on this machine instead."""
        folder = self.model("source")
        self.mlreg("push", folder, there.ref("llama:v1"))
        program = self.compiled(code.replace("https://ghcr.io", there.url).replace("team/", there.part + "/"))
        run(program, cwd=self.work, env=self.env)
        self.assertSameFiles(folder, self.work / "llama")
        self.assertSound(self.work / "models")

    @needs("debian")
    def test_readme__its_c_pulls(self):
        self.pulls(AROUND_C % block("mlreg_session_open"), self.registry("debian"))

    @needs("debian")
    def test_readme__the_program_in_the_header_pulls(self):
        program = re.search(r"A whole program.*?\n \*\n(.*?)\n \*/", HEADER.read_text(), re.S).group(1)
        self.pulls(re.sub(r"^ \* {0,5}", "", program, flags=re.M), self.registry("debian"))

    # ---- authentication, the store ----

    @needs("htpasswd")
    def test_readme__log_in_from_a_pipeline(self):
        there = self.registry("htpasswd", login=False)
        folder = self.model("my-model")
        self.env.update(PATH=f"{self.work}/build:{os.environ['PATH']}", REGISTRY_TOKEN=there.password)
        login, pull, logout = self.lines(block("printenv").replace("-u you", f"-u {there.user}"), there)
        self.shell(login)
        self.mlreg("push", folder, there.ref("my-model:v1"))
        self.shell(pull)
        self.assertSameFiles(folder, self.work / "there")
        self.assertEqual((self.home / ".docker" / "config.json").stat().st_mode & 0o777, 0o600)
        self.shell(logout)
        self.fails("pull", there.ref("my-model:v1"), "-o", "again", says="pull", hint=r"config\.json \(no entry\)")

    @needs("debian")
    def test_readme__the_store_lies_as_it_is_shown(self):
        """And what is said of its modes, links and copies is so."""
        there = self.registry("debian")
        self.built("my-model:v1")
        self.mlreg("push", "my-model:v1", there.ref("my-model:v1"))
        self.mlreg("pull", there.ref("my-model:v1"))
        top, repository = self.store, None
        for line in block("STORE").replace("ghcr.io/you", f"{there.host}/{there.part}".replace(":", "+")).splitlines():
            names, folder = re.split(r"\s{2,}", line.strip())[0], repository if line.startswith(" ") else top
            for name in names.split(", "):
                found = list(folder.glob(name.replace("STORE/", "").replace("…", "*").rstrip("/")))
                self.assertTrue(found, line)
            if folder is top:
                repository = found[0]
        for blob in (top / ".mlreg" / "blobs" / "sha256").iterdir():
            self.assertEqual((blob.stat().st_nlink, blob.stat().st_mode & 0o777), (3, 0o444))
        self.assertEqual((top / ".mlreg").stat().st_mode & 0o777, 0o700)
        for way in f"cp -a {top} copy", f"cp -r {top} copy", f"mkdir copy && tar -C {top} -cf - . | tar -C copy -xf -":
            self.shell(way)
            self.assertSound(self.work / "copy")
            self.shell("rm -r copy")
        self.shell(f"cp -r {top}/my-model alone")
        self.assertEqual(self.json("fsck", "oci:./alone"), {"sound": True, "problems": []})
        self.assertEqual(self.json("tags", "oci:./alone"), ["v1"])

    @as_root
    def test_readme__other_users_read_a_repository_as_a_layout(self):
        folder, _ = self.built("my-model:v1")
        for path in self.home, *list(self.store.parents)[:3]:
            path.chmod(0o755)
        nobody = self.as_nobody()
        self.assertEqual(self.mlreg("cat", f"oci:{self.store}/my-model:v1", "config.json", **nobody).stdout, (folder / "config.json").read_text())
        self.fails("ls", "--store", self.store, says="Permission denied", **nobody)

    @unittest.skipUnless(shutil.which("docker-registry"), "docker-registry is not here: run tests/bed/install")
    def test_readme__quickstart(self):
        """It shows its commands, finds the files the same, moves one file alone, has a service out of an image answer, and leaves nothing but build/mlreg."""
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        scratch = self.work / "scratch"
        scratch.mkdir()
        began = time.monotonic()
        said = run(ROOT / block("examples/quickstart").strip(), env={**self.env, "PATH": os.environ["PATH"], "XDG_CACHE_HOME": cache, "TMPDIR": str(scratch)}).stdout
        self.assertLess(time.monotonic() - began, 600)
        for shown in "$ mlreg build ./minilm -t minilm:v1", "$ mlreg push minilm:v1 ", "$ diff -r ./minilm ./out", "\nunpacked service:v1\n", "\nnearness ":
            self.assertIn(shown, said)
        self.assertRegex(said, r"all \d+ files are the same")
        self.assertRegex(said, r"\n  \d+(\.\d)? kB moved, 9\d(\.\d)? MB there already\n")
        self.assertRegex(said.partition("# Change one line of the script")[2], r"pushed .*service:v2\n.*\n  \d+(\.\d)? kB moved, 9\d(\.\d)? MB there already\n")
        self.assertNotIn("\033", said)
        self.assertEqual(list(scratch.iterdir()), [])
        self.assertTrue(os.access(ROOT / "build" / "mlreg", os.X_OK))
