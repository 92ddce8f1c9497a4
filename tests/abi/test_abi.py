"""The ABI is kept: today's library against the recorded one, callers of other ages, and how the library is linked."""
import pathlib
import re
import shutil
import tempfile
import unittest

from bed.house import BUILD, HEADER, LIBRARY, ROOT, STATIC, declared, run

HERE = ROOT / "tests" / "abi"
BASELINE = HERE / "0.1"
WITH_DEBUG = BUILD.parent / "asan" / "lib" / "libmlreg.so.0.1.0"      # tests/all builds it; the types are the same
SIZE_MOST_KB = 550            # images, indexes, mirrors and what a server needs came after the goal of 500


GROWING = re.compile(r"mlreg_(.*_options|(blob_)?stats|source|gc_report)$")


def allowed(change):
    """Whether one changed type is a struct of the caller's that grew at its end, as POLICY.md has it."""
    head, *lines = change.strip().splitlines()
    name = re.fullmatch(r"'struct (\w+)' changed:", head)
    if not name or not GROWING.match(name[1]):
        return False
    size = re.fullmatch(r"  type size changed from (\d+) to \d+ \(in bits\)", lines[0])
    added = [re.match(r"    '.*', at offset (\d+) \(in bits\)", line) for line in lines[2:]]
    return bool(size and re.fullmatch(r"  \d+ data member insertions?:", lines[1]) and all(m and int(m[1]) >= int(size[1]) for m in added))


def differs(library):
    """What a library that took the baseline's place would break, as abidiff says it; "" if programs notice nothing."""
    said = run("abidiff", "--leaf-changes-only", "--exported-interfaces-only", "--no-added-syms", BASELINE / "libmlreg.abi", library, check=False).stdout
    if not said.strip():
        return ""
    functions = re.search(r"Removed/Changed/Added functions summary: (\d+) Removed, (\d+) Changed", said)
    changes = re.split(r"\n(?='\w+ .*' changed:)", said)[1:]
    fine = functions and functions.groups() == ("0", "0") and all(map(allowed, changes))
    return "" if fine else said


