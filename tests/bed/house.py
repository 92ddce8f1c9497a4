"""house.py - what tests in Python share: where things are, and how to run them."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("MLREG_BUILD", ROOT / "build" / "release"))
LIBRARY = BUILD / "lib" / "libmlreg.so.0"
STATIC = BUILD / "lib" / "libmlreg.a"
PROGRAM = BUILD / "examples" / "mlreg" / "mlreg"
HEADER = ROOT / "include" / "mlreg.h"
LAYERS = ["base", "codec", "net", "place", "model", "api"]


def declared(header=HEADER):
    """The public functions of a header."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    return set(re.findall(r"MLREG_API[^;{]*?\b(mlreg_\w+)\s*\(", text))


def run(*command, check=True, **more):
    """Runs a command and returns what came of it; stdout and stderr as text."""
    more.setdefault("timeout", 300)
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done
