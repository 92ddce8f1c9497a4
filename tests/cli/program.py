"""program.py - the command-line program under test: a home, a store and a working folder of its own for every test.

A Case watches what every run owes, whatever it is asked: data on stdout, everything else on stderr; one error line with
what to do; no secret anywhere; no word from the library's header where a user reads; nothing outside the test's folder
and no temporary file left in it.
"""
import json
import os
import pathlib
import pty
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from bed.house import PROGRAM, ROOT

EVIL = ROOT / "tests" / "bed" / "evil.py"
REGISTRIES = ("debian", "htpasswd", "distribution", "token", "tls", "redirect", "go")
SENTINEL = "nobody has a reason to touch this\n"
OK, FAILED, USAGE = 0, 1, 2


def location(registry):
    return os.environ.get("MLREG_TEST_REGISTRY_" + registry.upper())


def needs(*registries):
    """Skips a test, or a class of tests, whose registries are not there."""
    missing = [r for r in registries if not location(r)]
    return unittest.skipIf(missing, f"no registry \"{', '.join(missing)}\": run it under tests/bed/with-registries")


as_root = unittest.skipUnless(os.getuid() == 0, "needs root")


class Registry:
    """One of tests/bed/with-registries, and a part of it that no other test uses."""

    def __init__(self, kind, part):
        self.kind, self.url = kind, location(kind)
        self.host = self.url.partition("://")[2]
        variable = "MLREG_TEST_REGISTRY_" + kind.upper()
        self.user, self.password = os.environ.get(variable + "_USER"), os.environ.get(variable + "_PASSWORD")
        self.ca_file = os.environ.get("MLREG_TEST_CA_FILE") if kind == "tls" else None
        self.part = part

    def ref(self, name):
        """"model:v1" as a whole name in this registry."""
        return f"{'https://' if self.url.startswith('https') else ''}{self.host}/{self.part}/{name}"


