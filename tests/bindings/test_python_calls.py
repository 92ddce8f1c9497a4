"""Calls that take long, and calls that are wrong: Ctrl-C, cancel, progress, threads, forks, callbacks, closed handles."""
import asyncio
import concurrent.futures
import contextlib
import gc
import io
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import traceback
import unittest

from bindings.python_bed import MODEL, PACKAGE, Case, mlreg, python

def manifest_rules(size):
    """A registry with one artifact whose layer of `size` bytes never comes to its end."""
    digest = "sha256:" + "1" * 64
    body = ('{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":'
            '"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",'
            f'"size":2,"data":"e30="}},"layers":[{{"mediaType":"application/octet-stream","digest":"{digest}","size":{size},'
            '"annotations":{"org.opencontainers.image.title":"a.bin"}}]}')
    return [{"path": ".*/manifests/.*", "headers": {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, "body": body},
            {"path": ".*/blobs/sha256:4413.*", "body": "{}"},
            {"path": ".*/blobs/.*", "do": "stall_body", "size": size, "sent": 1000}]


class Errors(Case):
    def test_error__carries_what_the_library_knows(self):
        evil = self.evil({"path": ".*", "status": 404, "headers": {"Content-Type": "application/json"},
                          "body": '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such thing"}]}'})
        with mlreg.Session(f"http://{evil.host}") as hub, self.assertRaises(mlreg.NotFoundError) as caught:
            hub.resolve("team/none:v1")
        error = caught.exception
        self.assertEqual((error.code, error.http_status, error.registry_code), (-5, 404, "MANIFEST_UNKNOWN"))
        self.assertIn("team/none", error.message)
        self.assertIn(error.message, str(error))
        self.assertIsInstance(error, FileNotFoundError)
        with self.assertRaises(mlreg.NotFoundError) as caught:
            mlreg.Session(self.dir / "nowhere")
        self.assertIn(caught.exception.hint, str(caught.exception))

    def test_error__survives_pickling(self):
        import pickle
        try:
            mlreg.Session(self.dir / "nowhere")
        except mlreg.Error as error:
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(again), again.code, str(again)), (type(error), error.code, str(error)))

    def test_error__wrong_types_are_type_errors(self):
        model = self.built()
        with self.store.build() as builder:
            for wrong in (lambda: self.store.resolve(b"team/tiny:v1"), lambda: self.store.resolve(None), lambda: self.store.tags(7),
                          lambda: self.store.copy("team/tiny:v1", "memory:"), lambda: builder.add_bytes("text", "a"),
                          lambda: builder.add_tree(None), lambda: builder.commit("a:b", also="c"), lambda: model.open(None),
                          lambda: mlreg.Session(None), lambda: model.checkout(3.5), lambda: builder.annotate({"a": 1}),
                          lambda: self.store.copy("team/tiny:v1", self.store, progress="no")):
                self.assertRaises(TypeError, wrong)
        with self.assertRaises((TypeError, ValueError, BufferError)), model.open("model.bin") as layer:
            layer.readinto(b"read-only")

    def test_error__bad_values_are_errors(self):
        model = self.built()
        for wrong in (lambda: self.store.resolve("team/tiny:v1\0x"), lambda: self.store.resolve("team/tiny:" + "v" * 129),
                      lambda: model.open(99), lambda: model.open(-1), lambda: self.store.resolve("team/\udc80:v1"),
                      lambda: mlreg.Session("memory:\0")):
            self.assertRaises(mlreg.InvalidError, wrong)
        self.assertRaises(mlreg.NotFoundError, model.open, "none.bin")
        self.assertRaises(mlreg.NotSupportedError, mlreg.Session, "ftp://example.org")

    def test_error__paths_may_be_of_any_kind_and_any_bytes(self):
        raw = os.fsencode(self.dir) + b"/caf\xe9"
        with mlreg.Session(raw, create=True) as store:
            self.built("team/tiny:v1", store).checkout(os.fsdecode(raw) + "-out")
        self.assertTrue(os.path.isfile(raw + b"-out/model.bin"))
        with mlreg.Session(pathlib.Path(os.fsdecode(raw))) as store:
            self.assertEqual(store.repositories(), ["team/tiny"])

    def test_closed__is_an_error_and_never_a_crash(self):
        model = self.built()
        layer, op = model.open("model.bin"), mlreg.Op()
        for thing in (layer, model, op):
            thing.close()
            thing.close()
        for use in (lambda: layer.read(1), lambda: layer.seek(0), lambda: model.open(0), lambda: model.json, lambda: op.stats,
                    lambda: op.cancel(), lambda: model.__enter__(), lambda: self.store.resolve("team/tiny:v1", op=op)):
            self.assertRaises(ValueError, use)
        self.store.close()
        self.assertTrue(self.store.closed)
        self.assertRaises(mlreg.StateError, self.store.resolve, "team/tiny:v1")
        self.assertRaises(mlreg.StateError, self.store.build)

    def test_closed__children_outlive_their_session(self):
        model = self.built()
        layer = model.open("model.bin")
        self.store.close()
        model.close()
        gc.collect()
        self.assertEqual(layer.read(), MODEL["model.bin"])


