"""proxy.py - a line between libmlreg and a real registry on which one thing goes wrong, when and as often as it is told."""
import http.client
import re
import socket
import struct
import threading
import time
import urllib.parse

HEAD_LIMIT = 1 << 16
TRICKLE_S = 0.02
REALM = "/the-token-server"

# What a request is for, by its method and path
KINDS = (("GET token", "GET", REALM), ("GET manifest", "GET", r"/v2/.+/manifests/"), ("HEAD manifest", "HEAD", r"/v2/.+/manifests/"),
         ("PUT manifest", "PUT", r"/v2/.+/manifests/"), ("GET blob", "GET", r"/v2/.+/blobs/sha256"), ("HEAD blob", "HEAD", r"/v2/.+/blobs/sha256"),
         ("POST upload", "POST", r"/v2/.+/blobs/uploads/"), ("PATCH upload", "PATCH", r"/v2/.+/blobs/uploads/"),
         ("PUT upload", "PUT", r"/v2/.+/blobs/uploads/"), ("GET tags", "GET", r"/v2/.+/tags/list"))


def kind_of(method, target):
    return next((name for name, m, pattern in KINDS if m == method and re.match(pattern, target)), None)


class Gone(Exception):
    """The connection is over."""


class Answer:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def head(self):
        lines = [f"HTTP/1.1 {self.status} {self.reason}"] + [f"{k}: {v}" for k, v in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def put(self, name, value):
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name.lower()] + ([(name, value)] if value is not None else [])

    def get(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)


class Proxy:
    """One listener; `fault` is what goes wrong with requests of `kind`, the next `times` of them."""

    def __init__(self, registry):
        self.registry, self.realm, self.challenge = registry, None, None
        self.fault = self.kind = None
        self.times = self.fired = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def arm(self, kind, fault, times):
        with self.lock:
            self.kind, self.fault, self.times, self.fired = kind, fault, times, 0

    def disarm(self):
        with self.lock:
            self.fault = None
            return self.fired

    def take(self, kind):
        with self.lock:
            if self.fault is None or kind != self.kind or self.fired >= self.times:
                return None
            self.fired += 1
            return self.fault

    def stop(self):
        self.listener.close()

    # ---- one connection ----

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        line = Line(connection, lambda: self.challenge)
        try:
            while self.exchange(line):
                pass
        except (Gone, OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def exchange(self, line):
        method, target, headers = line.read_head()
        fault = self.take(kind_of(method, target))
        line.owed = int(headers.get("content-length", 0))
        if headers.get("expect", "").lower() == "100-continue":
            line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fault and fault.before(line):
            raise Gone
        body = line.read(line.owed)
        answer = self.ask(method, target, headers, body)
        if fault and fault.after(line, answer, method):
            raise Gone
        line.send(answer.head() + (b"" if method == "HEAD" else answer.body))
        return answer.get("Connection") != "close"

    def ask(self, method, target, headers, body):
        """The registry's own answer; what it says of its token server leads here, too."""
        host, path = self.registry, target
        if target.startswith(REALM):
            host, path = self.realm.netloc, self.realm.path + target[len(REALM):]
        there = http.client.HTTPConnection(host, timeout=60)
        try:
            there.request(method, path, body, {k: v for k, v in headers.items() if k not in ("expect", "connection")})
            got = there.getresponse()
            answer = Answer(got.status, got.reason, [(k, v) for k, v in got.getheaders() if k.lower() not in ("connection", "transfer-encoding")], got.read())
        finally:
            there.close()
        if challenge := answer.get("WWW-Authenticate"):
            realm = re.search('realm="([^"]*)"', challenge).group(1)
            self.realm = urllib.parse.urlsplit(realm)
            self.challenge = challenge.replace(realm, f"http://localhost:{self.port}{REALM}")
            answer.put("WWW-Authenticate", self.challenge)
        if method != "HEAD":
            answer.put("Content-Length", str(len(answer.body)))
        return answer


class Line:
    """The client's end."""

    def __init__(self, connection, challenge):
        self.connection, self.challenge, self.rest, self.owed = connection, challenge, b"", 0

    def receive(self):
        data = self.connection.recv(1 << 16)
        if not data:
            raise Gone
        return data

    def read_head(self):
        while b"\r\n\r\n" not in self.rest:
            if len(self.rest) > HEAD_LIMIT:
                raise Gone
            self.rest += self.receive()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        return method, target, {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}

    def read(self, n):
        while len(self.rest) < n:
            self.rest += self.receive()
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def send(self, data):
        self.connection.sendall(data)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def silent(self):
        """Until the other side has had enough."""
        while self.connection.recv(1 << 16):
            pass
        raise Gone

    def trickle(self, data):
        for at in range(len(data)):
            self.send(data[at:at + 1])
            time.sleep(TRICKLE_S)
