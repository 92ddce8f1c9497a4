"""The evil side turned round: clients that stall, lie, break off and flood. The server is the one built with ASan, and
again with TSan; it must neither crash nor grow, and leave nothing outside its store."""
import os
import random
import re
import socket
import threading
import unittest

from bed.house import ROOT
from serve.server import MANIFEST, Case, digest

MIB = 1 << 20


def built(kind):
    return ROOT / "build" / kind / "examples" / "mlreg" / "mlreg"


class Hostile:
    kind = None

    def serve(self, *options, **more):
        program = built(self.kind)
        if not program.exists():
            self.skipTest(f"no build/{self.kind} here")
        env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "TSAN_OPTIONS": "halt_on_error=0"}
        return super().serve(*options, program=program, env=env, **more)

    def tearDown(self):
        status = self.server.stop()
        log = self.server.log()
        self.assertEqual(status, 0, log[-4000:])
        for word in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error", "WARNING: ThreadSanitizer"):
            self.assertNotIn(word, log, log[-8000:])
        self.assertLessEqual({p.name for p in self.folder.iterdir()}, {"store", "log"})

    def raw(self, data, read=True):
        """What comes back for these bytes, however the connection ends."""
        with socket.create_connection(("127.0.0.1", self.server.port), 60) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: s.recv(65536), b"")) if read else b""
            except (ConnectionError, OSError):
                return b""

    def lives(self):
        self.ask("GET", "/healthz", want=200)

    def session(self):
        """The requests of a push, in order, as bytes."""
        data, where = b"some weights", self.ask("POST", "/v2/team/x/blobs/uploads/", want=202).headers["Location"]
        head = "{} {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{}\r\n"
        body = self.manifest()
        return [head.format("POST", "/v2/team/x/blobs/uploads/", 0, "").encode(),
                head.format("PATCH", where, len(data), "Content-Range: 0-11\r\n").encode() + data,
                head.format("PUT", f"{where}?digest={digest(data)}", 0, "").encode(),
                head.format("PUT", "/v2/team/x/manifests/1", len(body), f"Content-Type: {MANIFEST}\r\n").encode() + body,
                b"GET /v2/team/x/tags/list?n=1&last=%00 HTTP/1.1\r\nHost: x\r\nRange: bytes=0-\r\nIf-None-Match: \"\r\n\r\n"]

    def test_hostile__requests_cut_at_every_byte_change_nothing(self):
        for request in self.session():
            for n in range(0, len(request), 1 if self.kind == "asan" else 7):
                self.raw(request[:n], read=n % 16 == 0)
        self.lives()
        self.ask("GET", "/v2/team/x/tags/list", want=404)

    def test_hostile__requests_with_flipped_bits_are_answered_or_dropped(self):
        rng = random.Random(7)
        for request in self.session():
            for _ in range(60):
                broken = bytearray(request)
                for _ in range(rng.randrange(1, 4)):
                    broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
                self.raw(bytes(broken))
        self.lives()

    def test_hostile__uploads_that_break_off_keep_what_came(self):
        where = self.ask("POST", "/v2/team/x/blobs/uploads/", want=202).headers["Location"]
        for _ in range(20):
            self.raw(f"PATCH {where} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode() + b"y" * 1000)
        answer = self.ask("GET", where, want=204)
        n = int(answer.headers["Range"].split("-")[1]) + 1
        self.assertTrue(0 < n <= 20000 and n % 1000 == 0, n)
        self.ask("PUT", f"{where}?digest={digest(b'y' * n)}", want=201)

    def test_hostile__headers_without_end_cost_nothing(self):
        for flood in (b"X: y\r\n" * 100000, b"X" * MIB, b"X: " + b"y" * MIB, b"Range: bytes=" + b"0-0," * 100000 + b"\r\n"):
            self.raw(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + flood + b"\r\n")
        self.raw(b"GET /" + b"a" * MIB + b" HTTP/1.1\r\n\r\n")
        self.raw(b"PUT /v2/x/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n{}")
        self.raw(b"PUT /v2/x/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}")
        self.raw(b"PATCH /v2/x/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n")
        self.lives()

    def test_hostile__many_that_stall_leave_room_for_one_that_does_not(self):
        stalled = [socket.create_connection(("127.0.0.1", self.server.port), 60) for _ in range(200)]
        for s in stalled:
            s.sendall(b"GET /v2/ HT")
        self.push()
        self.ask("GET", "/v2/team/x/manifests/1", want=200)
        for s in stalled:
            s.close()

    def test_hostile__wrong_digests_by_many_at_once_publish_nothing(self):
        def lie():
            for i in range(10):
                data = os.urandom(5000)
                self.assertEqual(self.server.ask("POST", f"/v2/team/x/blobs/uploads/?digest={digest(b'x')}", data).status, 400)
                self.assertEqual(self.server.ask("PUT", "/v2/team/x/manifests/1", data, Content_Type=MANIFEST).status, 400)
        threads = [threading.Thread(target=lie) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.ask("GET", f"/v2/team/x/blobs/{digest(b'x')}", want=404)
        self.assertEqual([p for p in self.server.store.rglob("*") if re.fullmatch("[0-9a-f]{64}", p.name)], [])


class HostileAsan(Hostile, Case):
    kind = "asan"


class HostileTsan(Hostile, Case):
    kind = "tsan"


class Bounded(Case):
    def test_bounded__thousands_of_open_uploads_cost_no_memory(self):
        before = self.server.memory_bytes("VmRSS")
        with socket.create_connection(("127.0.0.1", self.server.port), 60) as s:
            reader = s.makefile("rb")
            for _ in range(4000):
                s.sendall(b"POST /v2/team/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                self.assertIn(b"202", reader.readline())
                while reader.readline() != b"\r\n":
                    pass
        self.assertLess(self.server.memory_bytes("VmRSS") - before, 3 * MIB)
        self.push()

    def test_bounded__a_hundred_clients_fit_into_64_mib(self):
        data = os.urandom(4 * MIB)
        name = self.push_blob(data)

        def pull():
            self.assertEqual(self.server.ask("GET", f"/v2/team/x/blobs/{name}").body, data)
            self.server.ask("POST", f"/v2/team/y/blobs/uploads/?digest={name}", data)
        threads = [threading.Thread(target=pull) for _ in range(100)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        peak = self.server.memory_bytes("VmHWM")
        self.assertLess(peak, 64 * MIB)
        print(f"peak with 100 clients: {peak / MIB:.1f} MiB")
