"""An image's whole way: made, unpacked by us as by umoci, run, changed and sent again; and images of others."""
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import time
import unittest
import urllib.request

from cli.program import Case, needs

BUSYBOX = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "mlreg-tests" / "busybox" / "busybox"
PREDICT = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "$QUERY_STRING" | tr ',' '\\n' | paste -d' ' - /models/weights.txt | awk '{ y += $1 * $2 } END { print "prediction", y }'
"""


def tree(top):
    """All that a file system has to say of what lies in it."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = pathlib.Path(folder, name)
            st = path.lstat()
            what = os.readlink(path) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(st.st_mode) else ""
            mode = 0 if path.is_symlink() else st.st_mode
            found[str(path.relative_to(top))] = (stat.S_IFMT(st.st_mode), stat.S_IMODE(mode), st.st_uid, st.st_gid, int(st.st_mtime), what)
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@unittest.skipUnless(BUSYBOX.exists(), "no busybox: run tests/bed/install")
class ImageUnpack(Case):
    def image(self, *pack):
        """A base of one Debian package, a model and a script that serves it."""
        base = self.work / "base"
        (base / "bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, base / "bin" / "busybox")
        (base / "bin" / "busybox").chmod(0o755)
        for name in "sh", "httpd", "tr", "paste", "awk", "printf", "echo":
            (base / "bin" / name).symlink_to("busybox")
        (base / "tmp").mkdir()
        (self.work / "weights").mkdir()
        (self.work / "weights" / "weights.txt").write_text("2\n3\n5\n")
        (self.work / "predict").write_text(PREDICT)
        (self.work / "predict").chmod(0o755)
        self.mlreg("image", "build", "--add", f"{base}:/", "-t", "base:v1", *pack)
        self.build(*pack)

    def build(self, *pack):
        return self.json("image", "build", "--base", "base:v1", "--model", f"{self.work}/weights:/models", "--add", f"{self.work}/predict:/srv/cgi-bin/predict",
                         "--entrypoint", "/bin/httpd", "-t", "service:v1", *pack)

    def serve(self, rootfs):
        """Runs it by what this machine has: bwrap, else chroot."""
        port = free_port()
        serve = ["/bin/httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", "/srv"]
        if shutil.which("bwrap"):
            run = ["bwrap", "--bind", rootfs, "/", "--die-with-parent", *serve]
        else:
            run = ["unshare", "-rm", "chroot", rootfs, *serve]
        server = subprocess.Popen(run, stdin=subprocess.DEVNULL, env={"PATH": "/bin:/usr/bin:/sbin:/usr/sbin"})
        self.addCleanup(server.wait, 30)
        self.addCleanup(server.kill)
        deadline = time.monotonic() + 60
        while True:
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/cgi-bin/predict?1,2,3", timeout=30).read().decode()
            except OSError:
                self.assertIsNone(server.poll(), f"{run[0]} gave up")
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)

    def test_image_unpack__what_we_unpack_answers_a_prediction(self):
        self.image()
        self.mlreg("image", "unpack", "service:v1", "rootfs")
        self.assertEqual(self.serve(self.work / "rootfs"), "prediction 23\n")
        self.mlreg("image", "unpack", "service:v1", "models", "--path", "/models")
        self.assertEqual(self.snapshot(self.work / "models"), {"weights.txt": b"2\n3\n5\n"})

    @unittest.skipUnless(shutil.which("umoci"), "no umoci: run tests/bed/install")
    def test_image_unpack__is_the_same_tree_as_umoci_s(self):
        for pack in (), ("--gzip",):
            with self.subTest(pack):
                self.image(*pack)
                self.mlreg("copy", "service:v1", "oci:layout:v1")
                rootless = ["--rootless"] if os.getuid() != 0 else []
                done = subprocess.run(["umoci", "unpack", *rootless, "--image", "layout:v1", "bundle"], cwd=self.work, capture_output=True, text=True, timeout=120)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.mlreg("image", "unpack", "oci:layout:v1", "ours")
                self.assertEqual(tree(self.work / "ours"), tree(self.work / "bundle" / "rootfs"))
                for name in "base", "weights", "layout", "bundle", "ours":
                    shutil.rmtree(self.work / name)

    @needs("distribution")
    @unittest.skipUnless(shutil.which("skopeo"), "no skopeo: run tests/bed/install")
    def test_image_unpack__of_docker_s_schema_and_of_zstd(self):
        """The same tree, packed by us as zstd, and with docker's media types, as `docker push` writes them."""
        there = self.registry("distribution")
        self.image("--zstd")
        self.mlreg("image", "unpack", "service:v1", "from-zstd")
        for name in "base", "weights":
            shutil.rmtree(self.work / name)
        self.image("--gzip")
        self.mlreg("copy", "service:v1", "oci:gzip:v1")
        self.skopeo("--insecure-policy", "copy", "--format", "v2s2", "--dest-tls-verify=false", "oci:gzip:v1", f"docker://{there.ref('service:docker')}")
        shown = self.json("inspect", there.ref("service:docker"))
        self.assertTrue(all(layer["mediaType"].startswith("application/vnd.docker.") for layer in shown["layers"]))
        self.mlreg("image", "unpack", there.ref("service:docker"), "from-docker")
        self.assertEqual(tree(self.work / "from-zstd"), tree(self.work / "from-docker"))

    def test_image_unpack__the_model_is_read_out_of_its_layer(self):
        """What a checkout of the artifact in the image writes is the file, not the tar around it."""
        self.image()
        self.mlreg("image", "artifact", "service:v1", "-t", "model:v1")
        self.mlreg("copy", "model:v1", "dir:out")
        self.assertEqual((self.work / "out" / "models" / "weights.txt").read_text(), "2\n3\n5\n")

    def test_image_unpack__never_into_a_folder_with_files(self):
        self.image()
        self.fails("image", "unpack", "service:v1", ".", says="no name that a new folder can have", hint="name the folder itself")
        self.fails("image", "unpack", "service:v1", "weights", says="not empty", hint="not there yet, or is empty")
        self.fails("image", "unpack", "service:v1", "no/such/rootfs", says="no", hint="mkdir -p")
        self.fails("image", "unpack", "service:v1", "rootfs", "--path", "/nothing", says="nothing at /nothing")
        self.assertFalse((self.work / "rootfs").exists())

    @needs("debian", "distribution")
    def test_image_unpack__after_a_change_of_one_line_little_moves(self):
        for kind in "debian", "distribution":
            with self.subTest(kind):
                there = self.registry(kind)
                self.image()
                self.mlreg("push", "service:v1", there.ref("service:v1"))
                (self.work / "predict").write_text(PREDICT.replace("prediction", "answer"))
                began = time.monotonic()
                self.build()
                took = time.monotonic() - began
                moved = self.json("push", "service:v1", there.ref("service:v1"), "--move")["bytes_moved"]
                print(f"one line changed: built again in {took:.2f} s, {moved} bytes pushed")
                self.assertLess(moved, 1 << 20)
                self.mlreg("image", "unpack", there.ref("service:v1"), f"from-{kind}")
                self.assertEqual(self.serve(self.work / f"from-{kind}"), "answer 23\n")
                for name in "base", "weights":
                    shutil.rmtree(self.work / name)
