"""Every public C function is bound as the header has it; a library that is missing, foreign or too old is named."""
import builtins
import ctypes
import inspect
import pathlib
import re
import sys
import tempfile
import unittest

from bed.house import HEADER, LIBRARY, run
from bindings.python_bed import PACKAGE, has, mlreg, python

from mlreg import _c  # noqa: E402

PLAIN = {"int": ctypes.c_int, "int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint32_t": ctypes.c_uint32,
         "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t, "const char *": ctypes.c_char_p, "void *": ctypes.c_void_p,
         "const void *": ctypes.c_void_p, "void": None, "mlreg_progress_fn": _c.PROGRESS_FN}
STRUCTS = {"mlreg_" + name: kind for name, kind in {
    "runtime": _c.CRuntime, "op": _c.COp, "session": _c.CSession, "artifact": _c.CArtifact, "descriptor": _c.CDescriptor,
    "list": _c.CList, "stream": _c.CStream, "builder": _c.CBuilder, "upload": _c.CUpload, "auth": _c.CAuth, "name": _c.CName, "error": _c.CError,
    "stats": _c.CStats, "blob_stats": _c.CBlobStats, "runtime_options": _c.RuntimeOptions, "session_options": _c.SessionOptions,
    "resolve_options": _c.ResolveOptions, "copy_options": _c.CopyOptions, "checkout_options": _c.CheckoutOptions,
    "stream_options": _c.StreamOptions, "layer_options": _c.LayerOptions, "commit_options": _c.CommitOptions, "variant_options": _c.VariantOptions,
    "image_options": _c.ImageOptions, "pip_options": _c.PipOptions,
    "image_unpack_options": _c.ImageUnpackOptions,
    "source": _c.Source, "gc_options": _c.GcOptions, "gc_report": _c.CGcReport}.items()}


def header():
    return re.sub(r"/\*.*?\*/", " ", HEADER.read_text(), flags=re.S)


def bare(declared, has_name):
    """"const mlreg_list *l" as "const mlreg_list *"."""
    text = re.sub(r"\s+", " ", declared).strip()
    text = re.sub(r"\s*\*\s*", "*", re.sub(r"\w+$", "", text) if has_name else text).strip()
    return re.sub(r"(\w)\*", r"\1 *", text)


def kind_of(text):
    """The ctypes type that stands for a C type; a function's const char ** is an output."""
    if text in PLAIN:
        return PLAIN[text]
    plain = text.replace("const ", "")
    if plain in ("char **", "void **"):
        return ctypes.POINTER(ctypes.c_char_p)
    name, stars = re.fullmatch(r"(\w+) (\**)", plain).groups() if "*" in plain else (plain, "")
    kind = STRUCTS.get(name) or PLAIN[name]
    for _ in stars:
        kind = ctypes.POINTER(kind)
    return kind


def printed(*numbers):
    """What size_t's a C program sees."""
    with tempfile.TemporaryDirectory() as folder:
        listed = ", ".join(numbers)
        pathlib.Path(folder, "p.c").write_text(
            f"#include <mlreg.h>\n#include <stdio.h>\nint main(void) {{ const size_t n[] = {{ {listed} }}; "
            'for (size_t i = 0; i < sizeof n / sizeof *n; i++) printf("%zu\\n", n[i]); return 0; }\n')
        run("gcc", f"-I{HEADER.parent}", "p.c", "-o", "p", cwd=folder)
        return [int(line) for line in run(f"{folder}/p").stdout.split()]


def functions():
    for result, name, arguments in re.findall(r"MLREG_API\s+([\w ]+?[ *]+)(mlreg_\w+)\(([^)]*)\)", header()):
        listed = [] if arguments.strip() == "void" else arguments.split(",")
        yield name, kind_of(bare(result, False)), tuple(kind_of(bare(a, True)) for a in listed)