class Evil:
    """A server that answers by a script (tests/bed/evil.py explains it) and logs every request."""

    def __init__(self, folder, script, tls=None):
        self.log_file = folder / "log"
        (folder / "script.json").write_text(json.dumps(script))
        command = [sys.executable, EVIL, "--script", f"@{folder}/script.json", "--log", self.log_file]
        self.process = subprocess.Popen(command + (["--tls", *tls] if tls else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        self.host = f"127.0.0.1:{self.port}"

    def requests(self):
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="mlreg-cli-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.home, self.work, self.store = self.top / "home", self.top / "work", self.top / "home" / ".local" / "share" / "mlreg" / "store"
        for folder in self.home, self.work, self.top / "servers":
            folder.mkdir()
        for folder in self.top, self.home, self.work:
            (folder / "sentinel").write_text(SENTINEL)
        self.env = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TMPDIR": str(self.work)}
        for name in "ASAN_OPTIONS", "UBSAN_OPTIONS":
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.program = PROGRAM
        self.secrets, self.may_hold_secrets = set(), {self.home / ".docker" / "config.json"}
        self.random = random.Random(self.id())
        self.addCleanup(self.check_traces)

    def check_traces(self):
        """What is left behind: sentinels as they were, nothing new beside them, no half file, no secret."""
        self.assertEqual(sorted(p.name for p in self.top.iterdir()), ["home", "sentinel", "servers", "work"])
        for folder in self.top, self.home, self.work:
            self.assertEqual((folder / "sentinel").read_text(), SENTINEL)
        for path in self.files(self.home) | self.files(self.work):
            self.assertNotRegex(path.name, r"^\.mlreg-.*|\.(tmp|part)$", "a temporary file was left")
            if path not in self.may_hold_secrets:
                data = path.read_bytes()
                for secret in self.secrets:
                    self.assertNotIn(secret.encode(), data, f"a secret lies in {path}")

    @staticmethod
    def files(folder):
        """The regular files below a folder."""
        return {p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()}

    def snapshot(self, folder):
        """Names and contents below a folder, to compare before and after."""
        return {str(p.relative_to(folder)): p.read_bytes() for p in self.files(folder)}

    # ---- running ----

    def command(self, *args):
        return [str(self.program), *map(str, args)]

    def start(self, *args, env=(), **more):
        """A run that the test will interrupt, or watch."""
        more.setdefault("cwd", self.work)
        return subprocess.Popen(self.command(*args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**self.env, **dict(env)}, **more)

    def mlreg(self, *args, status=OK, env=(), input=None, text=True, timeout=120, **more):
        """Runs the program; checks its exit status and what every run owes."""
        environment = {k: v for k, v in {**self.env, **dict(env)}.items() if v is not None}
        more.setdefault("cwd", self.work)
        done = subprocess.run(self.command(*args), input=input if input is not None else ("" if text else b""), capture_output=True,
                              text=text, env=environment, timeout=timeout, **more)
        self.check_run(args, done, status)
        return done

    def check_run(self, args, done, status):
        """`status` None: any, where a test looks at it itself."""
        said = done.stderr if isinstance(done.stderr, str) else done.stderr.decode()
        shown = done.stdout if isinstance(done.stdout, str) else done.stdout.decode("latin-1")
        context = f"mlreg {' '.join(map(str, args))}\nstdout: {shown[:2000]}\nstderr: {said}"
        self.assertEqual(done.returncode, done.returncode if status is None else status, context)
        self.assertIn(done.returncode, (OK, FAILED, USAGE), context)
        self.assertNotRegex(said, r"\b(MLREG_(?!STORE\b)[A-Z_]+|mlreg_\w+\()", context)
        self.assertNotRegex(said, r"\033", "there is no terminal")
        for secret in self.secrets:
            self.assertNotIn(secret, said + shown)
        errors = [line for line in said.splitlines() if line.startswith("mlreg: error: ")]
        self.assertEqual(len(errors), 0 if done.returncode == OK else 1, context)

    def fails(self, *args, says, hint=r".", status=FAILED, **more):
        """A run that ends in an error: what it says, and what it says to do (hint None: it need not know)."""
        done = self.mlreg(*args, status=status, **more)
        if os.environ.get("MLREG_TEST_SHOW"):      # for whoever polishes the messages
            print("$ mlreg", *args, "\n" + done.stderr, file=sys.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(next(line for line in done.stderr.splitlines() if line.startswith("mlreg: error: ")), says)
        if hint is not None:
            hints = [line for line in done.stderr.splitlines() if line.startswith("  hint: ")]
            self.assertEqual(len(hints), 1, done.stderr)
            self.assertRegex(hints[0], hint)
        return done

    def json(self, *args, **more):
        done = self.mlreg(*args, "--json", **more)
        return json.loads(done.stdout)

    def converse(self, line, *answers):
        """Runs a line of shell on a terminal of its own and answers its questions; gives its status and all that was shown."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.work)
            os.execve("/bin/sh", ["sh", "-c", line], {**self.env, "TERM": "xterm"})
        said, waiting, deadline = b"", list(answers), time.monotonic() + 60
        try:
            while time.monotonic() < deadline:
                if waiting and waiting[0][0].encode() in said:
                    os.write(terminal, waiting.pop(0)[1].encode())
                if select.select([terminal], [], [], 1)[0]:
                    said += os.read(terminal, 4096)
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass                       # it has ended, and its side of the terminal with it
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()

    # ---- what to run it on ----

    def model(self, name="model", weights=200_000, **files):
        """A small model in a folder: weights, a config and a card; `files` adds and replaces."""
        folder = self.work / name
        folder.mkdir(exist_ok=True)
        header = json.dumps({"w": {"dtype": "F32", "shape": [weights // 4], "data_offsets": [0, weights // 4 * 4]}}).encode()
        contents = {
            "model.safetensors": len(header).to_bytes(8, "little") + header + self.random.randbytes(weights // 4 * 4),
            "config.json": b'{"architectures": ["TinyModel"], "model_type": "tiny"}\n',
            "README.md": b"---\nlicense: mit\n---\n# A tiny model\n",
            "tokenizer/vocab.txt": b"one\ntwo\n",
            **{k.replace("__", "."): v for k, v in files.items()},
        }
        for path, data in contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder

    def built(self, ref="model:v1", **how):
        """A model that is in the store: its folder and its digest."""
        folder = self.model(ref.replace(":", "-").replace("/", "-"), **how)
        return folder, self.json("build", folder, "-t", ref)["digest"]

    def registry(self, kind, login=True):
        """A registry of the bed, to be had as a user has it: logged in, and trusted by --ca-file's variable."""
        there = Registry(kind, "t" + self.random.randbytes(6).hex())
        if there.ca_file:
            self.env["SSL_CERT_FILE"] = there.ca_file
        if there.password:
            self.secrets.add(there.password)
            if login:
                self.mlreg("login", there.host, "-u", there.user, "--password-stdin", input=there.password + "\n")
        return there

    def evil(self, script, tls=None):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.top / "servers"))
        server = Evil(folder, script, tls)
        self.addCleanup(server.stop)
        return server

    def as_nobody(self):
        """What makes a run that of a user without rights, for tests that root runs: they may not even get at the program
        where it was built, below /root."""
        os.chmod(self.top, 0o755)
        self.program = self.top / "servers" / "mlreg"
        if not self.program.exists():
            shutil.copy(PROGRAM, self.program)
        return {"user": 65534, "group": 65534, "extra_groups": []}

    def assertSameFiles(self, a, b):
        self.assertEqual(self.snapshot(a), self.snapshot(b))

    def assertSound(self, store=None):
        report = self.json("fsck", *(["--store", store] if store else []))
        self.assertEqual(report, {"sound": True, "problems": []})

    def skopeo(self, *args, check=True):
        done = subprocess.run(["skopeo", *map(str, args)], capture_output=True, text=True, timeout=120, env=self.env, cwd=self.work)
        if check:
            self.assertEqual(done.returncode, 0, f"skopeo {args}: {done.stderr}")
        return done
