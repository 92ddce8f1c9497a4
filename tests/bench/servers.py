"""servers.py - what the works are measured against: nginx, the server that is far away, distribution; each ends with us."""
import glob
import os
import pathlib
import shutil
import struct
import subprocess
import sys

from bed.house import ROOT
from bench.models import MANIFEST, REPOSITORY
from bench.programs import SERVER

BED = ROOT / "tests" / "bed"
COUNTERS = ("sent", "received", "requests", "connections", "open", "most_open")


class Unavailable(Exception):
    """What a work needs is not on this machine; the other works go on."""


class Server:
    """A process that says where it listens, as "port N" or as a location, and ends with its standard input."""

    ca = None

    def __init__(self, command, **how):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **how)
        said = self.process.stdout.readline().split()
        if not said:
            self.process.wait()
            raise Unavailable(f"{' '.join(map(str, command[:2]))} did not start")
        self.host = said[0].partition("://")[2] or f"127.0.0.1:{said[1]}"

    def counters(self):
        return dict.fromkeys(COUNTERS, 0)

    def clean(self):
        """Forgets what was pushed, where that takes room."""

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class Nginx(Server):
    """A model's files, as fast as a server can; its log counts nothing that we need."""

    def __init__(self, www, server=None, certificate=None):
        server = server or f"""
            location = /v2/ {{ return 200 "{{}}"; }}
            location ~ ^/v2/{REPOSITORY}/manifests/ {{ default_type {MANIFEST}; }}
            default_type application/octet-stream; ssl_protocols TLSv1.3;"""
        self.ca = certificate[0] if certificate else None
        super().__init__([sys.executable, BED / "nginx.py", "--root", www, "--server", server, *(["--tls", *certificate] if certificate else [])])


class Far(Server):
    """tests/bench/server.c: delays, rates, counts; a sink for uploads. Its files are links to the model's."""

    def __init__(self, folder, www=None, delay_ms=0, connect_ms=None, rate_mb=0):
        self.folder, self.www, self.file = folder, folder / "www", folder / "counters"
        shutil.copytree(www, self.www, copy_function=lambda a, b: pathlib.Path(b).hardlink_to(a)) if www else self.www.mkdir(parents=True)
        super().__init__([SERVER, self.www, "--counters", self.file, "--delay-ms", delay_ms,
                          "--connect-ms", delay_ms if connect_ms is None else connect_ms, "--rate-mb", rate_mb])

    def counters(self):
        return dict(zip(COUNTERS, struct.unpack("6Q", self.file.read_bytes())))


class FarBehindNginx(Far):
    """The same by TLS and HTTP/2: many requests wait at once on one connection. nginx's own connections cost no round trip."""

    def __init__(self, folder, cert, **how):
        super().__init__(folder, connect_ms=0, **how)
        self.front = Nginx(self.www, f"location / {{ proxy_pass http://{self.host}; proxy_http_version 1.1; proxy_request_buffering off; proxy_set_header Host $http_host; proxy_redirect off; }}", cert)
        self.host, self.ca = self.front.host, self.front.ca

    def stop(self):
        self.front.stop()
        super().stop()


class Distribution(Server):
    """CNCF distribution, by tests/bed/with-registries, with its storage where we can empty it."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        super().__init__([BED / "with-registries", "distribution", "--", "sh", "-c", 'echo "$MLREG_TEST_REGISTRY_DISTRIBUTION"; cat'],
                         env={**os.environ, "TMPDIR": str(folder)})

    def clean(self):
        for storage in glob.glob(f"{self.folder}/*/distribution/storage"):
            shutil.rmtree(storage)


def certificate(folder):
    """A certificate for this machine that is its own authority, and its key."""
    folder.mkdir()
    cert, key = folder / "ca.crt", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key