class Bound(unittest.TestCase):
    def test_bound__every_function_of_the_header_and_no_other(self):
        self.assertEqual({name for name, _, _ in functions()}, set(_c.TABLE))
        self.assertGreater(len(_c.TABLE), 70)

    def test_bound__with_the_arguments_that_the_header_has(self):
        same = {ctypes.POINTER(ctypes.c_char_p): ctypes.POINTER(ctypes.c_void_p), ctypes.c_char_p: ctypes.c_void_p}
        for name, result, arguments in functions():
            bound_result, bound = _c.TABLE[name]
            with self.subTest(name):
                self.assertIn(bound_result, (result, same.get(result)))
                self.assertEqual(len(bound), len(arguments))
                for ours, theirs in zip(bound, arguments):
                    self.assertIn(ours, (theirs, same.get(theirs)))

    def test_bound__structs_have_the_fields_and_sizes_of_the_header(self):
        text = header()
        for name, kind in STRUCTS.items():
            body = re.search(r"typedef struct %s \{(.*?)\} %s;" % (name, name), text, re.S)
            if not body:
                continue
            fields = re.findall(r"(\w+)(?=\)\(|\s*[,;])", re.sub(r"\(\*(\w+)\)\([^)]*\)", r"\1", body[1]))
            self.assertEqual([f[0] for f in kind._fields_], fields, name)
        sized = {n: k for n, k in STRUCTS.items() if hasattr(k, "_fields_") and k._fields_}
        laid = printed(*(f"sizeof({n}), " + ", ".join(f"offsetof({n}, {f}), sizeof((({n} *)0)->{f})" for f, _ in k._fields_)
                         for n, k in sized.items()))
        self.assertEqual(laid, [n for k in sized.values() for n in (ctypes.sizeof(k), *(n for f, _ in k._fields_ for n in (
            getattr(k, f).offset, getattr(k, f).size)))])

    def test_bound__callbacks_have_the_arguments_of_the_header(self):
        void = {ctypes.c_char_p: ctypes.c_void_p}
        kinds = {"mlreg_progress_fn": _c.PROGRESS_FN, "mlreg_log_fn": _c.LOG_FN, "mlreg_auth_fn": _c.AUTH_FN, "read_at": _c.READ_AT_FN,
                 "release": _c.RELEASE_FN}
        found = re.findall(r"(?:typedef )?\b(\w+) \(\*(\w+)\)\(([^)]*)\)", header())
        self.assertEqual({name for _, name, _ in found}, set(kinds))
        for result, name, arguments in found:
            listed = [kind_of(bare(a, True)) for a in arguments.split(",")]
            self.assertEqual((kinds[name]._restype_, [void.get(a, a) for a in kinds[name]._argtypes_]),
                             (kind_of(result), [void.get(a, a) for a in listed]), name)

    def test_bound__numbers_are_those_of_the_header(self):
        enums = re.findall(r"MLREG_([A-Z]+_[A-Z_]+)(?= *[=,}]|\s*\})", "".join(re.findall(r"^enum \{(.*?)\};", header(), re.S | re.M)))
        names = [n for n in enums if not n.startswith(("E_", "ERROR_"))]
        self.assertGreater(len(names), 30)
        self.assertEqual(printed(*(f"(size_t)MLREG_{n}" for n in names)), [getattr(_c, n) for n in names])
        self.assertEqual({n for n in names if n.startswith("CAN_")}, {"CAN_" + c.name for c in mlreg.Can})

    def test_bound__one_module_knows_ctypes_and_binds_each_function_in_one_line(self):
        texts = {p.name: p.read_text() for p in (PACKAGE / "mlreg").glob("*.py")}
        self.assertEqual([n for n, text in texts.items() if "ctypes" in text], ["_c.py"])
        for name in _c.TABLE:
            self.assertEqual(len(re.findall(rf'^\w+ = F\("{name}", .*\)$', texts["_c.py"], re.M)), 1, name)

    def test_bound__each_code_has_its_exception(self):
        codes = {int(v): n for n, v in re.findall(r"MLREG_X\((\w+), (-\d+),", HEADER.read_text())}
        self.assertEqual(set(codes), set(mlreg._errors.BY_CODE))
        self.assertEqual(len(set(mlreg._errors.BY_CODE.values())), len(codes))

    def test_bound__everything_public_is_described(self):
        for name in mlreg.__all__:
            thing = getattr(mlreg, name)
            self.assertTrue(getattr(thing, "__doc__", None), name)
            if isinstance(thing, type):
                for word, member in vars(thing).items():
                    if not word.startswith("_") and callable(member) and thing is not mlreg.Layer:
                        self.assertTrue(member.__doc__, f"{name}.{word}")


    def test_bound__what_takes_long_says_what_it_raises(self):
        things = {f"{kind.__name__}.{name}": member for kind in vars(mlreg).values() if isinstance(kind, type)
                  for name, member in vars(kind).items() if callable(member) and not name.startswith("_")}
        things.update({name: getattr(mlreg, name) for name in ("pull", "push", "load", "Session")})
        for name, thing in things.items():
            if name == "Session" or "op" in inspect.signature(thing).parameters:
                self.assertRegex(thing.__doc__, r"Raises:\n|Raises as :meth:|others as :meth:", name)
            for error in re.findall(r"\b\w+Error\b", thing.__doc__ or ""):
                self.assertTrue(hasattr(mlreg, error) or hasattr(builtins, error), f"{name}: {error}")


