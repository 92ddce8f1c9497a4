"""Who may do what, over TLS and not; limits; what the server says of itself; how it ends."""
import base64
import http.client
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from bed.house import PROGRAM, run
from serve.server import MANIFEST, Case, Server, digest


def basic(name, secret):
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


READ, WRITE = "read-token-0123456789", "write-token-0123456789"


class Access(Case):
    def setUp(self):
        super().setUp()
        self.push()
        self.push(repo="team-other/x")
        self.server.stop()
        (self.folder / "htpasswd").write_text(run("htpasswd", "-nbB", "-C", "4", "alice", "secret").stdout)
        (self.folder / "tokens").write_text(f"# for CI{' and its machines' * 100}\n{READ} read team\n{WRITE} write team/x\n")
        self.server = self.serve("--htpasswd", self.folder / "htpasswd", "--tokens", self.folder / "tokens")

    def test_access__nobody_gets_a_byte_without_a_password(self):
        for path in ("/v2/", "/v2/team/x/manifests/1", f"/v2/team/x/blobs/{digest(b'some weights')}", "/v2/_catalog", "/", "/metrics", "/v2/team/x/tags/list"):
            for said in (None, basic("alice", "wrong"), basic("bob", "secret"), "Basic x", "Bearer " + READ[:-1], "Bearer ", basic("", ""), basic("alice", "")):
                answer = self.ask("GET", path, want=401, **({"Authorization": said} if said else {}))
                self.assertTrue(answer.headers["WWW-Authenticate"].startswith("Basic "))
                self.assertNotIn(b"some weights", answer.body)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            self.ask(method, "/v2/team/x/blobs/uploads/" + ("x" if method != "POST" else ""), b"x", 401)
        self.ask("GET", "/healthz", want=200)

    def spent_on(self, name):
        """Clock ticks of the server's CPU for ten wrong passwords of that name."""
        def ticks():
            return sum(map(int, pathlib.Path(f"/proc/{self.server.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        before = ticks()
        for i in range(10):
            self.ask("GET", "/v2/", want=401, Authorization=basic(name, f"wrong {i}"))
        return ticks() - before

    def test_access__a_name_that_nobody_has_costs_as_much_as_one_that_is_known(self):
        self.server.stop()
        (self.folder / "htpasswd").write_text(run("htpasswd", "-nbB", "-C", "10", "alice", "secret").stdout)
        self.server = self.serve("--htpasswd", self.folder / "htpasswd", "--tokens", self.folder / "tokens")
        self.assertGreater(self.spent_on("bob"), self.spent_on("alice") / 4)

    def test_access__of_a_user_is_whole(self):
        for _ in range(2):  # the second time from memory
            self.ask("GET", "/v2/_catalog", want=200, Authorization=basic("alice", "secret"))
            self.ask("POST", "/v2/new/blobs/uploads/", want=202, Authorization=basic("alice", "secret"))

    def test_access__of_a_token_is_its_scope(self):
        for said in ("Bearer " + READ, basic("anybody", READ)):
            self.ask("GET", "/v2/", want=200, Authorization=said)
            self.ask("GET", "/v2/team/x/manifests/1", want=200, Authorization=said)
            self.ask("POST", "/v2/team/x/blobs/uploads/", want=403, Authorization=said)
            self.ask("GET", "/v2/team-other/x/manifests/1", want=403, Authorization=said)
            self.ask("GET", "/v2/_catalog", want=403, Authorization=said)
            self.assertNotIn(b"team-other", self.ask("GET", "/", want=200, Authorization=said).body)
            self.assertNotIn(b"weights", self.ask("GET", "/?repo=team-other/x&tag=1", want=200, Authorization=said).body)
        said = "Bearer " + WRITE
        self.ask("POST", "/v2/team/x/blobs/uploads/", want=202, Authorization=said)
        self.ask("POST", "/v2/team/y/blobs/uploads/", want=403, Authorization=said)
        # what may not be read is not mounted
        mount = f"/v2/team/x/blobs/uploads/?mount={digest(b'some weights')}&from=team-other/x"
        self.ask("POST", mount, want=202, Authorization=said)

    def test_access__secrets_are_in_no_log(self):
        self.ask("GET", "/v2/", want=200, Authorization=basic("alice", "secret"))
        self.ask("GET", "/v2/", want=200, Authorization="Bearer " + READ)
        self.server.stop()
        self.assertIn('user="alice"', self.server.log())
        self.assertNotIn("secret", self.server.log())
        self.assertNotIn(READ, self.server.log())


class Options(unittest.TestCase):
    def refused(self, *options, says):
        done = run(PROGRAM, "serve", "--store", "/nonexistent/store", *options, check=False, timeout=60)
        self.assertIn(done.returncode, (1, 2))
        self.assertRegex(done.stderr, r"\Amlreg: error: [^\n]+\n(  hint: [^\n]+\n)?\Z")
        self.assertIn(says, done.stderr)

    def test_options__files_that_name_nobody_are_refused(self):
        """With no rules at all everybody would be let in."""
        with tempfile.NamedTemporaryFile("w", prefix="mlreg-nobody-") as rules:
            rules.write("# nobody yet\n\n")
            rules.flush()
            for option in "--htpasswd", "--tokens":
                self.refused("--listen", "0.0.0.0:0", option, rules.name, says=f"{rules.name} names nobody")
                self.refused("--listen", "0.0.0.0:0", option, "/", says="cannot read /: Is a directory")

    def test_options__that_cannot_be_are_refused(self):
        for address in "127.0.0.1:99999", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:+80", "127.0.0.1", "5000":
            self.refused("--listen", address, says=f'cannot listen on "{address}"')
        self.refused("--upstream", "ghcr.io", says='"ghcr.io" is no registry\'s URL')
        with tempfile.TemporaryDirectory(prefix="mlreg-serve-") as work:
            self.refused("--store", work + "/s", "--read-only", says="--store DIR")
            self.refused("--store", work + "/s", "--cert", work, "--key", work, says=f"cannot read {work}: Is a directory")
            pathlib.Path(work, "pem").write_text("no certificate\n")
            self.refused("--store", work + "/s", "--listen", "127.0.0.1:0", "--cert", work + "/pem", "--key", work + "/pem", says="cannot do TLS with")

    def test_options__that_would_open_a_store_to_all_are_refused(self):
        self.refused("--listen", "0.0.0.0:0", says="--htpasswd")
        self.refused("--listen", "nowhere", says="cannot listen")
        self.refused("--cert", "x", says="go together")
        self.refused("--upstream", "https://x.test", "--read-only", says="--read-only")
        self.refused("--htpasswd", "/nonexistent", says="cannot read /nonexistent")
        self.refused("--max-bytes", "many", says="no number")

    def test_options__errors_about_them_are_said_as_every_command_says_them(self):
        """A terminal obeys what stands in an option; and it is shown colours, unless it is asked not to."""
        self.refused("--listen", "x\x1b[2J\nfake\x9b", says='"x?[2J?fake??"')
        line = shlex.join([str(PROGRAM), "serve", "--store", "/nonexistent/store", "--listen", "x"])
        for more, colours in ("", True), ("NO_COLOR=1 ", False):
            said = run("script", "-qec", f"TERM=xterm {more}{line}", "/dev/null", check=False, stdin=subprocess.DEVNULL).stdout
            self.assertEqual("\x1b[1;31m" in said, colours, said)


class Elsewhere(Case):
    def test_listen__a_port_is_one_servers(self):
        """Two on one port would answer in turns, each from a store of its own."""
        self.ask("GET", "/v2/", want=200)
        done = run(PROGRAM, "serve", "--store", self.folder / "other", "--listen", self.server.host, check=False, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"mlreg: error: cannot listen on {self.server.host}: Address already in use\n  hint: choose another port")
        self.server.stop()
        self.server = self.serve("--listen", self.server.host)     # whose last connections may linger

    def test_tls__serves_by_certificate_and_key(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.folder / "key", "-out", self.folder / "cert")
        _, name = self.push(data=b"w" * 1000000)
        self.server.stop()
        self.server = self.serve("--cert", self.folder / "cert", "--key", self.folder / "key")
        self.assertEqual(self.server.scheme, "https")
        c = http.client.HTTPSConnection("127.0.0.1", self.server.port, context=ssl.create_default_context(cafile=self.folder / "cert"), timeout=60)
        c.request("GET", f"/v2/team/x/blobs/{digest(b'w' * 1000000)}")
        self.assertEqual(c.getresponse().read(), b"w" * 1000000)
        c.close()

    def test_read_only__lets_nobody_write(self):
        self.push()
        self.server.stop()
        self.server = self.serve("--read-only")
        self.ask("GET", "/v2/team/x/manifests/1", want=200)
        self.ask("HEAD", f"/v2/team/x/blobs/{digest(b'some weights')}", want=200)
        for method, tail in (("POST", "blobs/uploads/"), ("PUT", "manifests/1"), ("DELETE", "manifests/1")):
            self.ask(method, f"/v2/team/x/{tail}", b"", 405)

    def test_browser__pages_from_elsewhere_may_not_write(self):
        self.ask("POST", "/v2/team/x/blobs/uploads/", want=403, Origin="https://elsewhere.test")
        self.ask("GET", "/v2/", want=200, Origin="https://elsewhere.test")


class Limits(Case):
    options = ("--max-bytes", 1000, "--max-rate", 1000000)

    def test_limits__of_size_hold_for_streams_too(self):
        where = self.ask("POST", "/v2/team/x/blobs/uploads/", want=202).headers["Location"]
        self.ask("PATCH", where, b"x" * 1001, 413)
        self.ask("PATCH", where, iter([b"x" * 600, b"x" * 600]), 413, Transfer_Encoding="chunked")
        self.ask("PATCH", where, b"x" * 10, 202)

    def test_limits__of_disk_and_rate_refuse_with_a_reason(self):
        self.server.stop()
        self.server = self.serve("--min-free", 1 << 60)
        self.ask("GET", "/v2/", want=200)
        self.ask("POST", "/v2/team/x/blobs/uploads/", want=507)
        self.server.stop()
        self.server = self.serve("--min-free", 1 << 20)
        with socket.create_connection(("127.0.0.1", self.server.port), 60) as s:
            s.sendall(f"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: {(1 << 64) - 1}\r\n\r\nx".encode())
            s.shutdown(socket.SHUT_WR)
            self.assertIn(b" 507 ", s.recv(65536))
        self.server.stop()
        self.server = self.serve("--max-rate", 3)
        self.assertIn(429, [self.ask("GET", "/v2/").status for _ in range(60)])


class SmallDisk(Case):
    def serve(self, *options):
        small = self.folder / "small"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], capture_output=True).returncode != 0:
            self.skipTest("tmpfs cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        return super().serve("--store", small / "store", "--min-free", 4 << 20)

    def test_limits__of_disk_hold_for_streams_too(self):
        self.ask("POST", "/v2/x/blobs/uploads/", iter([b"x" * (1 << 20)] * 4 + [b"x" * 65536] * 8), 507, Transfer_Encoding="chunked")
        self.ask("POST", "/v2/x/blobs/uploads/", b"", 202)


class WatchedDisk(Case):
    """What the disk has left is asked of this, which counts that, and is full once a file says so."""
    SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

int statvfs64(const char *path, struct statvfs64 *st)
{
    int (*real)(const char *, struct statvfs64 *) = (int (*)(const char *, struct statvfs64 *))dlsym(RTLD_NEXT, "statvfs64");
    int fd = open(getenv("ASKED"), O_WRONLY | O_CREAT | O_APPEND, 0600), rc = real(path, st) + (write(fd, "x", 1) != 1);

    close(fd);
    if (access(getenv("FULL"), F_OK) == 0)
        st->f_bavail = 0;
    return rc;
}
"""

    def serve(self, *options):
        (self.folder / "shim.c").write_text(self.SHIM)
        run("cc", "-shared", "-fPIC", "-o", self.folder / "shim.so", self.folder / "shim.c", "-ldl")
        self.asked, self.full = self.folder / "asked", self.folder / "full"
        return super().serve("--min-free", 1, env={**os.environ, "LD_PRELOAD": str(self.folder / "shim.so"), "ASKED": str(self.asked), "FULL": str(self.full)})

    def test_limits__of_disk_are_looked_at_now_and_then(self):
        """On a file system of the network that is a question of its own, and a piece of a body is small."""
        self.ask("POST", "/v2/x/blobs/uploads/", iter([b"x" * (1 << 20)] * 32), 202, Transfer_Encoding="chunked")
        self.assertIn(len(self.asked.read_bytes()), range(8, 10))

    def begun(self, repo):
        """A stream that was let in."""
        s = socket.create_connection(("127.0.0.1", self.server.port), 60)
        self.addCleanup(s.close)
        s.sendall(f"POST /v2/{repo}/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n".encode())
        self.assertIn(b"100 Continue", s.recv(65536))
        return s

    def test_limits__of_disk_stop_all_that_come_in(self):
        one, other = self.begun("x"), self.begun("y")
        self.ask("POST", "/v2/x/blobs/uploads/", b"x", 202)
        self.full.touch()
        one.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (4 << 20, b"x" * (4 << 20)))
        self.assertIn(b" 507 ", one.recv(65536))
        other.sendall(b"1\r\nx\r\n0\r\n\r\n")
        self.assertIn(b" 507 ", other.recv(65536), "there is nothing left that nobody looked at")
        self.full.unlink()
        self.ask("POST", "/v2/x/blobs/uploads/", iter([b"x"]), 202, Transfer_Encoding="chunked")


class Itself(Case):
    options = ("--json",)

    def test_log__is_json_whatever_strangers_send(self):
        self.push()
        self.ask("GET", "/v2/%1b%5b2J%0a%22%ff%c2%9b%e2%82%ac/manifests/1", want=400)
        self.server.stop()
        lines = [json.loads(line) for line in self.server.log().splitlines()]
        asked = [line for line in lines if "method" in line]
        self.assertEqual({line["status"] for line in asked}, {201, 400})
        # A line is written when its connection is done, so two of them may change places.
        self.assertTrue(any("\ufffd\ufffd\ufffd\u20ac" in line["path"] for line in asked), asked)
        self.assertEqual([line["bytes_in"] for line in asked if line["method"] == "POST"], [12])

    def test_log__for_people_steers_no_terminal(self):
        self.server.stop()
        self.server = self.serve("--upstream", "http://127.0.0.1:1")
        self.ask("GET", "/v2/x/manifests/%1b%5b2J%0afake%c2%9b%ff", want=400)
        self.server.stop()
        self.assertIn("upstream: x:?[2J?fake???: ", self.server.log())
        self.assertFalse([c for c in self.server.log() if c != "\n" and not c.isprintable()])

    def test_metrics__count_what_was_answered(self):
        self.push()
        self.ask("GET", "/v2/none/manifests/1", want=404)
        self.ask("GET", f"/v2/team/x/blobs/{digest(b'some weights')}", want=200)
        deadline, text = time.monotonic() + 60, ""
        while "mlreg_requests_running 1\n" not in text and time.monotonic() < deadline:  # they count once they have ended
            text = self.ask("GET", "/metrics", want=200).body.decode()
        self.assertGreaterEqual(int(re.search(r'mlreg_requests_total\{status="2xx"\} (\d+)', text)[1]), 3)
        self.assertIn('mlreg_requests_total{status="4xx"} 1\n', text)
        self.assertIn("mlreg_received_bytes_total %d\n" % (12 + len(self.manifest())), text)
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) mlreg_\w+ .+|mlreg_\w+(\{status="\dxx"\})? \d+)$')

    def test_page__shows_what_is_here_and_runs_nothing(self):
        self.assertIn(b"Nothing is here yet", self.ask("GET", "/", want=200).body)
        self.push("v1", annotations={"note": "<script>alert(1)</script>"})
        answer = self.ask("GET", "/", want=200)
        self.assertIn(b"team/x:v1", answer.body)
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
        page = self.ask("GET", "/?repo=team/x&tag=v1", want=200).body.decode()
        self.assertIn(f"mlreg pull {self.server.host}/team/x:v1", page)
        self.assertNotIn("<script", page)
        self.assertIn("&#60;script", page)

    def test_end__that_is_asked_for_twice_comes_at_once(self):
        """As for every command: who asks again does not wait for a client that stalls."""
        where = self.ask("POST", "/v2/team/x/blobs/uploads/", want=202).headers["Location"]
        with socket.create_connection(("127.0.0.1", self.server.port), 60) as s:
            s.sendall(f"PUT {where} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode())
            self.waits_for(lambda: b"mlreg_requests_running 2" in self.ask("GET", "/metrics").body)
            self.server.process.send_signal(signal.SIGTERM)
            self.waits_for(lambda: "stopping" in self.server.log())
            began = time.monotonic()
            self.assertEqual(self.server.stop(signal.SIGINT), 0)
            self.assertLess(time.monotonic() - began, 20, "it waited for what stalls, which is a minute")

    def waits_for(self, what):
        deadline = time.monotonic() + 60
        while not what() and time.monotonic() < deadline:
            time.sleep(0.02)

    def test_end__finishes_what_runs(self):
        data = b"x" * 100000
        where = self.ask("POST", "/v2/team/x/blobs/uploads/", want=202).headers["Location"]
        with socket.create_connection(("127.0.0.1", self.server.port), 60) as s:
            s.sendall(f"PUT {where}?digest={digest(data)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data[:5])
            self.waits_for(lambda: b"mlreg_requests_running 2" in self.ask("GET", "/metrics").body)
            ended = threading.Thread(target=self.server.stop)
            ended.start()
            self.waits_for(lambda: "stopping" in self.server.log())
            s.sendall(data[5:])
            answer = http.client.HTTPResponse(s)
            answer.begin()
            self.assertEqual(answer.status, 201)
            ended.join()
        self.assertEqual(self.server.process.returncode, 0)
