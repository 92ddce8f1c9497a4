"""What holds handles, callbacks and memory of the library: who keeps whom alive, who lets go, and what interrupts do to that."""
import copy
import gc
import os
import pickle
import threading
import tracemalloc
import weakref
from contextlib import nullcontext
from unittest import mock

from bindings.python_bed import MODEL, Case, mlreg, python

from mlreg import _builder, _c, _call  # noqa: E402


class Kept(Case):
    def test_builder__keeps_the_sessions_that_it_will_ask(self):
        def begun(add):
            """A builder that was given an artifact of a session; both are gone, as far as the caller knows."""
            other = mlreg.Session("memory:", auth=lambda host, scope: None)
            with other.build(kind="image") as image:
                image.set_image(platform="linux/amd64").add_bytes(b"1", "a").commit("x:image")
            with other.build_index() as index:
                index.add_child(other.resolve("x:image"), "cpu").commit("x:index")
            return add(other), weakref.ref(other)
        for add in (lambda other: self.store.build().add_layer_of(other.resolve("x:image"), 0),
                    lambda other: self.store.build(kind="image").set_base(other.resolve("x:image")),
                    lambda other: self.store.build_index().add_child(other.resolve("x:image"), "cpu"),
                    lambda other: self.store.build_index().add_children_of(other.resolve("x:index"))):
            builder, other = begun(add)
            gc.collect()
            self.assertIsNotNone(other())
            builder.close()
            del builder
            gc.collect()
            self.assertIsNone(other())

    def test_handle__is_neither_copied_nor_pickled(self):
        model = self.built()
        with model.open("model.bin") as layer:
            for thing in self.store, model, layer, mlreg.Op(), mlreg.Runtime(), self.store.build():
                for make in copy.copy, copy.deepcopy, pickle.dumps:
                    with self.assertRaisesRegex(TypeError, "neither copied nor pickled"):
                        make(thing)
            gc.collect()
            self.assertEqual(layer.read(3), MODEL["model.bin"][:3])

    def test_error__and_what_it_passed_through_are_gone_with_it(self):
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

        def fail():
            try:
                self.store.resolve("none:v1")
            except mlreg.NotFoundError as error:
                return weakref.ref(error)
        self.assertIsNone(fail()())

    def test_signal__a_handler_may_use_what_it_interrupts(self):
        op = mlreg.Op()

        def interrupted():
            with op._ref.lock:                     # as where the handler comes in
                op.cancel()
                op.close()
        thread = threading.Thread(target=interrupted, daemon=True)
        thread.start()
        thread.join(60)
        self.assertFalse(thread.is_alive())
        self.assertTrue(op.closed)

    def test_layer__is_read_into_one_piece_of_memory(self):
        data = os.urandom(4_000_000)
        model = self.built(files={"a.bin": data})
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for read in (lambda f: f.read(), lambda f: f.readall(), lambda f: f.read(10**18), lambda f: f.read(None)):
            with model.open("a.bin") as layer:
                self.assertEqual(read(layer), data)
            self.assertLess(tracemalloc.get_traced_memory()[1], 1.5 * len(data))

    def test_memory__goes_in_pieces_for_which_ctrl_c_can_wait(self):
        with mock.patch.object(_c.Buffer, "PIECE", 1000), self.store.upload("team/x") as upload:
            self.assertEqual(upload.write(MODEL["model.bin"]), len(MODEL["model.bin"]))
            upload.write(b"")
            self.assertEqual(upload.size, len(MODEL["model.bin"]))
            with self.built().open("model.bin") as layer:
                room = bytearray(2500)
                self.assertEqual(layer.read_at(7, room), 2500)
                self.assertEqual(room, MODEL["model.bin"][7:2507])
                self.assertEqual(layer.read_at(layer.size - 1500, room), 1500)
                self.assertEqual(layer.read(), MODEL["model.bin"])
                self.assertEqual(layer.readinto(room), 0)


