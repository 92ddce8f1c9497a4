"""Images, unpacked: by us as by umoci, whatever they are packed by; and images of others."""
import os
import pathlib
import shutil
import stat
import subprocess
import unittest

from cli.program import Case, needs
from cli.service import BUSYBOX, Service, safetensors


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


@unittest.skipUnless(BUSYBOX.exists(), "no busybox: run tests/bed/install")
class ImageUnpack(Service, Case):
    def test_image_unpack__only_what_lies_at_a_path(self):
        self.image()
        self.mlreg("image", "unpack", "service:v1", "models", "--path", "/models")
        self.assertEqual(self.snapshot(self.work / "models"), {"model.safetensors": safetensors(2, 3, 5)})

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
                self.forget_parts()
                for name in "layout", "bundle", "ours":
                    shutil.rmtree(self.work / name)

    @needs("distribution")
    @unittest.skipUnless(shutil.which("skopeo"), "no skopeo: run tests/bed/install")
    def test_image_unpack__of_docker_s_schema_and_of_zstd(self):
        """The same tree, packed by us as zstd, and with docker's media types, as `docker push` writes them."""
        there = self.registry("distribution")
        self.image("--zstd")
        self.mlreg("image", "unpack", "service:v1", "from-zstd")
        self.forget_parts()
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
        self.assertEqual((self.work / "out" / "models" / "model.safetensors").read_bytes(), safetensors(2, 3, 5))

    def test_image_unpack__never_into_a_folder_with_files(self):
        self.image()
        self.fails("image", "unpack", "service:v1", ".", says="no name that a new folder can have", hint="name the folder itself")
        self.fails("image", "unpack", "service:v1", "weights", says="not empty", hint="not there yet, or is empty")
        self.fails("image", "unpack", "service:v1", "no/such/rootfs", says="no", hint="mkdir -p")
        self.fails("image", "unpack", "service:v1", "rootfs", "--path", "/nothing", says="nothing at /nothing")
        self.assertFalse((self.work / "rootfs").exists())