# what is wrong says so itself: a line that mypy would let pass is an unused ignore, and so an error
USER = """
import io, mmap, numpy, mlreg
with mlreg.Session("memory:", create=True) as place, place.build(kind="image") as builder, mlreg.progress():
    builder.add_bytes(numpy.zeros(3), "a").add_bytes(bytearray(3), "b", pack="zstd").add_bytes(memoryview(b"1"), "c")
    builder.add_bytes("text", "d")  # type: ignore[arg-type]
    builder.add_bytes(b"1", "d", pack="rar")  # type: ignore[arg-type]
    place.build(kind="folder")  # type: ignore[arg-type]
    place.resolve(b"a:b")  # type: ignore[arg-type]
    model: mlreg.Artifact = builder.commit("a:b", also=["c"], progress=lambda stats: print(stats.bytes_done))
    with io.BufferedReader(model.open("a")) as layer:
        data: bytes = layer.read(8)
    model.open(0).readinto(numpy.zeros(3))
    mapped: mmap.mmap = model.mmap("a")
    number: int = place.copy("a:b", place, "c:d").layers[0].size
folder: str = mlreg.pull("a:b", None, "*.bin", max_workers=4, token=("name", "secret"))
try:
    pass
except mlreg.NotFoundError as error:
    hint: str = error.hint or ""
"""


class Library(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.dir = pathlib.Path(tmp.name)

    def stub(self, code):
        (self.dir / "stub.c").write_text(code)
        run("gcc", "-shared", "-fPIC", "stub.c", "-o", "stub.so", cwd=self.dir)
        return self.dir / "stub.so"

    def refused(self, library):
        done = python("import mlreg", MLREG_LIBRARY=library)
        self.assertNotEqual(done.returncode, 0)
        last = done.stderr.strip().splitlines()[-1]
        self.assertTrue(last.startswith("ImportError: "), last)
        return last

    def test_library__that_is_missing_is_named_with_what_is_needed(self):
        said = self.refused(self.dir / "none.so")
        self.assertIn("libmlreg 0.1.0 or newer is needed", said)
        self.assertIn("none.so", said)
        self.assertIn("MLREG_LIBRARY", said)

    def test_library__that_is_too_old_is_named_with_both_versions(self):
        said = self.refused(self.stub("unsigned mlreg_version(void) { return 0x000009; }"))
        self.assertIn("is libmlreg 0.0.9, 0.1.0 is needed", said)

    def test_library__that_lacks_a_function_is_named_with_it(self):
        said = self.refused(self.stub("unsigned mlreg_version(void) { return 0x000100; }"))
        self.assertIn("is libmlreg 0.1.0, but has no mlreg_strerror", said)

    def test_library__that_is_another_is_named(self):
        self.assertIn("is no libmlreg", self.refused(self.stub("int other(void) { return 0; }")))

    def test_library__is_found_beside_the_package(self):
        (self.dir / "mlreg").mkdir()
        for file in (PACKAGE / "mlreg").glob("*.py"):
            (self.dir / "mlreg" / file.name).write_bytes(file.read_bytes())
        (self.dir / "mlreg" / "libmlreg.so.0").write_bytes(LIBRARY.read_bytes())
        done = python("import mlreg; print(mlreg._c.LIB._name)", MLREG_LIBRARY="", PYTHONPATH=self.dir)
        self.assertEqual(done.stdout.strip(), str(self.dir / "mlreg" / "libmlreg.so.0"), done.stderr)


class Types(unittest.TestCase):
    def mypy(self, *arguments):
        run(sys.executable, "-m", "mypy", "--strict", "--cache-dir=/dev/null", *arguments, PACKAGE / "mlreg")

    @has("mypy")
    def test_types__pass_mypy_strict_for_the_oldest_python_and_without_other_packages(self):
        self.mypy("--python-version=3.9", "--no-site-packages")

    @has("mypy")
    @has("numpy")
    def test_types__pass_mypy_strict_and_tell_a_user_what_fits(self):
        with tempfile.TemporaryDirectory() as folder:
            user = pathlib.Path(folder, "user.py")
            user.write_text(USER)
            self.mypy("--python-version=3.11", user)

    def test_types__the_docstrings_examples_run(self):
        import doctest
        import importlib
        import pkgutil
        modules = [importlib.import_module(f"mlreg.{m.name}") for m in pkgutil.iter_modules(mlreg.__path__)]
        done = [doctest.testmod(module) for module in (mlreg, *modules)]
        self.assertEqual(sum(d.failed for d in done), 0)
        self.assertGreater(sum(d.attempted for d in done), 4)
