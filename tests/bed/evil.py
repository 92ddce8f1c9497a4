#!/usr/bin/env python3
"""evil.py - a scripted HTTP/1.1 server on loopback: the registry that misbehaves, and the thief that listens.

Usage: evil.py [--script JSON|@FILE] [--log FILE] [--tls CERT_PEM KEY_PEM [--client-ca PEM]]

Prints "port N" and serves until its standard input ends, so that it goes with the test that started it.

The script is a list of rules; the first that fits a request answers it, and a request that none fits gets 404 (the
thief is an evil.py whose log somebody reads). All members are optional:

    method, path     regular expressions that must match whole; path includes the query
    header           {name: regular expression}: must be there and match whole; null: must not be there
    times            the rule is used up after so many requests; default: never
    do               a behaviour below, by name; default "answer"
    status, reason, headers ([[name, value], ...] or an object), body (text), body_base64
    size             a body of so many bytes instead, as pattern() makes them
    skew             with `size`: the pattern from here on, so other bytes
    framing          "length" (default), "chunked", "close" (the connection ends the body), "none" (whatever the headers say)
    keep             false: "Connection: close" and so it does
    delay_ms         before the answer
    ...              what the behaviour takes

"$PORT" in header values and bodies is this server's port, "$URL" its "http(s)://127.0.0.1:PORT", "$PATH" and "$QUERY" are the
request's, "$COUNT" says how often the rule was used, from 1. A Range header of a 200 answer with a `size` is obeyed unless the rule says "ranges": false.

The log has one JSON line per request, written before it is answered: {"method", "path", "version", "headers": [[name,
value], ...], "body_bytes", "body_sha256", "body" (its first 4 KiB as Latin-1), "connection" (counted from 1), "rule"}.
"""
import base64
import json
import re
import socket
import struct
import sys
import threading
import time

# Hundreds of tests start this, each for a moment: what takes long to load is left out where it is not needed.
try:
    from _sha256 import sha256
except ImportError:
    from hashlib import sha256

CHUNK = 1 << 16
LOGGED_BODY = 4096
HEAD_LIMIT = 1 << 20
TLS_HANDSHAKE = b"\x16"
BEHAVIOURS = {}


class Gone(Exception):
    """The connection is over."""


def behaviour(function):
    BEHAVIOURS[function.__name__] = function
    return function


def pattern_byte(i):
    """Bytes that tell where they stand, within 16 MiB; bed_pattern() in bed.c makes the same."""
    return (i * 167 + (i >> 8) + (i >> 16)) & 255


BLOCK = 1 << 16
FIRST_BLOCK = bytes(map(pattern_byte, range(BLOCK)))
SHIFTS = [bytes((b + shift) & 255 for b in range(256)) for shift in range(256)]


def pattern(offset, length):
    """The pattern in pieces: each block is the first one with its number added to every byte."""
    while length > 0:
        block, start = divmod(offset, BLOCK)
        piece = FIRST_BLOCK[start:start + length].translate(SHIFTS[block & 255])
        yield piece
        offset += len(piece)
        length -= len(piece)


class Request:
    def __init__(self, method, path, version, headers):
        self.method, self.path, self.version, self.headers = method, path, version, headers
        self.count = 0
        self.body_bytes = 0
        self.body_hash = sha256()
        self.body_start = b""

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def take(self, data):
        self.body_bytes += len(data)
        self.body_hash.update(data)
        self.body_start += data[:LOGGED_BODY - len(self.body_start)]