class Interrupted(Case):
    def test_call__what_it_made_is_let_go_of_when_the_caller_leaves(self):
        self.built()
        digest = self.store.resolve("team/tiny:v1").layers[0].digest

        def interrupt(_stats):
            raise KeyboardInterrupt
        before = sorted(os.listdir("/proc/self/fd"))
        with _call.shown_by(lambda: nullcontext(interrupt)):
            for call in (lambda: self.store.open_blob("team/tiny", digest), lambda: self.store.upload("team/tiny")):
                gc.disable()
                self.addCleanup(gc.enable)
                self.assertRaises(KeyboardInterrupt, call)
                self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)

    def test_call__goes_on_when_its_op_is_closed_meanwhile(self):
        self.built()
        op, seen = mlreg.Op(), []

        def progress(stats):
            op.close()
            seen.append(stats)
        with mlreg.Session("memory:") as memory:
            self.store.copy("team/tiny:v1", memory, op=op, progress=progress)
        self.assertEqual(seen[-1].bytes_done, seen[-1].bytes_total)

    def test_call__runs_here_where_no_thread_is_to_be_had(self):
        self.built()
        with mock.patch("threading.Thread.start", side_effect=RuntimeError("can't create new thread at interpreter shutdown")):
            self.assertEqual(self.store.tags("team/tiny"), ["v1"])
            self.assertRaises(mlreg.NotFoundError, self.store.resolve, "none:v1")

    def test_ctrl_c__at_any_moment_breaks_nothing(self):
        done = python("""
            import mlreg, os, random, signal, sys, threading, time
            from mlreg import _builder
            def on(*_):
                if armed: raise KeyboardInterrupt
            armed, ended, hits, me = False, False, 0, threading.main_thread().ident
            signal.signal(signal.SIGINT, on)
            def storm():
                for _ in range(60):
                    time.sleep(random.random() / 60)
                    signal.pthread_kill(me, signal.SIGINT)
            data = bytearray(os.urandom(1_000_000))
            store, memory = mlreg.Session(sys.argv[1]), mlreg.Session("memory:")
            model = store.build("a/b").add_bytes(bytes(data), "a").commit("a/b:v1")
            fds = len(os.listdir("/proc/self/fd"))
            thread = threading.Thread(target=storm)
            thread.start()
            while thread.is_alive():
                try:
                    armed = True
                    room = bytearray(len(data))
                    with model.open("a") as layer:
                        layer.readinto(room)
                    store.copy("a/b:v1", memory, "a/b:v1")
                    with store.build("a/b") as builder:
                        builder.add_bytes(data, "a").commit("a/c:v1", move=True)
                    armed = False
                except KeyboardInterrupt:
                    armed = False
                    hits += 1
                except BaseException as error:
                    armed = False
                    print(repr(error))
            thread.join()
            while threading.active_count() > 1: time.sleep(0.01)
            print("hits" if hits > 10 else hits, store.resolve("a/b:v1").digest == model.digest, store.fsck())
            """, self.dir / "store", PYTHONFAULTHANDLER=1)
        self.assertEqual((done.returncode, done.stdout), (0, "hits True []\n"), done.stderr)


class Shared(Case):
    def test_layer__threads_that_read_take_turns(self):
        data = os.urandom(500_000)
        pieces = []
        with self.built(files={"a.bin": data}).open("a.bin") as layer:
            def read():
                while True:
                    piece = layer.read(1000)
                    if not piece:
                        return
                    pieces.append(piece)
            threads = [threading.Thread(target=read) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(sorted(pieces), sorted(data[i:i + 1000] for i in range(0, len(data), 1000)))

    def test_builder__threads_that_add_take_turns(self):
        with self.store.build("a/b") as builder:
            threads = [threading.Thread(target=lambda i=i: [builder.add_bytes(b"%d" % i, f"{i}-{k}") for k in range(20)]) for i in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len(builder.commit("a/b:v1").layers), 160)
        self.assertEqual(_builder._lent, {})

    def test_handle__is_closed_by_many_while_many_use_it(self):
        self.built()
        wrong = []
        for _ in range(20):
            store = mlreg.Session(self.dir / "store")

            def use(store=store):
                try:
                    while True:
                        store.tags("team/tiny")
                except mlreg.StateError as error:
                    if "closed" not in str(error):
                        wrong.append(error)
                except BaseException as error:
                    wrong.append(error)
            threads = [threading.Thread(target=use) for _ in range(3)] + [threading.Thread(target=store.close) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])
