"""Pull-through: a manifest and what has come are answered while the rest is still on its way, and all of it comes once."""
import collections
import concurrent.futures
import contextlib
import http.server
import os
import threading
import time

from bed.house import PROGRAM, run
from serve.server import MANIFEST, Case, Server, digest
from serve.test_clients import client, needs

SMALL, LARGE = b"{}\n", os.urandom(5 << 20)
WAIT_S = 60


def wait_until(happened):
    deadline = time.monotonic() + WAIT_S
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen")
        time.sleep(0.02)


class Slow:
    """A registry with one model, which sends the large layer's second half only when it is told to."""

    def __init__(self, manifest, blobs):
        self.manifest, self.blobs = manifest, blobs
        self.asked, self.go, self.counts = threading.Event(), threading.Event(), collections.Counter()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            log_message = lambda *_: None

            def do_GET(handler):
                with contextlib.suppress(ConnectionError):
                    self.answer(handler)

            do_HEAD = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()

    def find(self, path):
        if path in ("/v2/team/x/manifests/1", f"/v2/team/x/manifests/{digest(self.manifest)}"):
            return self.manifest, MANIFEST
        return self.blobs.get(path.removeprefix("/v2/team/x/blobs/")), "application/octet-stream"

    def answer(self, handler):
        body, kind = self.find(handler.path)
        self.counts[handler.command, handler.path] += 1
        handler.send_response(200 if body is not None or handler.path == "/v2/" else 404)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body or b"")))
        handler.end_headers()
        if handler.command == "HEAD" or body is None:
            return
        half = len(body) // 2 if len(body) == len(LARGE) else 0
        handler.wfile.write(body[:half])
        handler.wfile.flush()
        if half > 0:
            self.asked.set()
            handler.close_connection = not self.go.wait(WAIT_S)
            if handler.close_connection:
                return
        handler.wfile.write(body[half:])


class FromSlow(Case):
    """`self.server` is near, and `self.far` where its artifacts come from."""

    def setUp(self):
        config, self.large = (self.part(data) for data in (SMALL, LARGE))
        layers = [self.part(b"a tokenizer", "tokenizer"), {**self.large, "annotations": {"org.opencontainers.image.title": "weights.bin"}}]
        manifest = self.manifest(config=config, layers=layers)
        self.name = digest(manifest)
        self.far = Slow(manifest, {digest(data): data for data in (SMALL, LARGE, b"a tokenizer")})
        self.addCleanup(self.far.stop)
        self.options = ("--upstream", self.far.url)
        super().setUp()

    @staticmethod
    def part(data, title=None):
        more = {"annotations": {"org.opencontainers.image.title": title}} if title else {}
        return {"mediaType": "application/octet-stream", "digest": digest(data), "size": len(data), **more}

    def blob(self, data, want=200):
        return self.ask("GET", f"/v2/team/x/blobs/{digest(data)}", want=want).body

    def test_upstream__answers_what_has_come_while_the_rest_is_on_its_way(self):
        for ref in ("1", self.name, "1"):
            got = self.ask("GET", f"/v2/team/x/manifests/{ref}", want=200)
            self.assertEqual((digest(got.body), got.headers["Content-Type"]), (self.name, MANIFEST))
        self.assertEqual(self.blob(SMALL), SMALL)
        self.assertEqual(self.blob(b"a tokenizer"), b"a tokenizer")
        self.assertFalse(self.far.go.is_set())
        with concurrent.futures.ThreadPoolExecutor(1) as asker:
            large = asker.submit(self.blob, LARGE)
            self.assertTrue(self.far.asked.wait(WAIT_S))
            self.assertFalse(large.done())
            self.far.go.set()
            self.assertEqual(large.result(), LARGE)

    def test_upstream__brings_once_what_eight_want_at_once(self):
        start = threading.Barrier(8)

        def pull(_):
            start.wait(WAIT_S)
            self.ask("HEAD", "/v2/team/x/manifests/1", want=200)
            self.ask("GET", f"/v2/team/x/manifests/{self.name}", want=200)
            return self.blob(SMALL), self.blob(LARGE)

        with concurrent.futures.ThreadPoolExecutor(8) as clients:
            pulled = clients.map(pull, range(8))
            self.assertTrue(self.far.asked.wait(WAIT_S))
            self.far.go.set()
            self.assertEqual(set(pulled), {(SMALL, LARGE)})
        self.assertEqual([self.far.counts["GET", f"/v2/team/x/blobs/{digest(data)}"] for data in (SMALL, LARGE)], [1, 1])
        wait_until(lambda: self.ask("GET", "/v2/team/x/tags/list").status == 200)

    def test_upstream__is_never_believed(self):
        self.far.go.set()
        self.far.blobs[digest(LARGE)] = LARGE[:-1] + bytes([LARGE[-1] ^ 1])
        self.ask("GET", "/v2/team/x/manifests/1", want=200)
        failed = self.ask("GET", f"/v2/team/x/blobs/{digest(LARGE)}", want=502)
        self.assertEqual(failed.code(), "UNAVAILABLE")
        self.assertIn(digest(LARGE), failed.json()["errors"][0]["message"])
        self.assertEqual(self.ask("GET", "/v2/team/x/manifests/1", want=502).code(), "UNAVAILABLE")
        self.ask("GET", "/v2/team/x/tags/list", want=404)
        self.far.blobs[digest(LARGE)] = LARGE
        self.server.stop()
        self.server.start()
        self.ask("GET", "/v2/team/x/manifests/1", want=200)
        self.assertEqual(self.blob(LARGE), LARGE)

    def test_upstream__ends_with_the_server_and_gc_takes_nothing_of_it(self):
        self.ask("GET", "/v2/team/x/manifests/1", want=200)
        self.assertEqual(self.blob(SMALL), SMALL)
        self.assertTrue(self.far.asked.wait(WAIT_S))
        run(PROGRAM, "--store", self.server.store, "gc", "--grace", "0")
        self.assertEqual(self.blob(SMALL), SMALL)
        self.assertEqual(self.server.stop(), 0)
        self.far.go.set()
        self.server.start()
        self.ask("GET", "/v2/team/x/manifests/1", want=200)
        self.assertEqual(self.blob(LARGE), LARGE)
        run(PROGRAM, "--store", self.server.store, "gc", "--grace", "0")
        self.assertEqual(self.blob(SMALL), SMALL)
        run(PROGRAM, "--store", self.server.store, "fsck")

    def through(self, program, *words):
        """A client that asks before the model is there."""
        with concurrent.futures.ThreadPoolExecutor(1) as runner:
            done = runner.submit(run, program, *words, cwd=self.folder, env={**os.environ, "HOME": str(self.folder)})
            self.assertTrue(self.far.asked.wait(WAIT_S))
            self.far.go.set()
            done.result()

    def test_upstream__our_own_pull_gets_through(self):
        self.through(PROGRAM, "pull", f"{self.server.host}/team/x:1", "-o", "back")
        self.assertEqual((self.folder / "back" / "weights.bin").read_bytes(), LARGE)

    @needs("oras")
    def test_upstream__oras_gets_through(self):
        self.through(client("oras"), "pull", "--plain-http", f"{self.server.host}/team/x:1", "-o", "back")
        self.assertEqual((self.folder / "back" / "weights.bin").read_bytes(), LARGE)

    @needs("crane")
    def test_upstream__crane_gets_through(self):
        self.through(client("crane"), "pull", "--insecure", "--format=oci", f"{self.server.host}/team/x:1", "back")
        self.assertEqual((self.folder / "back" / "blobs" / "sha256" / digest(LARGE)[7:]).read_bytes(), LARGE)