class Counted(Case):
    def test_counted__an_op_tells_of_each_blob(self):
        op = mlreg.Op()
        with self.store.build() as builder:
            builder.add_tree(self.folder(), op=op).commit("m:v9", op=op).close()
        stats = op.stats
        self.assertEqual([b.name for b in op.blobs].count("model.bin"), 1)
        self.assertEqual(len(op.blobs), stats.blobs_done)
        self.assertTrue(all(b.began_ms + b.elapsed_ms <= stats.elapsed_ms for b in op.blobs))


class Long(Case):
    def hanging(self):
        return mlreg.Session(f"http://{self.evil(*manifest_rules(10_000_000)).host}", max_retries=1)

    def test_long__is_cancelled_from_another_thread(self):
        op = mlreg.Op()
        timer = threading.Timer(0.5, op.cancel)
        with self.hanging() as hub:
            timer.start()
            self.assertRaises(mlreg.CancelledError, hub.copy, "team/x:v1", self.store, op=op)
        timer.join()
        self.assertGreater(op.stats.requests, 0)

    def test_long__what_a_builder_reads_from_afar_is_cancelled_too(self):
        rules = manifest_rules(1000)
        rules[0]["body"] = rules[0]["body"].replace('"data":"e30="', '"annotations":{}')       # the config has to be fetched
        evil = self.evil(rules[0], {"path": ".*/blobs/.*", "do": "stall_body", "size": 2, "sent": 1})
        with mlreg.Session(f"http://{evil.host}") as hub, hub.resolve("team/x:v1") as model, self.store.build(kind="image") as image:
            for add in image.set_base, lambda artifact, op: image.add_layer_of(artifact, 0, op=op):
                op = mlreg.Op()
                timer = threading.Timer(0.3, op.cancel)
                timer.start()
                self.assertRaises(mlreg.CancelledError, add, model, op=op)
                timer.join()

    def test_long__what_progress_raises_ends_the_call_and_comes_out_of_it(self):
        seen = []

        def progress(stats):
            seen.append(stats)
            if len(seen) == 2:
                raise LookupError("enough")
        with self.hanging() as hub:
            self.assertRaises(LookupError, hub.copy, "team/x:v1", self.store, progress=progress)
        self.assertEqual(len(seen), 2)
        self.assertIs(type(seen[0]), mlreg.Stats)

    def test_long__progress_runs_on_the_calling_thread_and_hears_the_end(self):
        self.built()
        seen = []
        with mlreg.Session("memory:") as memory:
            self.store.copy("team/tiny:v1", memory, progress=lambda s: seen.append((s, threading.get_ident())))
        last, thread = seen[-1]
        self.assertEqual(thread, threading.get_ident())
        self.assertEqual(last.bytes_done, last.bytes_total)
        self.assertGreaterEqual(last.bytes_total, sum(map(len, MODEL.values())))

    def test_long__is_shown_within_a_block_of_progress(self):
        self.built()
        said = io.StringIO()
        with mlreg.Session("memory:") as memory, mlreg.progress(file=said):
            self.store.copy("team/tiny:v1", memory)
        self.assertRegex(said.getvalue(), r"\d[.\d]*\s?k?M?B|MB")
        length = len(said.getvalue())
        self.store.copy("team/tiny:v1", self.store, "team/tiny:v2")
        self.assertEqual(len(said.getvalue()), length)

    def test_long__ends_with_ctrl_c_and_leaves_the_store_whole(self):
        evil = self.evil(*manifest_rules(10_000_000))
        child = subprocess.Popen([sys.executable, "-c", (
            "import signal, sys, time, mlreg\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"       # ignored where tests run in the background
            "store = mlreg.Session(sys.argv[2], create=True)\n"
            "print('ready', flush=True)\n"
            "try:\n"
            "    mlreg.Session(sys.argv[1]).copy('team/x:v1', store)\n"
            "except KeyboardInterrupt:\n"
            "    print('interrupted', time.time(), flush=True)\n")] + [f"http://{evil.host}", str(self.dir / "store")],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(PACKAGE)})
        watchdog = threading.Timer(120, child.kill)
        watchdog.start()
        self.addCleanup(watchdog.cancel)
        self.assertEqual(child.stdout.readline(), "ready\n")
        while not any("/blobs/" in r["path"] for r in evil.requests()):
            time.sleep(0.05)
        sent = time.time()
        child.send_signal(signal.SIGINT)
        said = child.stdout.readline().split()
        self.assertEqual(child.wait(60), 0)
        child.stdout.close()
        self.assertEqual(said[0], "interrupted")
        print(f"Ctrl-C took {float(said[1]) - sent:.2f} s")
        self.assertEqual(self.store.fsck(), [])

    def test_long__a_handle_closed_meanwhile_lives_until_the_call_ends(self):
        hub, op, caught = self.hanging(), mlreg.Op(), []

        def copy():
            try:
                hub.copy("team/x:v1", self.store, op=op)
            except mlreg.Error as error:
                caught.append(type(error))
        thread = threading.Thread(target=copy)
        thread.start()
        while op.stats.requests < 2:
            time.sleep(0.02)
        hub.close()
        gc.collect()
        op.cancel()
        thread.join()
        self.assertEqual(caught, [mlreg.CancelledError])


