"""setup.py - the wheel: builds the library from the source tree around it, and takes along what that needs.

`pip install ./bindings/python` needs a C compiler, pkg-config and the libraries' headers (examples/build installs them on
Debian); meson, ninja and auditwheel come from PyPI. The wheel needs none of them: `pip wheel ./bindings/python`.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = pathlib.Path(__file__).resolve().parents[2]
SONAME = "libmlreg.so.0"
VERSION = re.search(r"version: '([\d.]+)'", (ROOT / "meson.build").read_text())[1]
OF_EVERY_SYSTEM = re.compile(r"(linux-vdso|ld-linux|libc|libm|libpthread|libdl|librt|libresolv|libgcc_s)[.-]")   # PEP 600


def needed_by(library):
    """The libraries that go along, where they are."""
    lines = subprocess.run(["ldd", library], check=True, capture_output=True, text=True).stdout.splitlines()
    found = [re.match(r"\s*(\S+) => (/\S+)", line) for line in lines]
    return [pathlib.Path(m[2]).resolve() for m in found if m and not OF_EVERY_SYSTEM.match(m[1])]


def package_of(file):
    """The Debian package of a file and its version, or None."""
    for name in file, pathlib.Path(str(file).replace("/usr/", "/", 1)):
        done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
        if done.returncode == 0:
            package = done.stdout.partition(":")[0]
            shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
            return package, shown.stdout
    return None


def list_bundled(library, to):
    """Writes BUNDLED.md, and the licenses of what it lists."""
    lines = ["# What this wheel carries", "", "| library | from | license |", "|---|---|---|", "| libmlreg | this project | Apache-2.0 |"]
    (to / "licenses").mkdir(exist_ok=True)
    for file in needed_by(library):
        package = package_of(file) if shutil.which("dpkg-query") else None
        text = pathlib.Path("/usr/share/doc", package[0], "copyright") if package else None
        if text and text.exists():
            shutil.copyfile(text, to / "licenses" / f"{package[0]}.txt")
        lines.append(f"| {file.name} | {' '.join(package) if package else 'this system'} | {f'licenses/{package[0]}.txt' if package else 'see its project'} |")
    (to / "BUNDLED.md").write_text("\n".join(lines) + "\n")


class Bound(Distribution):
    """Not for any platform, though no module is compiled."""

    def has_ext_modules(self):
        return True


class BuildLibrary(build_py):
    """The Python files, and the library beside them."""

    def run(self):
        super().run()
        if self.editable_mode:
            return                              # works on a build of the tree, named in $MLREG_LIBRARY
        to = pathlib.Path(self.build_lib, "mlreg")
        with tempfile.TemporaryDirectory() as build:      # one that stayed would name the meson of an environment that is gone
            subprocess.run(["meson", "setup", build, ROOT, "--buildtype=release"], check=True, stdout=sys.stderr)
            subprocess.run(["ninja", "-C", build, f"lib/{SONAME}.1.0"], check=True, stdout=sys.stderr)
            subprocess.run(["strip", "--strip-unneeded", "-o", to / SONAME, f"{build}/lib/{SONAME}.1.0"], check=True)
        list_bundled(to / SONAME, to)


class Wheel(bdist_wheel):
    """One wheel for every Python 3, bound to the platform; what the library needs lies in it."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]

    def run(self):
        super().run()
        folder = pathlib.Path(self.dist_dir)
        plain = next(folder.glob(f"mlreg-{VERSION}-*.whl"))
        subprocess.run([sys.executable, "-m", "auditwheel", "repair", "--only-plat", "-w", folder / "repaired", plain], check=True, stdout=sys.stderr)
        plain.unlink()
        for whole in (folder / "repaired").iterdir():
            whole.rename(folder / whole.name)
        (folder / "repaired").rmdir()


setup(version=VERSION, distclass=Bound, cmdclass={"build_py": BuildLibrary, "bdist_wheel": Wheel})
