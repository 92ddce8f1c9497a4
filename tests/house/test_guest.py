"""A guest in somebody's process: it prints nothing, changes nothing, and goes without a trace."""
import os
import tempfile
import textwrap
import unittest

from bed.house import LIBRARY, run

WORK = """
    import ctypes, os, signal, sys
    lib = ctypes.CDLL(sys.argv[1])
    def state():
        mask = os.umask(0o22); os.umask(mask)
        lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
        # 32 and 33 are glibc's own: any first thread of a process installs them
        signals = [int(lines[name], 16) & ~(3 << 31) for name in ("SigBlk", "SigIgn", "SigCgt")]
        return mask, os.getcwd(), signals, sorted(os.environ)
    before = state()
    class Options(ctypes.Structure):
        _fields_ = [("size", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("rest", ctypes.c_char * 88)]
    session, err, artifact = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    o = Options(size=96, flags=1)
    assert lib.mlreg_session_open(sys.argv[2].encode(), ctypes.byref(o), ctypes.byref(session), None) == 0
    lib.mlreg_builder_new.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
    builder = ctypes.c_void_p()
    assert lib.mlreg_builder_new(session, 0, None, ctypes.byref(builder), None) == 0
    assert lib.mlreg_builder_add_tree(builder, None, sys.argv[3].encode(), None, None) == 0
    assert lib.mlreg_builder_commit(builder, b"x/y:z", None, None, ctypes.byref(artifact), None) == 0
    assert lib.mlreg_checkout(artifact, sys.argv[4].encode(), None, None, None) == 0
    assert lib.mlreg_session_open(b"http://127.0.0.1:9", None, ctypes.byref(session), None) == 0
    assert lib.mlreg_session_resolve(session, b"a:b", None, None, ctypes.byref(artifact), None) < 0
    assert state() == before, (state(), before)
"""
CYCLES = """
    import _ctypes, sys
    def rss(): return int(open("/proc/self/statm").read().split()[1]) * 4096
    def cycle(n):
        for _ in range(n):
            _ctypes.dlclose(_ctypes.dlopen(sys.argv[1], 2))
    cycle(20)
    before = rss()
    cycle(1000)
    grown = rss() - before
    assert grown < 1 << 20, grown
"""
FORK = """
    import ctypes, os, sys
    lib = ctypes.CDLL(sys.argv[1])
    session, out = ctypes.c_void_p(), ctypes.c_void_p()
    assert lib.mlreg_session_open(b"memory:", None, ctypes.byref(session), None) == 0
    pid = os.fork()
    if pid == 0:
        rc = lib.mlreg_session_tags(session, b"x", None, ctypes.byref(out), None)
        lib.mlreg_session_free(session)
        os._exit(0 if rc == -3 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    lib.mlreg_session_free(session)
"""


class Guest(unittest.TestCase):
    def python(self, program, *args):
        return run("python3", "-c", textwrap.dedent(program), LIBRARY, *args)

    def test_guest__prints_nothing_and_changes_nothing(self):
        with tempfile.TemporaryDirectory() as d:
            os.mkdir(f"{d}/in")
            with open(f"{d}/in/model.bin", "wb") as f:
                f.write(os.urandom(3 << 20))
            done = self.python(WORK, f"{d}/store", f"{d}/in", f"{d}/out")
            self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_guest__a_thousand_loads_leave_less_than_a_megabyte(self):
        self.python(CYCLES)

    def test_guest__a_forked_child_may_only_free(self):
        self.python(FORK)
