"""No page shows code that no test runs: every block of every page, docstring and comment is listed here with the test that
runs it, so that a new one fails until somebody has written that test."""
import ast
import re
import unittest

from bed.house import ROOT

TESTS = ROOT / "tests"
RUN_BY = {
    "README.md: mlreg_session_open(\"https://ghcr.io\", NULL, &hub, &err);": "house/test_readme.py test_readme__its_c_pulls",
    "README.md: examples/quickstart": "house/test_readme.py test_readme__quickstart",
    "README.md: export PATH=$PWD/build:$PATH": "house/test_readme.py test_readme__push_your_own_model",
    "README.md: mlreg build ./my-model -t my-model:v1": "house/test_readme.py test_readme__keep_it_in_the_store_first",
    "README.md: mlreg index create -t llama:v1 cpu=llama:cpu cuda=llama:cuda,compute=8.0,memory=40GB": "house/test_readme.py test_readme__one_name_many_machines",
    "README.md: meson install -C build/release && ldconfig": "house/test_readme.py test_readme__the_library_is_installed_and_used",
    "README.md: pip install ./bindings/python": "bindings/test_python_wheel.py test_wheel__pip_installs_from_the_tree",
    "README.md: import mlreg": "bindings/test_python_hub.py test_readme__the_first_page_s_program_runs",
    "README.md: go work init . ../libmlreg/bindings/go": "bindings/test_go_pages.py test_pages__the_first_page_s_lines_run",
    "README.md: import mlreg \"github.com/libmlreg/libmlreg/bindings/go\"": "bindings/test_go_pages.py test_pages__the_first_page_s_lines_run",
    "README.md: printenv REGISTRY_TOKEN | mlreg login ghcr.io -u you --password-stdin": "house/test_readme.py test_readme__log_in_from_a_pipeline",
    "README.md: mlreg image build --base docker.io/python:3.12-slim --pip requirements.txt --model ./tiny:/models --add app:/app \\": "cli/test_images.py test_readme__an_image_is_built_as_shown",
    "README.md: STORE/my-model/": "house/test_readme.py test_readme__the_store_lies_as_it_is_shown",
    "README.md: mlreg serve": "serve/test_readme.py test_readme__its_commands_serve",
    "bindings/python/README.md: pip install ./bindings/python": "bindings/test_python_wheel.py test_wheel__pip_installs_from_the_tree",
    "bindings/python/README.md: import mlreg": "bindings/test_python_hub.py test_readme__its_programs_run",
    "bindings/python/README.md: import io": "bindings/test_python_hub.py test_readme__its_programs_run",
    "bindings/python/mlreg/__init__.py: >>> import mlreg": "bindings/test_python_bound.py test_types__the_docstrings_examples_run",
    "bindings/python/mlreg/_progress.py: >>> import mlreg": "bindings/test_python_bound.py test_types__the_docstrings_examples_run",
    "bindings/go/doc.go: hub, err := mlreg.Open(ctx, \"https://ghcr.io\", nil)": "bindings/test_go_pages.py test_pages__the_package_s_own_lines_run",
    "include/mlreg.h: #include <mlreg.h>": "house/test_readme.py test_readme__the_program_in_the_header_pulls",
}


def sources(*patterns):
    """The files of a checkout; what builds leave in it is no page."""
    found = [p for pattern in patterns for p in ROOT.rglob(pattern)]
    return sorted(p for p in found if not {"build", "tests"} & set(p.relative_to(ROOT).parts))


def fenced(text):
    return re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M)


def sessions(text):
    """What docstrings show at Python's prompt, and what they show otherwise, which doctest would not run."""
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(text)):
        doc = ast.get_docstring(node) or "" if isinstance(node, kinds) else ""
        yield from re.findall(r"^>>> .*", doc, re.M)[:1]
        yield from fenced(doc) + re.findall(r"::\n\n +(\S.*)", doc)


def indented(mark):
    """What comments of a language show: lines that begin with `mark`, behind an empty one."""
    return lambda text: [re.sub(mark, "", b) for b in re.findall(rf"^\s*(?://|\*)\n({mark}\S.*)", text, re.M)]


def blocks():
    """Every block, as "page: its first line" without a comment behind that."""
    kinds = ((sources("*.md"), fenced), (sources("*.py"), sessions), (sources("*.go"), indented(r"//\t")),
             (sources("include/*.h", "examples/*.hpp"), indented(r" \*     ")))
    for pages, find in kinds:
        for page in pages:
            for block in find(page.read_text()):
                first = re.split(r"\s{3,}", block.splitlines()[0])[0]
                yield f"{page.relative_to(ROOT)}: {first}"


class Blocks(unittest.TestCase):
    def test_blocks__each_is_listed_with_its_test(self):
        self.assertEqual(sorted(blocks()), sorted(RUN_BY))

    def test_blocks__the_tests_are_there(self):
        for test in RUN_BY.values():
            file, name = test.split()
            self.assertIn(f"def {name}(self", (TESTS / file).read_text(), test)

    def test_blocks__no_example_is_left_out(self):
        for page in sources("*.py"):
            self.assertNotIn("doctest: +SKIP", page.read_text(), page)
        text = (ROOT / "bindings" / "go" / "example_test.go").read_text()
        for name, body in re.findall(r"^func (Example\w*)\(\) \{\n(.*?)^\}", text, re.S | re.M):
            self.assertIn("// Output:", body, f"go only compiles {name}")

    def test_blocks__the_list_of_examples_is_whole(self):
        there = {p.name + "/" * p.is_dir() for p in (ROOT / "examples").iterdir()} - {"README.md", "meson.build"}
        self.assertEqual(set(re.findall(r"^\| `([^`]+)`", (ROOT / "examples" / "README.md").read_text(), re.M)), there)
