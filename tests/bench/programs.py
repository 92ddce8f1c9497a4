"""programs.py - how each program is told to pull, push and copy, and where what it pulled then lies."""
import os
import pathlib
import shutil

from bed.house import BUILD, PROGRAM
from bench.models import REPOSITORY

SERVER = BUILD / "tests" / "bench_server"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "mlreg-tests"
ENGINES = ("oras", "crane", "regctl")      # what the goals speak of
PEERS = ("curl", "skopeo", *ENGINES)


def find(name):
    if name == "mlreg":
        return PROGRAM if PROGRAM.exists() else None
    return shutil.which(name) or next(iter(sorted(CACHE.glob(f"{name}-*/{name}"), reverse=True)), None)


class Program:
    """One of them, for one place: a registry at `host`, by TLS with the certificate `ca` or without."""

    def __init__(self, name, host, ca=None):
        self.name, self.path, self.host, self.ca = name, find(name), host, ca

    def ref(self, repository=REPOSITORY):
        return f"{self.host}/{repository}:v1"

    def ours(self, repository):
        return ("https://" if self.ca else "http://") + self.ref(repository)

    # ---- commands; None: this program does no such thing ----

    def pull(self, model, out):
        """Into the form in which the program keeps models."""
        scheme = "https" if self.ca else "http"
        if self.name == "mlreg":
            return [self.path, "-q", *(["--ca-file", self.ca] if self.ca else []), "--store", out / "store", "pull", self.ours(REPOSITORY)]
        if self.name == "curl":
            to = [word for layer in model.layers for word in ("-o", out / layer["digest"][7:], f"{scheme}://{self.host}/v2/{REPOSITORY}/blobs/{layer['digest']}")]
            return [self.path, "-sSf", *(["--cacert", self.ca] if self.ca else []), *(["-Z"] if len(model.layers) > 1 else []), *to]
        if self.name == "skopeo":
            return [self.path, "copy", "-q", "--preserve-digests", *(["--src-cert-dir", pathlib.Path(self.ca).parent] if self.ca else ["--src-tls-verify=false"]),
                    f"docker://{self.ref()}", f"oci:{out}/layout:v1"]
        if self.name == "oras":
            return [self.path, "pull", "--no-tty", *(["--ca-file", self.ca] if self.ca else ["--plain-http"]), "-o", out, self.ref()]
        if self.name == "crane":
            return [self.path, "pull", "--format=oci", *([] if self.ca else ["--insecure"]), self.ref(), out / "layout"]
        return [*self.regctl(), "image", "copy", self.ref(), f"ocidir://{out}/layout:v1"]

    def pull_folder(self, model, out):
        if self.name == "mlreg":
            return [self.path, "-q", *(["--ca-file", self.ca] if self.ca else []), "pull", self.ours(REPOSITORY), "-o", out / "files"]
        return self.pull(model, out) if self.name in ("curl", "oras") else None

    def push(self, model, repository):
        """From the folder, or from the layout that was prepared, where a program hashes nothing."""
        if self.name == "mlreg":
            return [self.path, "-q", "push", *(["--ca-file", self.ca] if self.ca else []), model.folder, self.ours(repository)]
        if self.name == "oras":
            return [self.path, "push", "--no-tty", *(["--ca-file", self.ca] if self.ca else ["--plain-http"]), self.ref(repository), *sorted(p.name for p in model.folder.iterdir())]
        if self.name == "crane":
            return [self.path, "push", *([] if self.ca else ["--insecure"]), model.layout, self.ref(repository)]
        if self.name == "regctl":
            return [*self.regctl(), "image", "copy", f"ocidir://{model.layout}:v1", self.ref(repository)]
        if self.name == "skopeo":
            return [self.path, "copy", "-q", "--preserve-digests", *(["--dest-cert-dir", pathlib.Path(self.ca).parent] if self.ca else ["--dest-tls-verify=false"]),
                    f"oci:{model.layout}:v1", f"docker://{self.ref(repository)}"]
        return None

    def copy(self, there, repository):
        """From this registry to the one at `there`; both speak plain http."""
        to = f"{there}/{repository}:v1"
        return {"mlreg": [self.path, "-q", "copy", self.ours(REPOSITORY), f"http://{to}"],
                "oras": [self.path, "cp", "--no-tty", "--from-plain-http", "--to-plain-http", self.ref(), to],
                "crane": [self.path, "copy", "--insecure", self.ref(), to],
                "skopeo": [self.path, "copy", "-q", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false", f"docker://{self.ref()}", f"docker://{to}"],
                "regctl": [*self.regctl(there), "image", "copy", self.ref(), to]}.get(self.name)

    def regctl(self, *more):
        tls = "enabled" if self.ca else "disabled"
        return [self.path, *(word for host in (self.host, *more) for word in ("--host", f"reg={host},tls={tls}"))]


def environment(home, ca=None):
    """A home, a temporary folder and no settings of anybody: as on the first day."""
    for folder in home, home / "tmp":
        folder.mkdir(exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home / "tmp"), "LANG": "C.UTF-8", **({"SSL_CERT_FILE": str(ca)} if ca else {})}

