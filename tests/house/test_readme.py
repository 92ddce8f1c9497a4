"""The README does not lie: every command in it runs, with a registry on this machine in place of ghcr.io."""
import os
import re
import shutil
import subprocess
import time
import unittest

from bed.house import BUILD, PROGRAM, ROOT, run
from cli.program import Case, location, needs

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.S)


def block(first):
    """The one block that begins with this command."""
    found = [b for b in BLOCKS if b.startswith(first)]
    assert len(found) == 1, f"README.md has {len(found)} blocks that begin with {first!r}"
    return found[0]


class Readme(Case):
    def setUp(self):
        super().setUp()
        (self.work / "build").mkdir()
        (self.work / "build" / "mlreg").symlink_to(PROGRAM)
        self.env["PATH"] = f"{self.work}/build:{os.environ['PATH']}"

    def shell(self, line, **env):
        return run("bash", "-euc", line, cwd=self.work, env={**self.env, **env})

    def lines(self, text, there):
        return [line.replace("ghcr.io", there.host) for line in text.splitlines()]

    def logs_in(self, line, there):
        """Answers what login asks on its terminal; the password is not shown there."""
        status, said = self.converse(line, ("User: ", there.user + "\n"), ("Password: ", there.password + "\n"))
        self.assertEqual(status, 0, said)
        self.assertIn(f"logged in to {there.host}", said)
        self.assertNotIn(there.password, said)

    def test_readme__has_no_command_that_no_test_runs(self):
        self.assertEqual([b.split("\n")[0].split("#")[0].strip() for b in BLOCKS],
                         ["examples/quickstart", "build/mlreg login ghcr.io", "mlreg build ./my-model -t my-model:v1", "meson install -C build/release",
                          "pip install ./bindings/python"])         # by bindings/test_python_wheel.py

    @needs("htpasswd")
    def test_readme__push_your_own_model(self):
        there = self.registry("htpasswd", login=False)
        self.model("my-model")
        login, *rest = self.lines(block("build/mlreg login"), there)
        self.logs_in(login, there)
        for line in rest:
            self.shell(line)
        self.assertSameFiles(self.work / "my-model", self.work / "there")

    @needs("debian")
    def test_readme__keep_it_in_the_store_first(self):
        there = self.registry("debian")
        folder = self.model("my-model")
        for line in self.lines(block("mlreg build"), there):
            if line.startswith("mlreg push"):
                line += " --move"                      # the registry is shared with the test above
            said = self.shell(line).stdout
            if line.startswith("mlreg cat"):
                self.assertEqual(said, (folder / "config.json").read_text())
        self.assertSameFiles(folder, self.work / "there")
        self.assertEqual(self.json("tags", "oci:./layout"), ["v1"])

    def test_readme__the_library_is_installed_and_used(self):
        (self.work / "program.c").write_text("#include <mlreg.h>\nint main(void) { return mlreg_version() != MLREG_VERSION; }\n")
        install, compile = block("meson install").splitlines()
        self.shell(install.replace("build/release", str(BUILD)) + " --no-rebuild", DESTDIR=str(self.work / "root"))
        pc = next((self.work / "root").rglob("mlreg.pc"))
        self.shell(compile, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(self.work / "root"))
        self.shell("./a.out", LD_LIBRARY_PATH=str(pc.parent.parent))

    def test_readme__its_c_compiles(self):
        text = re.search(r"```c\n(.*?)```", README, re.S).group(1)
        (self.work / "snippet.c").write_text(
            "#include <mlreg.h>\nint f(void);\nint f(void) { mlreg_session *hub = NULL, *store = NULL; mlreg_artifact *model = NULL;\n"
            f"mlreg_error *err = NULL; mlreg_session_options create; MLREG_INIT(create);\n{text}return 0; }}\n")
        run("gcc", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", "-fsyntax-only", "snippet.c", cwd=self.work)

    @unittest.skipUnless(shutil.which("docker-registry"), "docker-registry is not here: run tests/bed/install")
    def test_readme__quickstart(self):
        """It shows its commands, finds the files the same, moves one file alone, and leaves nothing but build/mlreg."""
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        scratch = self.work / "scratch"
        scratch.mkdir()
        began = time.monotonic()
        said = run(ROOT / block("examples/quickstart").strip(), env={**self.env, "PATH": os.environ["PATH"], "XDG_CACHE_HOME": cache, "TMPDIR": str(scratch)}).stdout
        self.assertLess(time.monotonic() - began, 120)
        for shown in "$ mlreg build ./minilm -t minilm:v1", "$ mlreg push minilm:v1 ", "$ diff -r ./minilm ./out":
            self.assertIn(shown, said)
        self.assertRegex(said, r"all \d+ files are the same")
        self.assertRegex(said, r"\n  \d+(\.\d)? kB moved, 9\d(\.\d)? MB there already\n")
        self.assertNotIn("\033", said)
        self.assertEqual(list(scratch.iterdir()), [])
        self.assertTrue(os.access(ROOT / "build" / "mlreg", os.X_OK))
