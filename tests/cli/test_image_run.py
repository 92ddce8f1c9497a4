"""An image runs: out of a base, a model and a script, unpacked by us, started by what is here, asked over HTTP."""
import shutil
import subprocess
import time
import unittest

from cli.program import Case, as_root, needs
from cli.running import Running, ways
from cli.service import BUSYBOX, PREDICT, Service, httpd

ASK = "/cgi-bin/predict?1,2,3"


@unittest.skipUnless(BUSYBOX.exists(), "no busybox: run tests/bed/install")
class ImageRun(Service, Case):
    def served(self, rootfs, only=None):
        running = Running(self.work / rootfs, httpd, ASK, only)
        running.stop()
        print(f"\n{rootfs}: run by {running.by}")
        return running.first

    def test_image_run__answers_a_prediction_under_each_runtime_that_is_here(self):
        self.image("--zstd")
        self.mlreg("image", "unpack", "service:v1", "rootfs")
        for by, _ in ways(self.work / "rootfs", []):
            with self.subTest(by):
                self.assertEqual(self.served("rootfs", by), "prediction 23\n")

    @needs("debian", "distribution")
    def test_image_run__after_a_change_of_one_line_little_moves(self):
        for kind in "debian", "distribution":
            with self.subTest(kind):
                there = self.registry(kind)
                self.image()
                self.mlreg("push", "service:v1", there.ref("service:v1"))
                (self.work / "predict").write_text(PREDICT.replace('"prediction"', '"answer"'))
                began = time.monotonic()
                self.build()
                took = time.monotonic() - began
                moved = self.json("push", "service:v1", there.ref("service:v1"), "--move")["bytes_moved"]
                print(f"\n{kind}: one line changed: built again in {took:.2f} s, {moved} bytes pushed")
                self.assertLess(moved, 1 << 20)
                self.mlreg("image", "unpack", there.ref("service:v1"), f"from-{kind}")
                self.assertEqual(self.served(f"from-{kind}"), "answer 23\n")
                self.forget_parts()

    # ---- podman ----

    def podman(self, *args):
        """With the half of the control groups hidden that it stumbles over where both versions are mounted."""
        storage = ["--root", self.work / "storage", "--runroot", self.work / "runroot", "--storage-driver", "vfs"]
        line = 'umount -l /sys/fs/cgroup/unified 2>/dev/null; exec podman "$@"'
        done = subprocess.run(["unshare", "-m", "sh", "-c", line, "-", *map(str, storage), *map(str, args)], capture_output=True, text=True, timeout=120,
                              env={**self.env, "TMPDIR": str(self.work)}, cwd=self.work)
        self.assertEqual(done.returncode, 0, f"podman {args}: {done.stderr}")
        return done.stdout

    @as_root
    @unittest.skipUnless(shutil.which("podman") and shutil.which("skopeo"), "needs podman and skopeo: run tests/bed/install")
    def test_image_run__podman_mounts_it_whatever_it_is_packed_by(self):
        for pack in "plain", "zstd":
            with self.subTest(pack):
                self.image(*["--zstd"] * (pack == "zstd"))
                self.mlreg("copy", "service:v1", f"oci:layout:{pack}")
                self.skopeo("--insecure-policy", "copy", "--preserve-digests", f"oci:layout:{pack}", f"oci:again:{pack}")
                image = self.podman("pull", "--quiet", f"oci:again:{pack}").strip()
                mounted = self.podman("run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--mount",
                                      f"type=image,source={image},destination=/m", "--entrypoint", "/bin/sh", image, "-c",
                                      "cat /m/srv/cgi-bin/predict; QUERY_STRING=1,2,3 /m/srv/cgi-bin/predict")
                self.assertEqual(mounted, PREDICT + "Content-Type: text/plain\n\nprediction 23\n")
                self.forget_parts()
