"""The lines of Go on the first page and in the package's own comment: each run in a program of its own, in a workspace."""
import os
import pathlib
import re
import tempfile
import unittest

from bed.house import PROGRAM, ROOT, run
from bindings.go_bed import BINDING, GO_S, environment, find_go

README = (ROOT / "README.md").read_text()
IMPORT = 'import mlreg "github.com/libmlreg/libmlreg/bindings/go"'
FRAME = """package main

%s
import "context"
import "io/fs"
import "log"

func main() {
	ctx := context.Background()
	%s
	_ = fs.ValidPath
}
"""


@unittest.skipUnless("MLREG_TEST_REGISTRY" in os.environ, "no registries: run it under tests/bed/with-registries")
class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.go, cls.env = find_go(), environment()

    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.work = pathlib.Path(tmp.name)
        self.registry, self.part = os.environ["MLREG_TEST_REGISTRY"].split()[0], "go-pages-" + os.urandom(6).hex()

    def lines_run(self, text, reference, unused=()):
        """Lines that leave out the frame and the looks at `err`; what they call `reference` is pushed before. `unused` are
        variables that nothing is done with."""
        (self.work / "source").mkdir()
        (self.work / "source" / "config.json").write_text("{}\n")
        run(PROGRAM, "push", "source", f"{self.registry.partition('://')[2]}/{self.part}/{reference}", cwd=self.work)
        text = text.replace("https://ghcr.io", self.registry).replace(reference, f"{self.part}/{reference}")
        lines = [f"{line}\n\tif err != nil {{\n\t\tlog.Fatal(err)\n\t}}" for line in text.splitlines() if line] + [f"_ = {name}" for name in unused]
        (self.work / "main.go").write_text(FRAME % (IMPORT, "\n\t".join(lines)))
        run(self.go, "mod", "init", "first", cwd=self.work, env=self.env)
        workspace = re.search(r"^go (work init \. )\.\./libmlreg/(.*)", README, re.M)
        run("bash", "-ec", f"{self.go} {workspace[1]}{ROOT}/{workspace[2]}", cwd=self.work, env=self.env)
        run("nice", self.go, "run", ".", cwd=self.work, env=self.env, timeout=GO_S)

    def test_pages__the_first_page_s_lines_run(self):
        text, = re.findall(r"```go\n(.*?)```", README, re.S)
        first, _, lines = text.partition("\n")
        self.assertEqual(first, IMPORT)
        self.lines_run(lines, "you/my-model:v1", unused=["config"])
        self.assertTrue((self.work / "models" / self.part / "you" / "my-model").is_dir())

    def test_pages__the_package_s_own_lines_run(self):
        self.lines_run("\n".join(re.findall(r"^//\t(.*)$", (BINDING / "doc.go").read_text(), re.M)), "team/llama:v1")
        self.assertEqual((self.work / "llama" / "config.json").read_text(), "{}\n")