class Upstream(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "near").mkdir()
        self.near = Server(self.folder / "near", "--upstream", f"http://{self.server.host}")
        self.addCleanup(lambda: self.near.stop())

    def test_upstream__is_asked_once_kept_and_done_without(self):
        answer, name = self.push()
        self.assertEqual(self.near.ask("GET", "/v2/team/x/manifests/1").headers["Docker-Content-Digest"], name)
        self.assertEqual(self.near.ask("GET", f"/v2/team/x/blobs/{digest(b'some weights')}").body, b"some weights")
        self.assertEqual(self.server.log().count('"GET" "/v2/team/x/blobs/'), 1)
        wait_until(lambda: self.near.ask("GET", "/v2/team/x/tags/list").status == 200)
        self.server.stop()
        self.near.stop()
        self.near.start()
        self.assertEqual(self.near.ask("GET", "/v2/team/x/manifests/1").headers["Docker-Content-Digest"], name)
        away = self.near.ask("GET", "/v2/team/x/manifests/2")
        self.assertEqual((away.status, away.code()), (502, "UNAVAILABLE"))

    def test_upstream__that_moves_a_tag_leaves_what_it_named(self):
        _, old = self.push()
        self.near.ask("GET", "/v2/team/x/manifests/1")
        wait_until(lambda: self.near.ask("GET", "/v2/team/x/tags/list").status == 200)
        _, new = self.push(data=b"other weights")
        self.near.stop()    # what it was told a moment ago goes too
        self.near.start()
        self.assertEqual(self.near.ask("GET", "/v2/team/x/manifests/1").headers["Docker-Content-Digest"], new)
        index = self.near.store / "team" / "x" / "index.json"
        wait_until(lambda: new in index.read_text())
        self.server.stop()
        run(PROGRAM, "--store", self.near.store, "gc", "--grace", "0")
        for name in (old, new):
            self.assertEqual(self.near.ask("GET", f"/v2/team/x/manifests/{name}").status, 200)
        self.assertEqual(self.near.ask("GET", f"/v2/team/x/blobs/{digest(b'some weights')}").body, b"some weights")

    def test_upstream__over_tls_is_believed_with_its_ca_alone(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem")
        _, name = self.push()
        self.server.stop()
        far = self.serve("--cert", self.folder / "cert.pem", "--key", self.folder / "key.pem")
        for place, ca, status in (("stranger", (), 502), ("friend", ("--ca-file", self.folder / "cert.pem"), 200)):
            (self.folder / place).mkdir()
            near = Server(self.folder / place, "--upstream", f"https://127.0.0.1:{far.port}", *ca)
            self.addCleanup(near.stop)
            answer = near.ask("GET", "/v2/team/x/manifests/1")
            self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers["Docker-Content-Digest"], name)