class Callbacks(Case):
    def asked(self, auth):
        evil = self.evil({"path": "/v2/team/x/.*", "header": {"Authorization": "Basic dTpw"}, "body": '{"name":"team/x","tags":["v1"]}',
                          "headers": {"Content-Type": "application/json"}},
                         {"path": ".*", "status": 401, "headers": {"WWW-Authenticate": 'Basic realm="x"'}})
        lines = []
        with mlreg.Session(f"http://{evil.host}", auth=auth, log=lambda level, line: lines.append((level, line))) as hub:
            return hub.tags("team/x"), lines

    def test_auth__answers_with_name_and_password(self):
        asked = []

        def auth(host, scope):
            asked.append(host)
            return "u", "p"
        tags, lines = self.asked(auth)
        self.assertEqual(tags, ["v1"])
        self.assertTrue(asked and asked[0].startswith("127.0.0.1:"))
        self.assertTrue(lines)
        self.assertNotIn("dTpw", str(lines))

    def test_auth__what_it_raises_comes_out_of_the_call(self):
        def auth(host, scope):
            raise RuntimeError("the vault is closed")
        try:
            self.asked(auth)
        except RuntimeError as error:
            self.assertEqual(str(error), "the vault is closed")
            self.assertIn("in auth", "".join(traceback.format_tb(error.__traceback__)))
        else:
            self.fail("nothing was raised")

    def test_auth__none_is_anonymous_and_nonsense_a_type_error(self):
        self.assertRaises(mlreg.AuthError, self.asked, lambda host, scope: None)
        self.assertRaises((TypeError, ValueError), self.asked, lambda host, scope: 7)

    def test_log__what_it_raises_comes_out_of_the_call(self):
        evil = self.evil({"path": ".*", "body": '{"name":"team/x","tags":[]}', "headers": {"Content-Type": "application/json"}})

        def log(level, line):
            raise ArithmeticError(level)
        with mlreg.Session(f"http://{evil.host}", log=log) as hub:
            self.assertRaises(ArithmeticError, hub.tags, "team/x")


    def test_callback__what_it_raises_comes_out_of_every_kind_of_call_and_of_no_other(self):
        evil = self.evil(*manifest_rules(1000)[:2], {"path": ".*/blobs/.*", "status": 404})
        armed = []

        def log(level, line):
            if armed:
                raise ArithmeticError(line)
        with mlreg.Session(f"http://{evil.host}", log=log) as hub, hub.resolve("team/x:v1") as model:
            armed.append(True)
            for call in (lambda: model.checkout(self.dir / "out"), model.config, lambda: model.open(0), lambda: hub.resolve("team/x:v1"),
                         lambda: hub.copy("team/x:v1", self.store)):
                self.assertRaises(ArithmeticError, call)
            armed.clear()
            self.assertRaises(mlreg.NotFoundError, model.open, 0)
            self.assertEqual(hub.resolve("team/x:v1").digest, model.digest)


