"""Bad things on this machine's disk: folders, layouts and stores that are not what they should be, rights that lack, space that ends."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tarfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from bed.house import PROGRAM
from cli.oci import Artifact, digest, layer, write_layout
from cli.program import FAILED, USAGE, Case, as_root


class Folders(Case):
    """What is built."""

    def refused(self, folder, says, hint=r".", **more):
        self.fails("build", folder, "-t", "m:v1", says=says, hint=hint, **more)
        self.assertFalse(self.store.exists() and self.json("ls"))

    def test_folder__an_empty_one(self):
        (self.work / "empty").mkdir()
        self.refused("empty", says="empty")
        (self.work / "empty" / ".hidden").write_text("x")
        self.refused("empty", says="empty")

    def test_folder__a_missing_one_and_a_file(self):
        self.refused("missing", says="there is no folder missing")
        self.refused("sentinel", says="sentinel")

    def test_folder__fifos_devices_and_sockets_are_not_opened(self):
        folder = self.model()
        os.mkfifo(folder / "pipe")
        began = time.monotonic()
        self.refused(folder, says="pipe")
        self.assertLess(time.monotonic() - began, 10)
        (folder / "pipe").unlink()
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(folder / "sock"))
            self.refused(folder, says="sock")

    @as_root
    def test_folder__a_device(self):
        folder = self.model()
        try:
            os.mknod(folder / "zero", 0o600 | 0o020000, os.makedev(1, 5))
        except PermissionError:
            self.skipTest("no right to make devices here")
        self.refused(folder, says="zero")

    def test_folder__links(self):
        """To files they count as the files; to folders they are refused, for they may lead round."""
        folder = self.model()
        (folder / "link.txt").symlink_to("README.md")
        self.mlreg("build", folder, "-t", "l:v1")
        self.assertEqual(self.mlreg("cat", "l:v1", "link.txt").stdout, (folder / "README.md").read_text())
        self.mlreg("rm", "l:v1")
        (folder / "loop").symlink_to(".")
        self.refused(folder, says="loop")
        (folder / "loop").unlink()
        (folder / "dangling").symlink_to("nowhere")
        self.refused(folder, says="dangling")

    def test_folder__names_that_could_not_be_checked_out(self):
        for name in "a\\b", "CON", "end.", "new\nline", b"\xff\xfe":
            folder = self.model("f")
            path = os.path.join(os.fsencode(folder), name if isinstance(name, bytes) else name.encode())
            with open(path, "w") as f:
                f.write("x")
            self.refused(folder, says="path|name")
            os.unlink(path)

    def test_folder__names_that_clash_by_case(self):
        self.refused(self.model(**{"readme.MD": b"other"}), says="(?i)readme.md")

    def test_folder__broken_tensors_are_seen_before_they_are_shared(self):
        self.refused(self.model(**{"model.safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"}), says="model.safetensors")

    @as_root
    def test_folder__an_unreadable_file(self):
        folder = self.model()
        (folder / "README.md").chmod(0)
        (self.work / "s").mkdir(mode=0o777)
        os.chmod(self.work / "s", 0o777)
        self.refused(folder, says="README.md", env={"MLREG_STORE": str(self.work / "s" / "store")}, **self.as_nobody())

    @as_root
    def test_folder__an_unreadable_folder_inside(self):
        folder = self.model()
        (folder / "tokenizer").chmod(0)
        (self.work / "s").mkdir()
        os.chmod(self.work / "s", 0o777)
        self.refused(folder, says="tokenizer", env={"MLREG_STORE": str(self.work / "s" / "store")}, **self.as_nobody())
        (folder / "tokenizer").chmod(0o755)

    def test_folder__a_file_that_changes_while_it_is_read(self):
        """It grows, shrinks and is rewritten all the while: an error, or one of the states in between, but whole."""
        folder = self.model(weights=4_000_000, **{"log.txt": b"x" * 1000})
        stop = threading.Event()

        def change():
            while not stop.is_set():
                with open(folder / "log.txt", "ab") as f:
                    f.write(b"y" * 10_000)
                os.truncate(folder / "log.txt", 10)
        thread = threading.Thread(target=change)
        thread.start()
        try:
            done = self.mlreg("build", folder, "-t", "m:v1", status=None)
        finally:
            stop.set()
            thread.join()
        if done.returncode == FAILED:
            self.assertIn("log.txt", done.stderr)
            self.assertIn("hint", done.stderr)
        self.assertSound() if self.store.exists() else None

    def test_folder__hundreds_of_files(self):
        folder = self.model(**{f"part-{i:03}.txt": b"%d" % i for i in range(300)})
        self.mlreg("build", folder, "-t", "m:v1")
        self.mlreg("copy", "m:v1", "dir:out")
        self.assertSameFiles(folder, self.work / "out")


class Layouts(Case):
    """Layouts that other tools, or nobody sane, wrote."""

    def layout(self, artifact=None):
        return write_layout(self.work / "layout", v1=artifact or Artifact([("a.bin", b"weights"), ("b.txt", b"text")]))

    def test_layout__links_fifos_and_devices_in_place_of_blobs(self):
        artifact = Artifact([("a.bin", b"weights")])
        folder = self.layout(artifact)
        blob = folder / "blobs" / "sha256" / digest(b"weights")[7:]
        (self.work / "elsewhere").write_bytes(b"weights")
        for make in (lambda: blob.symlink_to(self.work / "elsewhere"), lambda: os.mkfifo(blob), lambda: blob.mkdir()):
            blob.unlink() if not blob.is_dir() or blob.is_symlink() else blob.rmdir()
            make()
            began = time.monotonic()
            for to in "m:v1", "dir:out":
                self.fails("copy", "oci:layout:v1", to, says="blob|sha256|link|regular")
            self.assertLess(time.monotonic() - began, 20)
        self.assertFalse((self.work / "out" / "a.bin").exists())

    def test_layout__links_in_place_of_its_own_files(self):
        for name in "index.json", "oci-layout":
            folder = self.layout()
            os.rename(folder / name, self.work / name)
            os.mkfifo(folder / name)
            self.fails("inspect", "oci:layout:v1", says=f"{name}|layout")
            shutil.rmtree(folder)
            (self.work / name).unlink()

    def test_layout__content_that_is_not_what_it_is_called(self):
        folder = self.layout()
        (folder / "blobs" / "sha256" / digest(b"weights")[7:]).write_bytes(b"weighty")
        for to in "m:v1", "dir:out":
            self.fails("copy", "oci:layout:v1", to, says="is sha256:[0-9a-f]{64}, not")
        self.assertFalse((self.work / "out" / "a.bin").exists())

    def test_layout__a_blob_that_is_missing(self):
        folder = self.layout()
        (folder / "blobs" / "sha256" / digest(b"weights")[7:]).unlink()
        self.fails("copy", "oci:layout:v1", "m:v1", says="not there|missing")

    def test_layout__documents_that_are_none(self):
        """Each is looked at for two seconds, for somebody may be writing it: so all of them at once."""
        def refused(case):
            i, (name, text) = case
            path = write_layout(self.work / f"layout{i}", v1=Artifact([("a.bin", b"weights")])) / name
            path.write_text(text)
            self.fails("inspect", f"oci:layout{i}:v1", says=f"{name}|layout", hint=None)
            self.assertEqual(path.read_text(), text)
        with ThreadPoolExecutor() as pool:
            list(pool.map(refused, enumerate((
                ("index.json", ""), ("index.json", "<html>"), ("index.json", '{"manifests": 5}'), ("index.json", '{"manifests": [], "Manifests": []}'),
                ("oci-layout", ""), ("oci-layout", '{"imageLayoutVersion": "9.0.0"}')))))

    def test_layout__that_is_not_there_is_made_by_copy_alone(self):
        self.fails("inspect", "oci:nowhere:v1", says="nowhere", hint="copy")
        self.fails("copy", "oci:nowhere:v1", "m:v1", says="nowhere", hint="copy")
        self.assertFalse((self.work / "nowhere").exists())

    def test_layout__archives_of_other_tools_are_unpacked_safely(self):
        import io
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for name, data in (("good/file.txt", b"fine"),):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        good = stream.getvalue()
        entry = layer(good, "good", media_type="application/vnd.cncf.model.weight.v1.tar")
        artifact = Artifact([], layers=[entry])
        artifact.blobs[digest(good)] = good
        write_layout(self.work / "good", v1=artifact)
        self.mlreg("copy", "oci:good:v1", "dir:out")
        self.assertEqual((self.work / "out" / "good" / "file.txt").read_text(), "fine")

        for what, make in (("../escape", tarfile.TarInfo("../escape")), ("absolute", tarfile.TarInfo("/tmp/escape-mlreg")), ("link", tarfile.TarInfo("l"))):
            stream = io.BytesIO()
            with tarfile.open(fileobj=stream, mode="w") as tar:
                if what == "link":
                    make.type, make.linkname = tarfile.SYMTYPE, str(self.work)
                    tar.addfile(make)
                    inside = tarfile.TarInfo("l/planted")
                    inside.size = 1
                    tar.addfile(inside, io.BytesIO(b"x"))
                else:
                    make.size = 1
                    tar.addfile(make, io.BytesIO(b"x"))
            bad = stream.getvalue()
            artifact = Artifact([], layers=[layer(bad, media_type="application/vnd.cncf.model.weight.v1.tar")])
            artifact.blobs[digest(bad)] = bad
            shutil.rmtree(self.work / "bad", ignore_errors=True)
            write_layout(self.work / "bad", v1=artifact)
            self.fails("copy", "oci:bad:v1", "dir:unpacked", says="escape|l |\"l\"|link|path")
            self.assertFalse((self.work / "escape").exists() or (self.work / "planted").exists() or os.path.exists("/tmp/escape-mlreg"))


class Stores(Case):
    def test_store__missing(self):
        for words in (["ls"], ["gc"], ["fsck"], ["inspect", "m:v1"], ["rm", "m:v1"], ["tags", "m"]):
            self.fails(*words, "--store", "nowhere", says="open the store.*nowhere", hint="build.*pull")
        self.assertFalse((self.work / "nowhere").exists())

    def test_store__of_a_newer_format(self):
        self.built("m:v1")
        (self.store / ".mlreg" / "format").write_text("99\n")
        before = self.snapshot(self.store)
        for words in (["ls"], ["build", self.work / "m-v1", "-t", "m:v2"], ["gc"], ["fsck", "--repair"], ["inspect", "m:v1"]):
            self.fails(*words, says="format|newer|99")
        self.assertEqual(self.snapshot(self.store), before)

    def test_store__that_is_something_else(self):
        (self.work / "notes").mkdir()
        (self.work / "notes" / "todo.txt").write_text("x")
        self.fails("ls", "--store", "notes", says="notes")
        self.fails("ls", "--store", "sentinel", says="sentinel")
        self.fails("build", self.model(), "-t", "m:v1", "--store", "sentinel/x", says="sentinel")
        self.fails("build", self.model(), "-t", "m:v1", "--store", "notes", says="notes")
        self.assertEqual(self.snapshot(self.work / "notes"), {"todo.txt": b"x"})

    def test_store__without_a_home(self):
        self.fails("ls", env={"HOME": None}, says="no place for a store", hint="MLREG_STORE", status=USAGE)
        self.fails("ls", env={"HOME": "relative"}, says="no place for a store", hint="MLREG_STORE", status=USAGE)
        self.mlreg("build", self.model(), "-t", "m:v1", "--store", "s", env={"HOME": None})

    def test_store__a_hostile_home(self):
        """Odd, but a path: blanks, quotes, newlines and format letters mean nothing."""
        home = self.work / "a b'\"%s%n$(touch x)`;\n-rf"
        home.mkdir()
        self.mlreg("build", self.model(), "-t", "m:v1", env={"HOME": str(home)})
        self.assertTrue((home / ".local" / "share" / "mlreg" / "store" / "m").is_dir())
        self.assertFalse((self.work / "x").exists())
        self.fails("ls", env={"HOME": "/" + "x" * 5000}, says="open the store")

    def test_store__a_home_that_is_a_file(self):
        self.fails("build", self.model(), "-t", "m:v1", env={"HOME": str(self.work / "sentinel")}, says="sentinel")

    @as_root
    def test_store__read_only_for_who_may_only_read(self):
        """The store's private part is its owner's; its layouts are for everyone to read, and for nobody else to change."""
        folder, digest = self.built("m:v1")
        before = self.snapshot(self.store)
        layout = f"oci:{self.store}/m"
        self.assertEqual(self.json("inspect", f"{layout}:v1", **self.as_nobody())["digest"], digest)
        self.assertEqual(self.json("tags", layout, **self.as_nobody()), ["v1"])
        self.assertEqual(self.mlreg("cat", f"{layout}:v1", "README.md", **self.as_nobody()).stdout, (folder / "README.md").read_text())
        for words in (["rm", f"{layout}:v1"], ["tag", f"{layout}:v1", f"{layout}:v2"], ["ls"], ["rm", "m:v1"], ["gc"]):
            self.fails(*words, says="ermission|allowed|writ", **self.as_nobody())
        self.assertEqual(self.snapshot(self.store), before)

    @as_root
    def test_store__a_full_disk(self):
        """The error names the disk; afterwards the store is sound, has what it had, and takes what fits."""
        small = self.work / "small"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], capture_output=True).returncode != 0:
            self.skipTest("tmpfs cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        self.mlreg("build", self.model("fits", weights=1_000_000), "-t", "fits:v1", "--store", small / "store")
        listed = self.json("ls", "--store", small / "store")
        big = self.model("big", weights=8_000_000)
        self.fails("build", big, "-t", "big:v1", "--store", small / "store", says="No space left", hint="free some space")
        self.mlreg("build", big, "-t", "big:v1")
        self.fails("copy", "big:v1", f"dir:{small}/out", says="No space left", hint="free some space")
        self.fails("copy", "big:v1", f"oci:{small}/layout:v1", says="No space left", hint="free some space")
        self.assertEqual(self.json("ls", "--store", small / "store"), listed)
        self.assertSound(small / "store")
        self.assertFalse([p for p in self.files(small) if p.stat().st_size >= 3_000_000])
        shutil.rmtree(small / "layout", ignore_errors=True)
        shutil.rmtree(small / "out", ignore_errors=True)
        self.mlreg("build", self.model("fits", weights=1_000_004), "-t", "fits:v2", "--store", small / "store")