class Dir(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.dir = pathlib.Path(tmp.name)


@unittest.skipUnless(shutil.which("abidiff"), "no abidiff here: tests/all installs it")
class Abi(Dir):
    @unittest.skipUnless(WITH_DEBUG.exists(), "build/asan is not there: tests/all builds it")
    def test_abi__todays_library_serves_programs_of_the_baseline(self):
        self.assertEqual(differs(WITH_DEBUG), "")

    def changed(self, *edits):
        """What abidiff says of a library with the header as it is after some edits; its functions do nothing."""
        text = (BASELINE / "mlreg.h").read_text()
        for pattern, replacement in edits:
            text, n = re.subn(pattern, replacement, text)
            self.assertEqual(n, 1, pattern)
        (self.dir / "mlreg.h").write_text(text)
        bare = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        bodies = "".join(f"{head} {{ {'' if head.startswith('void ') else 'return 0;'} }}\n"
                         for head in re.findall(r"(?m)^MLREG_API\s+([^;]+?);", bare))
        (self.dir / "stub.c").write_text(f'#include "mlreg.h"\n{bodies}')
        names = re.findall(r"\b(mlreg_\w+)\(", "".join(re.findall(r"(?m)^MLREG_API\s+[^(;]+?\(", bare)))
        (self.dir / "stub.map").write_text(f"MLREG_0.1 {{ global: {'; '.join(names)}; local: *; }};\n")
        run("gcc", "-g", "-shared", "-fPIC", "-w", f"-I{self.dir}", "stub.c", "-Wl,-soname,libmlreg.so.0", "-Wl,--version-script=stub.map", "-o", "stub.so", cwd=self.dir)
        return differs(self.dir / "stub.so")

    def test_abi__the_header_alone_makes_the_baseline(self):
        self.assertEqual(self.changed(), "")

    def test_abi__allows_a_function_more(self):
        self.assertEqual(self.changed((r"MLREG_API uint32_t mlreg_version\(void\);", r"\g<0>\nMLREG_API int mlreg_more(void);")), "")

    def test_abi__allows_options_that_grow_at_their_end(self):
        self.assertEqual(self.changed((r"(uint64_t grace_ms;[^\n]*\n)", r"\1    uint64_t more;\n")), "")

    def test_abi__refuses_a_field_in_the_middle(self):
        self.assertIn("mlreg_copy_options", self.changed((r"(    const char \*expect_digest;     /\* with MOVE_TAG: only if the tag)", r"    uint64_t more;\n\1")))

    def test_abi__refuses_a_report_that_shrinks(self):
        self.assertIn("mlreg_gc_report", self.changed((r"uint64_t blobs, bytes;         /\* removed, or", "uint64_t blobs;         /* removed, or")))

    def test_abi__keeps_the_values_of_constants(self):
        """As the compiler of a program took them from the baseline's header."""
        names = sorted(set(re.findall(r"\b(MLREG_(?:OPEN|CAN|COPY|RESOLVE|PART|UNPACK|STREAM|BUILD|LAYER|GC|FSCK|LOG)_[A-Z_]*[A-Z])\b", (BASELINE / "mlreg.h").read_text())))
        names += [f"MLREG_{n}" for n in re.findall(r"MLREG_X\((E\w+),", (BASELINE / "mlreg.h").read_text())]
        values = []
        for header in BASELINE, HEADER.parent:
            prints = "".join(f"#ifndef {n}\nprintf(\"{n} %ld\\n\", (long){n});\n#endif\n" for n in names)
            (self.dir / "c.c").write_text(f"#include <mlreg.h>\n#include <stdio.h>\nint main(void) {{\n{prints}return 0; }}\n")
            run("gcc", f"-I{header}", "c.c", "-o", "c", cwd=self.dir)
            values.append(run(self.dir / "c").stdout)
        self.assertEqual(*values)
        self.assertGreater(len(values[0].splitlines()), 25)

    def test_abi__refuses_a_field_of_another_type(self):
        self.assertIn("max_threads", self.changed((r"uint32_t max_threads; ", "uint64_t max_threads; ")))

    def test_abi__refuses_a_function_less(self):
        self.assertIn("mlreg_strerror", self.changed((r"MLREG_API const char \*mlreg_strerror\(int code\);", "")))

    def test_abi__refuses_another_argument(self):
        self.assertIn("mlreg_list_name", self.changed((r"mlreg_list_name\(const mlreg_list \*l, size_t i\)", "mlreg_list_name(const mlreg_list *l, int i)")))

    def test_abi__the_recorded_header_is_that_of_the_recorded_library(self):
        """tests/abi/record writes both at once; whoever edits one by hand breaks the promise."""
        recorded = (BASELINE / "libmlreg.abi").read_text()
        self.assertEqual(set(re.findall(r"<elf-symbol name='(mlreg_\w+)'", recorded)), declared(BASELINE / "mlreg.h"))
        self.assertNotIn(str(ROOT), recorded)


class Callers(Dir):
    def calls(self, header_dir, age, structs, *flags):
        run("gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", *flags, f"-I{header_dir}", HERE / "caller.c", LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}", "-o", self.dir / "caller")
        done = run(self.dir / "caller", age, check=False, cwd=self.dir, timeout=600)
        self.assertEqual((done.returncode, done.stdout), (0, f"{structs} structs, 0 wrong\n"))

    def test_callers__of_the_baseline_run_on_todays_library(self):
        self.calls(BASELINE, "older", 12)

    def test_callers__of_todays_header_know_the_first_sizes_of_what_came_since(self):
        self.calls(HEADER.parent, "since", 5, "-DSINCE_BASELINE")

    def test_callers__of_newer_headers_are_told_of_what_is_not_known(self):
        self.calls(HEADER.parent, "newer", 17, "-DSINCE_BASELINE")

    def test_callers__use_every_struct_that_begins_with_its_size(self):
        named = re.findall(r'\{ "(mlreg_\w+)", sizeof', (HERE / "caller.c").read_text())
        self.assertEqual(sorted(named), sorted(re.findall(r"typedef struct (mlreg_\w+) \{\s+uint32_t size", HEADER.read_text())))


OTHER_USER = """
#include <curl/curl.h>
#include <mlreg.h>
static int with_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return 1;
    CURL *c = curl_easy_init();
    curl_easy_setopt(c, CURLOPT_URL, "http://127.0.0.1:9/");
    int rc = curl_easy_perform(c);
    curl_easy_cleanup(c);
    curl_global_cleanup();
    return rc != CURLE_COULDNT_CONNECT;
}
static int with_mlreg(void)
{
    mlreg_session *s = NULL;
    mlreg_session_options o;
    MLREG_INIT(o);
    o.max_retries = (uint32_t)MLREG_NONE;
    int rc = mlreg_session_open("http://127.0.0.1:9", &o, &s, NULL);
    if (rc == 0)
        rc = mlreg_session_tags(s, "a/b", NULL, &(mlreg_list *){NULL}, NULL);
    mlreg_session_free(s);
    return rc != MLREG_ENET;
}
int other_user(int mlreg_first) { return mlreg_first ? with_mlreg() || with_curl() || with_mlreg() : with_curl() || with_mlreg() || with_curl(); }
"""


THROWER = """
#include <mlreg.h>
#include <pthread.h>
#include <cstring>
static int cleaned;
struct Cleans { ~Cleans() { cleaned++; } };
static int64_t throws(void *, uint64_t, void *, size_t) { throw 42; }
static int64_t is_cancelled(void *, uint64_t, void *, size_t) { pthread_cancel(pthread_self()); pthread_testcancel(); return 0; }
static void build(int64_t (*read_at)(void *, uint64_t, void *, size_t))
{
    Cleans c;
    mlreg_session *s = nullptr;
    mlreg_builder *b = nullptr;
    mlreg_artifact *a = nullptr;
    mlreg_source from;
    MLREG_INIT(from);
    from.bytes = 1 << 20;
    from.read_at = read_at;
    mlreg_layer_options named;
    MLREG_INIT(named);
    named.title = "weights.bin";
    if (mlreg_session_open("memory:", nullptr, &s, nullptr) == 0 && mlreg_builder_new(s, MLREG_BUILD_ARTIFACT, nullptr, &b, nullptr) == 0 &&
        mlreg_builder_add_source(b, &named, &from, nullptr, nullptr) == 0)
        mlreg_builder_commit(b, "a/b:c", nullptr, nullptr, &a, nullptr);
}
static void *thread(void *) { build(is_cancelled); return nullptr; }
int main(int argc, char **)
{
    if (argc > 1) {
        pthread_t t;
        void *result = nullptr;
        return pthread_create(&t, nullptr, thread, nullptr) != 0 || pthread_join(t, &result) != 0 || result != PTHREAD_CANCELED || cleaned != 1;
    }
    try { build(throws); } catch (int thrown) { return thrown != 42 || cleaned != 1; }
    return 2;
}
"""


class Unwinding(Dir):
    """The unwind tables are a seventh of the library, and stay: what is thrown in a callback reaches the caller, whose destructors run."""
    def setUp(self):
        super().setUp()
        (self.dir / "t.cpp").write_text(THROWER)
        run("g++", "-O2", f"-I{HEADER.parent}", "t.cpp", LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}", "-pthread", "-o", "t", cwd=self.dir)

    def test_unwinding__an_exception_passes_from_a_callback_to_the_caller(self):
        run(self.dir / "t")

    def test_unwinding__a_cancelled_thread_cleans_up_beyond_a_callback(self):
        run(self.dir / "t", "cancelled")


class Linking(Dir):
    def static_flags(self):
        needed = run("pkg-config", "--libs", "libcurl", "libcjson", "libsodium", "libxxhash").stdout.split()
        archive = run("pkg-config", "--libs", "libarchive", check=False).stdout.split()
        return [f"-I{HEADER.parent}", STATIC, *needed, *archive, "-pthread"]

    def test_static__links_into_a_position_independent_executable(self):
        (self.dir / "p.c").write_text(OTHER_USER + "int main(int argc, char **argv) { (void)argv; return other_user(argc > 1); }\n")
        run("gcc", "-fPIE", "-pie", "p.c", *self.static_flags(), "-o", "p", cwd=self.dir)
        self.assertIn("DYN", run("readelf", "-h", self.dir / "p").stdout)
        self.assertNotIn("libmlreg", run("readelf", "-d", self.dir / "p").stdout)
        run(self.dir / "p")
        run(self.dir / "p", "mlreg first")

    def test_static__links_into_a_shared_object_that_uses_libcurl_too(self):
        (self.dir / "plugin.c").write_text(OTHER_USER)
        (self.dir / "host.c").write_text('#include <dlfcn.h>\nint main(int c, char **v) { void *h = dlopen("./plugin.so", RTLD_NOW); int (*f)(int) = h ? (int (*)(int))dlsym(h, "other_user") : 0;\n'
                                         "(void)v; return f ? f(c > 1) || f(c > 1) || dlclose(h) : 1; }\n")
        run("gcc", "-shared", "-fPIC", "plugin.c", *self.static_flags(), "-Wl,--exclude-libs,ALL", "-o", "plugin.so", cwd=self.dir)
        run("gcc", "-w", "host.c", "-o", "host", cwd=self.dir)
        run(self.dir / "host", cwd=self.dir)
        run(self.dir / "host", "mlreg first", cwd=self.dir)
        exported = run("nm", "-D", "--defined-only", self.dir / "plugin.so").stdout
        self.assertNotRegex(exported, r"\bmlr(eg)?_")

    def test_size__of_the_stripped_library_is_within_the_goal(self):
        run("strip", "--strip-unneeded", "-o", self.dir / "stripped.so", LIBRARY)
        kb = (self.dir / "stripped.so").stat().st_size / 1000
        print(f"stripped library: {kb:.0f} kB")
        self.assertLessEqual(kb, SIZE_MOST_KB)

    def test_startup__runs_nothing_of_ours_when_loaded(self):
        """What every library brings, crtbegin's one entry, is all: no compiler's runtime looks at the processor either."""
        self.assertRegex(run("readelf", "-SW", LIBRARY).stdout, r"\.init_array +INIT_ARRAY +\w+ \w+ 0+8 ")

    def test_startup__is_measured(self):
        said = run(ROOT / "tests" / "bench" / "startup", "--runs", "3").stdout
        print(said, end="")
        self.assertRegex(said, r"from exec to the first byte: [\d.]+ ms")