class Many(Case):
    def test_many__threads_use_one_session(self):
        self.built()

        def work(i):
            with self.store.build() as builder:
                builder.add_bytes(b"%d" % i * 1000, "a").commit(f"team/many:v{i}")
            with self.store.resolve(f"team/many:v{i}") as mine, mine.open("a") as layer:
                return layer.read() == b"%d" % i * 1000
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(work, range(40))), [True] * 40)
        self.assertEqual(len(self.store.tags("team/many")), 40)

    def test_many__calls_run_in_asyncio_executors(self):
        self.built()

        async def all_of_them():
            loop = asyncio.get_running_loop()
            return await asyncio.gather(*(loop.run_in_executor(None, self.store.resolve, "team/tiny:v1") for _ in range(20)))
        digests = {model.digest for model in asyncio.run(all_of_them())}
        self.assertEqual(len(digests), 1)

    def test_many__garbage_collection_meanwhile_does_no_harm(self):
        self.built()
        done = threading.Event()

        def collect():
            while not done.is_set():
                gc.collect()
        thread = threading.Thread(target=collect)
        thread.start()
        try:
            for _ in range(15):
                self.store.resolve("team/tiny:v1").open("config.json").read()
        finally:
            done.set()
            thread.join()

    def test_many__a_task_that_is_given_up_cancels_its_call(self):
        evil = self.evil(*manifest_rules(10_000_000))

        async def given_up(hub):
            op = mlreg.Op()
            copy = asyncio.get_running_loop().run_in_executor(None, lambda: hub.copy("team/x:v1", self.store, op=op))
            try:
                await asyncio.wait_for(asyncio.shield(copy), 0.3)
            except asyncio.TimeoutError:
                op.cancel()
                await copy
        with mlreg.Session(f"http://{evil.host}") as hub:
            self.assertRaises(mlreg.CancelledError, asyncio.run, given_up(hub))

    def in_child(self, use):
        """Runs `use` in a forked child, as a DataLoader's worker would; its exit status."""
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                use()
                status = 0
            os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def test_fork__handles_are_opened_again_in_the_child(self):
        model = self.built()
        layer = model.open("model.bin")
        layer.read(100)
        gone = mlreg.Op()
        gone.close()

        def use():
            assert self.store.resolve("team/tiny:v1").digest == model.digest
            assert model.open("config.json").read() == MODEL["config.json"]
            assert layer.read(50) == MODEL["model.bin"][100:150]
            model.close()
            for closed in lambda: model.json, lambda: gone.stats:
                try:
                    closed()
                except mlreg.StateError as error:
                    assert "closed" in str(error)
                else:
                    raise AssertionError
            gc.collect()
        self.assertEqual(self.in_child(use), 0)
        self.assertEqual(layer.read(50), MODEL["model.bin"][100:150])

    def test_fork__while_other_threads_are_inside_calls(self):
        model, ended = self.built(), threading.Event()

        def build(ref):
            with self.store.build("a/b") as builder:
                builder.add_bytes(MODEL["model.bin"], "a.bin").commit(ref, move=True)

        def busy():
            while not ended.is_set():
                build("team/busy:v1")

        def use():
            signal.alarm(60)
            assert model.open("model.bin").read() == MODEL["model.bin"]
            build("team/child:v1")
        thread = threading.Thread(target=busy)
        thread.start()
        try:
            self.assertEqual([self.in_child(use) for _ in range(8)], [0] * 8)
        finally:
            ended.set()
            thread.join()

    def test_fork__memory_is_an_error_in_the_child(self):
        memory = mlreg.Session("memory:")
        self.addCleanup(memory.close)

        def use():
            try:
                memory.repositories()
            except mlreg.StateError as error:
                assert "fork" in str(error)
                return
            raise AssertionError
        self.assertEqual(self.in_child(use), 0)


class Shutdown(unittest.TestCase):
    def test_shutdown__with_everything_open_is_silent(self):
        done = python("""
            import mlreg, threading
            place = mlreg.Session("memory:")
            builder = place.build().add_bytes(b"1", "a")
            model = builder.commit("a:b")
            layer, op, runtime = model.open(0), mlreg.Op(), mlreg.Runtime()
            loose = place.build().add_bytes(bytearray(100), "b")
            loop = loose, builder, model
            """)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_shutdown__the_library_can_still_be_used(self):
        done = python("""
            import atexit, mlreg
            def use(when):
                with mlreg.Session("memory:") as place, place.build() as builder:
                    print(when, builder.add_bytes(b"x", "a").commit("a/b:v1").open(0).read())
            class Last:
                def __del__(self):
                    use("last")
            atexit.register(use, "late")
            last, op = Last(), mlreg.Op()
            """)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "late b'x'\nlast b'x'\n", ""))

    def test_shutdown__while_a_thread_is_inside_a_call_is_silent(self):
        done = python("""
            import mlreg, socket, threading, time
            server = socket.create_server(("127.0.0.1", 0))
            hub = mlreg.Session(f"http://127.0.0.1:{server.getsockname()[1]}")
            threading.Thread(target=lambda: hub.tags("a/b"), daemon=True).start()
            server.accept()
            """)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
