"""The house keeps its walls: include directions, one room per outside library, one job per file."""
import json
import re
import shlex
import unittest

from bed.house import BUILD, LAYERS, ROOT, run

SOURCES = sorted(p for p in (ROOT / "lib").rglob("*.[ch]"))
OUTSIDE = {
    "curl/curl.h": r"net/http\w*\.[ch]$",
    "cjson/cJSON.h": r"codec/json\w*\.[ch]$",
    "sodium.h": r"codec/(sha256_sodium|ed25519|seal)\w*\.[ch]$",
    "xxhash.h": r"codec/xxh\.c$",
    "archive.h": r"codec/archive\w*\.[ch]$",
    "zstd.h": r"codec/zstd\w*\.[ch]$",
}
TOP = {"lib", "include", "examples", "bindings", "tests", "meson.build", "README.md", "LICENSE"}


class Layers(unittest.TestCase):
    def test_layers__a_file_includes_only_its_own_layer_and_those_to_its_left(self):
        for path in SOURCES:
            layer = path.parent.name
            for other in re.findall(r'#include "(\w+)/', path.read_text()):
                self.assertIn(other, LAYERS, path)
                self.assertLessEqual(LAYERS.index(other), LAYERS.index(layer), f"{path} includes {other}/")

    def test_layers__each_outside_library_is_known_to_one_room(self):
        for path in SOURCES:
            for header in re.findall(r"#include <([\w./]+)>", path.read_text()):
                room = OUTSIDE.get(header)
                if room:
                    self.assertRegex(str(path), room, f"{path} includes <{header}>")

    def test_layers__only_work_starts_threads_or_waits(self):
        for path in SOURCES:
            if path.name not in ("work.c", "work.h"):
                self.assertNotRegex(path.read_text(), r"\b(pthread_create|pthread_cond_(timed)?wait|nanosleep|usleep|sleep)\s*\(", path)

    def test_layers__the_first_line_names_the_file_and_its_job(self):
        for path in SOURCES + sorted((ROOT / "tests").rglob("*.[ch]")):
            first = path.open().readline()
            self.assertRegex(first, rf"^/\* (?:[\w./]*/)?{re.escape(path.name)} - \S", path)

    def test_layers__public_calls_are_defined_in_api_alone(self):
        for path in SOURCES:
            if path.suffix == ".c" and path.parent.name != "api":
                self.assertNotRegex(path.read_text(), r"(?m)^(?!static)[\w *]+\bmlreg_\w+\([^;]*\)\n\{", path)

    def test_layers__hooks_of_other_libraries_and_of_the_process_are_left_alone(self):
        for path in SOURCES:
            self.assertNotRegex(path.read_text(), r"\b(cJSON_InitHooks|curl_global_init_mem|setlocale|chdir|umask|signal|sigaction|setenv|putenv|exit|printf|puts|perror)\s*\(", path)

    def test_layers__names_in_tables_keep_their_ends(self):
        """A name that fills its row leaves no room for the byte 0, and in C no compiler says so."""
        said = {}
        for step in json.loads((BUILD / "compile_commands.json").read_text()):
            path = (BUILD / step["file"]).resolve()
            if step["output"].startswith("lib/") and re.search(r"\bchar \w+\[\d*\]", path.read_text()):
                command = shlex.split(step["command"])
                command = command[command[0].endswith("ccache"):command.index("-MD")]
                said[path] = run(*command, "-Wc++-compat", "-Wno-error", "-fsyntax-only", path, cwd=BUILD).stderr
        self.assertGreater(len(said), 20)
        self.assertEqual([line for text in said.values() for line in text.splitlines() if "is too long for C++" in line], [])

    def test_layers__the_top_level_is_as_fixed(self):
        built = {"build"}  # by the scripts; git ignores it
        self.assertEqual({p.name for p in ROOT.iterdir() if not p.name.startswith(".")} - built, TOP)