class Connection:
    def __init__(self, server, sock, number):
        self.server, self.sock, self.number = server, sock, number
        self.unread = b""

    # ---- bytes ----

    def more(self):
        try:
            data = self.sock.recv(CHUNK)
        except OSError:
            data = b""
        if not data:
            raise Gone
        self.unread += data

    def read(self, n):
        while len(self.unread) < min(n, 1):
            self.more()
        data, self.unread = self.unread[:n], self.unread[n:]
        return data

    def line(self):
        while b"\n" not in self.unread:
            if len(self.unread) > HEAD_LIMIT:
                raise Gone
            self.more()
        line, self.unread = self.unread.split(b"\n", 1)
        return line.rstrip(b"\r").decode("latin-1")

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise Gone from None

    def reset(self):
        """Ends the connection with RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def wait_for_the_end(self):
        while True:
            self.more()
            self.unread = b""

    # ---- requests ----

    def read_head(self):
        if not self.unread:
            self.more()
        words = [] if self.unread[:1] == TLS_HANDSHAKE else self.line().split(" ")
        if len(words) != 3:
            self.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            raise Gone
        headers = []
        while (line := self.line()) != "":
            name, _, value = line.partition(":")
            headers.append([name, value.strip()])
        return Request(*words, headers)

    def read_body(self, request):
        if (request.header("transfer-encoding") or "").lower() == "chunked":
            while (size := int(self.line().split(";")[0], 16)) > 0:
                self.read_exactly(request, size)
                self.line()
            while self.line() != "":
                pass
        else:
            self.read_exactly(request, int(request.header("content-length") or 0))

    def read_exactly(self, request, size):
        while size > 0:
            data = self.read(min(size, CHUNK))
            request.take(data)
            size -= len(data)

    def serve(self):
        try:
            while True:
                request = self.read_head()
                number, rule = self.server.rule_for(request)
                action = BEHAVIOURS[rule.get("do", "answer")]
                try:
                    if not getattr(action, "before_body", False):
                        self.read_body(request)
                finally:
                    self.server.record(request, self.number, number)
                time.sleep(rule.get("delay_ms", 0) / 1000)
                action(self, request, rule)
                if rule.get("keep") is False or (request.header("connection") or "").lower() == "close":
                    raise Gone
        except Gone:
            pass
        finally:
            self.sock.close()

    # ---- answers ----

    def filled_in(self, text, request):
        path, _, query = request.path.partition("?")
        for name, value in (("$PORT", str(self.server.port)), ("$URL", self.server.url), ("$PATH", path), ("$QUERY", query),
                            ("$COUNT", str(request.count))):
            text = text.replace(name, value)
        return text

    def head(self, request, rule, length):
        status = rule.get("status", 200)
        headers = rule.get("headers", [])
        headers = [list(h) for h in (headers.items() if isinstance(headers, dict) else headers)]
        framing = rule.get("framing", "length")
        if framing == "length" and status not in (204, 304):
            headers.append(["Content-Length", str(length)])
        elif framing == "chunked":
            headers.append(["Transfer-Encoding", "chunked"])
        if framing == "close" or rule.get("keep") is False:
            headers.append(["Connection", "close"])
        lines = [f"HTTP/1.1 {status} {rule.get('reason', 'As Scripted')}"]
        lines += [f"{name}: {self.filled_in(value, request)}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def body(self, request, rule):
        """What the rule says: the rule as the Range header changes it, the length, and the pieces."""
        if "size" not in rule:
            data = base64.b64decode(rule["body_base64"]) if "body_base64" in rule else \
                self.filled_in(rule.get("body", ""), request).encode()
            return rule, len(data), iter([data])
        size, first = rule["size"], 0
        length = size
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.header("range") or "")
        if wanted and rule.get("ranges", True) and rule.get("status", 200) == 200:
            first = int(wanted[1])
            last = min(int(wanted[2] or size - 1), size - 1)
            if first >= size:
                return {**rule, "status": 416}, 0, iter([])
            length = last - first + 1
            headers = rule.get("headers", [])
            headers = list(headers.items() if isinstance(headers, dict) else headers)
            rule = {**rule, "status": 206, "headers": headers + [["Content-Range", f"bytes {first}-{last}/{size}"]]}
        return rule, length, pattern(first + rule.get("skew", 0), length)

    def send_body(self, rule, pieces):
        chunked = rule.get("framing") == "chunked"
        for data in pieces:
            if data:
                self.send(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
        if chunked:
            self.send(b"0\r\n\r\n")


def cut_at(pieces, length):
    for data in pieces:
        if length <= 0:
            return
        yield data[:length]
        length -= len(data)


# ---- behaviours: what a server may do with a request -------------------------------------------------------------

@behaviour
def answer(connection, request, rule):
    """The answer as the rule says it."""
    rule, length, pieces = connection.body(request, rule)
    connection.send(connection.head(request, rule, length))
    if request.method != "HEAD":
        connection.send_body(rule, pieces)
    if rule.get("framing") == "close":
        raise Gone


@behaviour
def close(connection, request, rule):
    """No answer: the connection ends."""
    raise Gone


@behaviour
def reset(connection, request, rule):
    """No answer: the connection is reset."""
    connection.reset()


@behaviour
def stall(connection, request, rule):
    """No answer, but the connection stays."""
    connection.wait_for_the_end()


@behaviour
def stall_unread(connection, request, rule):
    """Neither reads the body nor answers, for `ms` (default: an hour)."""
    time.sleep(rule.get("ms", 3_600_000) / 1000)
    raise Gone


stall_unread.before_body = True


@behaviour
def stall_body(connection, request, rule):
    """The head, `sent` bytes of the body, then nothing; the connection stays."""
    rule, length, pieces = connection.body(request, rule)
    connection.send(connection.head(request, rule, length))
    connection.send_body({}, cut_at(pieces, rule.get("sent", 0)))
    connection.wait_for_the_end()


@behaviour
def cut(connection, request, rule):
    """The head, `sent` bytes of the body, then the connection ends; "reset": true: by a reset."""
    rule, length, pieces = connection.body(request, rule)
    connection.send(connection.head(request, rule, length))
    connection.send_body({}, cut_at(pieces, rule.get("sent", 0)))
    if rule.get("reset"):
        time.sleep(0.05)
        connection.reset()
    raise Gone


@behaviour
def drip(connection, request, rule):
    """The answer, `piece` bytes (default 1) of it every `ms`; "head": true: the head as well."""
    rule, length, pieces = connection.body(request, rule)
    head = connection.head(request, rule, length)
    slow = b"".join(pieces)
    if rule.get("head"):
        head, slow = b"", head + slow
    connection.send(head)
    for at in range(0, len(slow), rule.get("piece", 1)):
        connection.send(slow[at:at + rule.get("piece", 1)])
        time.sleep(rule.get("ms", 100) / 1000)


@behaviour
def early(connection, request, rule):
    """Answers before the request's body was read and ends the connection, as servers do that reject an upload: reading
    on for a moment, so that the answer arrives; "rude": true: at once, so that a reset follows the answer; "stay": true:
    takes what else comes for more requests; `body_ms` between the head and its body."""
    rule, length, pieces = connection.body(request, rule)
    connection.send(connection.head(request, rule if rule.get("stay") else {**rule, "keep": False}, length))
    time.sleep(rule.get("body_ms", 0) / 1000)
    connection.send_body(rule, pieces)
    if rule.get("stay"):
        return
    if not rule.get("rude"):
        connection.sock.shutdown(socket.SHUT_WR)
        connection.sock.settimeout(2)
        connection.wait_for_the_end()
    raise Gone


early.before_body = True


@behaviour
def idle_close(connection, request, rule):
    """The answer, as if the connection stayed; after `ms` it ends."""
    answer(connection, request, rule)
    time.sleep(rule.get("ms", 0) / 1000)
    raise Gone


@behaviour
def die_on_reuse(connection, request, rule):
    """The answer; then the next request on the connection is read and meets the connection's end."""
    answer(connection, request, rule)
    request = connection.read_head()
    connection.server.record(request, connection.number, None)
    raise Gone


