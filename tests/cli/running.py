"""running.py - a root file system that is run by what this machine has: crun, else bwrap, else chroot; as root or not."""
import json
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write_spec(bundle, words):
    """A bundle's config.json as crun writes it for a plain user, without what cannot be had where control groups are of both
    versions, and with this machine's network."""
    subprocess.run(["crun", "spec", "--rootless"], cwd=bundle, check=True, capture_output=True)
    spec = json.loads((bundle / "config.json").read_text())
    spec["process"].update(terminal=False, args=words)
    spec["mounts"] = [m for m in spec["mounts"] if not m["destination"].startswith("/sys")]
    spec["linux"].pop("resources", None)
    spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] not in ("network", "cgroup")]
    (bundle / "config.json").write_text(json.dumps(spec))


def ways(rootfs, words):
    """Each way there is here: its name, and its command. Whatever it starts ends with it."""
    rootfs = pathlib.Path(rootfs).resolve()
    if shutil.which("crun"):
        bundle = rootfs.parent / f"{rootfs.name}-bundle"
        shutil.rmtree(bundle, ignore_errors=True)
        bundle.mkdir()
        (bundle / "rootfs").symlink_to(rootfs)
        write_spec(bundle, words)
        run = f'mount -t tmpfs t /sys/fs/cgroup && exec crun --root "{bundle}/state" --cgroup-manager=disabled run --bundle "{bundle}" one'
        yield "crun", ["unshare", "-rmpf", "--kill-child", "--mount-proc", "sh", "-c", run]
    if shutil.which("bwrap"):
        yield "bwrap", ["bwrap", "--bind", rootfs, "/", "--proc", "/proc", "--dev", "/dev", "--die-with-parent", "--unshare-pid", *words]
    yield "chroot", ["unshare", "-rmpf", "--kill-child", "chroot", rootfs, *words]


class Running:
    """A service that answers HTTP on a port of this machine. `words` are its command, given the port."""

    def __init__(self, rootfs, words, path, only=None):
        self.why = []
        for self.by, command in ways(rootfs, words(port := free_port())):
            if only in (None, self.by) and self.answers(command, f"http://127.0.0.1:{port}", path):
                return
        raise AssertionError("\n".join(self.why))

    def answers(self, command, url, path):
        self.url = url
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.first = self.ask(path)
                return True
            except OSError:
                time.sleep(0.05)
        self.why.append(f"{self.by}: {self.stop()}")
        return False

    def ask(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read().decode()

    def stop(self):
        """Ends it; gives what it said."""
        self.process.kill()
        return self.process.communicate(timeout=30)[0]
