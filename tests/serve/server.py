"""server.py - `mlreg serve` under test: started on a free port, asked, stopped, and its log at hand."""
import hashlib
import http.client
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

from bed.house import PROGRAM

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
START_S = 60


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    def code(self):
        return self.json()["errors"][0]["code"]


class Server:
    """Options that are given again take the place of the first: the store, and a free port of this machine."""

    def __init__(self, folder, *options, program=PROGRAM, env=None, cwd=None):
        self.folder, self.store = pathlib.Path(folder), pathlib.Path(folder, "store")
        self.command = [str(program), "serve", "--store", str(self.store), "--listen", "127.0.0.1:0", *map(str, options)]
        self.log_file, self.env, self.cwd = self.folder / "log", env, cwd
        self.start()

    def start(self):
        with open(self.log_file, "ab") as log:
            begins = log.tell()
            self.process = subprocess.Popen(self.command, stderr=log, env=self.env, cwd=self.cwd)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(r" on (https?)://[^:\s]+:(\d+)", self.log_file.read_text()[begins:])
            if found:
                self.scheme, self.port = found[1], int(found[2])
                self.host = f"127.0.0.1:{self.port}"
                return
            time.sleep(0.02)
        raise AssertionError(f"it did not start:\n{self.log_file.read_text()}")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(60)

    def log(self):
        return self.log_file.read_text()

    def ask(self, method, path, body=None, **headers):
        """One request on a connection of its own; `X_y` among the headers is X-y."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            c.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()},
                      encode_chunked="Transfer_Encoding" in headers)
            return Answer(c.getresponse())
        finally:
            c.close()

    def memory_bytes(self, what):
        """"VmRSS": now; "VmHWM": at most."""
        return int(re.search(rf"{what}:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1]) << 10


class Case(unittest.TestCase):
    options = ()

    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.folder = pathlib.Path(tmp.name)
        self.server = self.serve(*self.options)

    def serve(self, *options, **more):
        server = Server(self.folder, *options, **more)
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        return server

    def ask(self, method, path, body=None, want=None, **headers):
        answer = self.server.ask(method, path, body, **headers)
        if want is not None:
            self.assertEqual(answer.status, want, f"{method} {path}: {answer.body[:500]}")
        return answer

    def push_blob(self, data, repo="team/x"):
        self.ask("POST", f"/v2/{repo}/blobs/uploads/?digest={digest(data)}", data, 201)
        return digest(data)

    def manifest(self, data=b"some weights", **more):
        part = {"mediaType": "application/octet-stream", "digest": digest(data), "size": len(data)}
        return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": part, "layers": [part], **more}).encode()

    def push(self, tag="1", data=b"some weights", repo="team/x", **more):
        self.push_blob(data, repo)
        body = self.manifest(data, **more)
        return self.ask("PUT", f"/v2/{repo}/manifests/{tag or digest(body)}", body, 201, Content_Type=MANIFEST), digest(body)
