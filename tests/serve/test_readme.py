"""The first page's commands serve, with another registry on this machine in place of ghcr.io and free ports."""
import re
import shlex

from bed.house import ROOT, run
from serve.server import Case, Server

BLOCK, = re.findall(r"```sh\n(mlreg serve.*?)```", (ROOT / "README.md").read_text(), re.S)


class Readme(Case):
    def test_readme__its_commands_serve(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-keyout", self.folder / "key.pem",
            "-out", self.folder / "cert.pem")
        (self.folder / "users").write_text(run("htpasswd", "-nbB", "-C", "4", "alice", "secret").stdout)
        (self.folder / "tokens").write_text("a-token-0123456789 read team\n")
        self.push()
        lines = [line for line in BLOCK.splitlines() if line]
        self.assertEqual(len(lines), 3)
        for i, line in enumerate(lines):
            words = shlex.split(line.replace("https://ghcr.io", f"http://{self.server.host}"), comments=True)[2:]
            words = [w if w != "0.0.0.0:5000" else "0.0.0.0:0" for w in words]
            (self.folder / f"{i}").mkdir()
            server = Server(self.folder / f"{i}", *words, cwd=self.folder)
            if i == 1:
                self.assertEqual(server.ask("GET", "/v2/team/x/manifests/1").status, 200)
            elif i == 0:
                self.assertEqual(server.ask("GET", "/v2/").status, 200)
            else:
                self.assertEqual(server.scheme, "https")
            self.assertEqual(server.stop(), 0)

    def test_readme__its_tools_are_there(self):
        for tool in re.findall(r"`(tests/(?:serve|bench)/\w+)`", (ROOT / "README.md").read_text()):
            self.assertTrue((ROOT / tool).stat().st_mode & 0o100, tool)
