"""clients.py - the other clients, each by its own commands: registry to layout and back, in layouts, and what it makes itself."""
import glob
import json
import os
import pathlib
import shutil
import subprocess

from peers import artifacts

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "mlreg-tests"
COMMAND_S = 900


class Failed(Exception):
    """A command that ended badly: the command, and what it said."""


class Client:
    """One client in a folder of its own. A place is a registry's Server and a repository in it, or a layout and a tag."""
    name = version_of = None
    registries = True          # whether it talks to them at all
    keeps_digest = True        # whether what it carries arrives with the manifest that it had
    only = None                # the kinds that it can carry; None: all

    def __init__(self, folder):
        self.folder = folder / self.name
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        self.program = self.find()

    def find(self):
        found = glob.glob(str(CACHE / f"{self.name}-*" / self.name))
        return found[0] if found else shutil.which(self.name)

    def missing(self):
        return None if self.program else f"{self.name} is not here: run tests/bed/install"

    def run(self, *args, there=None, cwd=None):
        env = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TMPDIR": str(self.folder), "LANG": "C.UTF-8",
               "XDG_RUNTIME_DIR": str(self.home), **(there.environment() if there else {})}
        done = subprocess.run([self.program, *map(str, args)], env=env, cwd=cwd or self.folder, capture_output=True, text=True,
                              errors="replace", timeout=COMMAND_S, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise Failed(f"{self.name} {' '.join(map(str, args))}", (done.stderr or done.stdout)[-2000:].strip())
        return done.stdout

    def version(self):
        text = self.run(*self.version_of)
        return next(word.strip(",") for word in text.split() if word.lstrip("v")[:1].isdigit())

    # ---- what each does in its own way ----

    def push(self, layout, there, repo):
        """Takes "v1" of a layout to a registry."""
        raise NotImplementedError

    def pull(self, there, repo, layout, tag="v1"):
        """Takes "v1" of a registry into a layout, under another tag."""
        raise NotImplementedError

    def make(self, there, repo):
        """Makes something of its own at a registry; None: it makes nothing."""


class Skopeo(Client):
    name, version_of = "skopeo", ["--version"]

    def push(self, layout, there, repo):
        self.run("copy", "--all", "--preserve-digests", *there.flag("--dest-tls-verify=false"), f"oci:{layout}:v1", f"docker://{there.host}/{repo}:v1", there=there)

    def pull(self, there, repo, layout, tag="v1"):
        self.run("copy", "--all", "--preserve-digests", *there.flag("--src-tls-verify=false"), f"docker://{there.host}/{repo}:v1", f"oci:{layout}:{tag}", there=there)

    def make(self, there, repo):
        """A docker schema 2 image out of an OCI one."""
        source = self.folder / "own"
        if not source.exists():
            artifacts.write("image", source)
        self.run("copy", "--format", "v2s2", *there.flag("--dest-tls-verify=false"), f"oci:{source}:v1", f"docker://{there.host}/{repo}:v1", there=there)


class Oras(Client):
    name, version_of = "oras", ["version"]

    @staticmethod
    def plain(there, flag):
        """Said either way: it takes localhost for a host without TLS."""
        return f"{flag}={'false' if there.ca_file else 'true'}"

    def push(self, layout, there, repo):
        self.run("cp", "--from-oci-layout", f"{layout}:v1", self.plain(there, "--to-plain-http"), f"{there.host}/{repo}:v1", there=there)

    def pull(self, there, repo, layout, tag="v1"):
        self.run("cp", self.plain(there, "--from-plain-http"), f"{there.host}/{repo}:v1", "--to-oci-layout", f"{layout}:{tag}", there=there)

    def make(self, there, repo):
        files = self.folder / "own"
        files.mkdir(exist_ok=True)
        (files / "weights.bin").write_bytes(bytes(range(256)) * 100)
        (files / "folder").mkdir(exist_ok=True)
        (files / "folder" / "vocab.txt").write_text("one\ntwo\n")
        self.run("push", self.plain(there, "--plain-http"), "--artifact-type", "application/vnd.example.own", "--annotation", "made.by=oras",
                 f"{there.host}/{repo}:v1", "weights.bin:application/octet-stream", "folder", there=there, cwd=files)


class Crane(Client):
    name, version_of = "crane", ["version"]

    def push(self, layout, there, repo):
        self.run("push", layout, f"{there.host}/{repo}:v1", there=there)

    def pull(self, there, repo, layout, tag="v1"):
        self.run("pull", "--format=oci", f"{there.host}/{repo}:v1", layout, there=there)

    def make(self, there, repo):
        tar = self.folder / "own.tar"
        tar.write_bytes(artifacts.tar(motd=b"made by crane", config=b"{}"))
        self.run("append", "-f", tar, "-t", f"{there.host}/{repo}:v1", there=there)


class Regctl(Client):
    name, version_of = "regctl", ["version"]

    def hosts(self, there):
        return there.flag("--host", f"reg={there.host},tls=disabled")

    def push(self, layout, there, repo):
        self.run(*self.hosts(there), "image", "copy", f"ocidir://{layout}:v1", f"{there.host}/{repo}:v1", there=there)

    def pull(self, there, repo, layout, tag="v1"):
        self.run(*self.hosts(there), "image", "copy", f"{there.host}/{repo}:v1", f"ocidir://{layout}:{tag}", there=there)

    def make(self, there, repo):
        file = self.folder / "own.bin"
        file.write_bytes(b"made by regctl" * 1000)
        self.run(*self.hosts(there), "artifact", "put", "--artifact-type", "application/vnd.example.own", "--file", file,
                 "--file-title", f"{there.host}/{repo}:v1", there=there)


class Umoci(Client):
    name, version_of, registries = "umoci", ["--version"], False

    def read(self, layout):
        """It has no copy: what it can do with a layout is to list it and, if it is an image, to unpack it."""
        if "v1" not in self.run("ls", "--layout", layout).split():
            raise Failed("umoci ls", "the tag is not listed")
        bundle = self.folder / "bundle"
        shutil.rmtree(bundle, ignore_errors=True)
        self.run("unpack", "--rootless", "--image", f"{layout}:v1", bundle)
        return {p.name: p.read_bytes() for p in (bundle / "rootfs").iterdir()}

    def write(self, layout, tag):
        """Another tag, and a layer of its own on top of what the tag names."""
        file = self.folder / "inserted"
        file.write_text("inserted by umoci\n")
        self.run("insert", "--rootless", "--image", f"{layout}:v1", "--tag", tag, file, "/inserted")


class Podman(Client):
    """Keeps images in a storage of its own, layers unpacked: the manifest that it pushes is a new one, of the same image."""
    name, version_of, keeps_digest, only = "podman", ["--version"], False, ("image", "index", "own")

    @classmethod
    def needs_more(cls):
        return "" if os.getuid() == 0 else f"{cls.name} without root needs user namespaces and cgroups v2"

    def missing(self):
        return super().missing() or self.needs_more()

    def run(self, *args, there=None, cwd=None):
        return super().run("--root", self.folder / "root", "--runroot", self.folder / "run", "--storage-driver", "vfs", *args, there=there, cwd=cwd)

    def push(self, layout, there, repo):
        # relative: it makes a repository's name of the path, and not every folder's name may be part of one
        self.send(self.run("pull", "-q", f"oci:{layout.name}:v1", cwd=layout.parent).split()[-1], there, repo)

    def send(self, image, there, repo, *more):
        self.run("push", *more, *there.flag("--tls-verify=false"), image, f"docker://{there.host}/{repo}:v1", there=there)

    def pull(self, there, repo, layout, tag="v1"):
        image = self.run("pull", "-q", *there.flag("--tls-verify=false"), f"docker://{there.host}/{repo}:v1", there=there).split()[-1]
        self.run("push", image, f"oci:{layout}:{tag}")

    def make(self, there, repo):
        tar = self.folder / "own.tar"
        tar.write_bytes(artifacts.tar(motd=b"made by podman"))
        self.send(self.run("import", "-q", tar).split()[-1], there, repo, "--format", "v2s2")


class Buildah(Podman):
    name = "buildah"

    def make(self, there, repo):
        file = self.folder / "motd"
        file.write_text("made by buildah\n")
        container = self.run("from", "scratch").strip()
        self.run("copy", "-q", container, file, "/motd")
        self.run("config", "--entrypoint", json.dumps(["/motd"]), "--label", "made.by=buildah", container)
        self.send(self.run("commit", "-q", container).split()[-1], there, repo)


ALL = (Skopeo, Oras, Crane, Regctl, Umoci, Podman, Buildah)