@behaviour
def many_headers(connection, request, rule):
    """The answer with `count` more headers of `length` bytes each."""
    more = [[f"X-Evil-{i}", "e" * rule.get("length", 10)] for i in range(rule.get("count", 1000))]
    answer(connection, request, {**rule, "headers": more})


@behaviour
def endless_interim(connection, request, rule):
    """103 Early Hints, for ever."""
    while True:
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n")


@behaviour
def endless_body(connection, request, rule):
    """A chunked body without end."""
    connection.send(connection.head(request, {**rule, "framing": "chunked"}, 0))
    while True:
        connection.send(b"%x\r\n%s\r\n" % (BLOCK, FIRST_BLOCK))


@behaviour
def raw(connection, request, rule):
    """The rule's body as it is, without any head, and the connection ends."""
    _, _, pieces = connection.body(request, rule)
    for data in pieces:
        connection.send(data)
    raise Gone


# ---- the server ---------------------------------------------------------------------------------------------------

class Server:
    def __init__(self, script, log, tls, client_ca):
        self.rules = script
        self.used = [0] * len(script)
        self.log = log
        self.lock = threading.Lock()     # guards used and log
        self.context = None
        if tls:
            import ssl
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        if client_ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_ca)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @staticmethod
    def fits(rule, request):
        if not re.fullmatch(rule.get("method", ".*"), request.method) or not re.fullmatch(rule.get("path", ".*"), request.path):
            return False
        for name, wanted in rule.get("header", {}).items():
            value = request.header(name)
            if (value is None) != (wanted is None) or (wanted is not None and not re.fullmatch(wanted, value)):
                return False
        return True

    def rule_for(self, request):
        with self.lock:
            for number, rule in enumerate(self.rules):
                if self.used[number] < rule.get("times", float("inf")) and self.fits(rule, request):
                    self.used[number] += 1
                    request.count = self.used[number]
                    return number, rule
        return None, {"status": 404, "body": "no rule fits\n"}

    def record(self, request, connection, rule):
        line = json.dumps({
            "method": request.method, "path": request.path, "version": request.version, "headers": request.headers,
            "body_bytes": request.body_bytes, "body_sha256": request.body_hash.hexdigest(),
            "body": request.body_start.decode("latin-1"), "connection": connection, "rule": rule})
        with self.lock:
            if self.log:
                self.log.write(line + "\n")
                self.log.flush()

    def accepted(self, sock, number):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            return
        Connection(self, sock, number).serve()

    def run(self):
        number = 0
        while True:
            sock, _ = self.listener.accept()
            number += 1
            threading.Thread(target=self.accepted, args=(sock, number), daemon=True).start()


def main():
    options, words = {"--script": "[]", "--log": None, "--tls": None, "--client-ca": None}, iter(sys.argv[1:])
    for word in words:
        if word not in options:
            sys.exit(f"there is no option {word}")
        options[word] = (next(words), next(words)) if word == "--tls" else next(words)
    text = options["--script"]
    if text.startswith("@"):
        with open(text[1:], encoding="utf-8") as file:
            text = file.read()
    script = json.loads(text)
    for rule in script:
        if rule.get("do", "answer") not in BEHAVIOURS:
            sys.exit(f"no behaviour is called {rule['do']}")
    server = Server(script, open(options["--log"], "a", encoding="utf-8") if options["--log"] else None, options["--tls"], options["--client-ca"])
    threading.Thread(target=server.run, daemon=True).start()
    print(f"port {server.port}", flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
