"""bench.py - what the endurance programs share: models, the program under test, and a registry to talk to."""
import json
import os
import pathlib
import random
import subprocess
import sys

from bed.house import PROGRAM, ROOT

LONGEST_S = 120


class Broken(Exception):
    """Something that was promised does not hold."""


def with_registry(name):
    """Runs this program again where that registry is, if it is not there yet."""
    if "MLREG_TEST_REGISTRY_" + name.upper() not in os.environ:
        os.execv(sys.executable, [sys.executable, str(ROOT / "tests" / "bed" / "with-registries"), name, "--", sys.executable, *sys.argv])
    return os.environ["MLREG_TEST_REGISTRY_" + name.upper()].partition("://")[2]


def write_model(folder, seed, size):
    """A small model whose weights share their first half with those of every other of its size."""
    folder.mkdir(parents=True)
    (folder / "shared.bin").write_bytes(random.Random(size).randbytes(size // 2))
    (folder / "own.bin").write_bytes(random.Random(seed).randbytes(size // 2))
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny", "seed": seed}))
    return folder


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Program:
    """The program with a home of its own and one store."""

    def __init__(self, folder, store):
        self.home, self.store = folder / "home", store
        self.home.mkdir(exist_ok=True)
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "MLREG_STORE": str(store),
                            **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}}

    def start(self, *args):
        return subprocess.Popen([str(PROGRAM), *map(str, args)], env=self.environment, cwd=self.home, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *args, check=True, timeout=LONGEST_S):
        done = subprocess.run([str(PROGRAM), *map(str, args)], env=self.environment, cwd=self.home, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise Broken(f"mlreg {' '.join(map(str, args))} ends with {done.returncode}: {done.stderr.strip()}")
        return done

    def json(self, *args):
        return json.loads(self.run(*args, "--json").stdout)

    def sound(self, *place):
        report = json.loads(self.run("fsck", *place, "--json", check=False).stdout or "null")
        if not report or not report["sound"]:
            raise Broken(f"fsck: {report}")

    def leftovers(self):
        """What lies in the store's private state after everything that nobody holds has been collected."""
        self.run("gc", "--grace", "0")
        private = pathlib.Path(self.store) / ".mlreg"
        return [str(p) for d in ("partial", "journal") for p in (private / d).rglob("*") if p.is_file()]
