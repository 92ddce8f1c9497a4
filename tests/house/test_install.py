"""Other projects can have the library: installed with pkg-config, statically, and as a subproject."""
import os
import pathlib
import tempfile
import unittest

from bed.house import BUILD, ROOT, run

PROGRAM = "#include <mlreg.h>\n#include <stdio.h>\nint main(void) { printf(\"%x\\n\", mlreg_version()); return mlreg_version() != MLREG_VERSION; }\n"


class Install(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.addCleanup(self.tmp.cleanup)
        self.dir = pathlib.Path(self.tmp.name)
        (self.dir / "program.c").write_text(PROGRAM)

    def installed(self):
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", self.dir / "root")
        found = list((self.dir / "root").rglob("mlreg.pc"))
        self.assertEqual(len(found), 1)
        return dict(os.environ, PKG_CONFIG_PATH=str(found[0].parent), PKG_CONFIG_SYSROOT_DIR=str(self.dir / "root"))

    def test_install__a_program_builds_with_pkg_config_and_runs(self):
        env = self.installed()
        flags = run("pkg-config", "--cflags", "--libs", "mlreg", env=env).stdout.split()
        run("gcc", "program.c", *flags, "-o", "program", cwd=self.dir, env=env)
        libdir = run("pkg-config", "--variable=libdir", "mlreg", env=env).stdout.strip()
        run(self.dir / "program", env=dict(env, LD_LIBRARY_PATH=libdir))

    def test_install__a_program_links_statically(self):
        env = self.installed()
        needed = run("pkg-config", "--print-requires-private", "mlreg", env=env).stdout.split()
        rest = run("pkg-config", "--libs", *(n for n in needed if n.startswith("lib"))).stdout.split()
        archive = next((self.dir / "root").rglob("libmlreg.a"))
        include = next((self.dir / "root").rglob("mlreg.h")).parent
        run("gcc", "program.c", f"-I{include}", archive, *rest, "-o", "program", cwd=self.dir)
        run(self.dir / "program")

    def test_install__another_project_takes_it_as_a_subproject(self):
        outer = self.dir / "outer"
        (outer / "subprojects").mkdir(parents=True)
        (outer / "subprojects" / "mlreg").symlink_to(ROOT)
        (outer / "program.c").write_text(PROGRAM)
        (outer / "meson.build").write_text("project('outer', 'c')\nexecutable('program', 'program.c', dependencies: dependency('mlreg', fallback: 'mlreg'))\n")
        run("meson", "setup", self.dir / "b", outer, "--wrap-mode=forcefallback", env=dict(os.environ, PKG_CONFIG_PATH=""), check=False)
        if not (self.dir / "b" / "build.ninja").exists():
            run("meson", "setup", self.dir / "b", outer)
        run("ninja", "-C", self.dir / "b", "program")
        run(self.dir / "b" / "program")
