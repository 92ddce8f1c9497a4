"""A large blob on its way into a store, a folder or a layout: one process brings it for all who want it, and what came outlives who brought it."""
import hashlib
import re
import struct
import subprocess
import time

from bed import evil
from bindings.python_bed import mlreg
from cli.oci import Artifact, rules
from cli.program import Case

MIB = 1 << 20
SLAB = 8 * MIB
SIZE = 48 * MIB
CHUNK, RECORD = 256 << 10, 128      # what is written at once; of the journal
HIDDEN = ".mlreg-partial"


class Resume(Case):
    def setUp(self):
        super().setUp()
        self.data = b"".join(evil.pattern(0, SIZE))
        self.artifact = Artifact([("x", self.data)])
        self.blob = "sha256:" + hashlib.sha256(self.data).hexdigest()
        self.parts = self.store / ".mlreg" / "partial"

    def serve(self, **changes):
        how = {"size": SIZE, "body_base64": "", **changes}
        return self.evil(rules("m", "v1", self.artifact, x=how))

    def asked(self, server):
        """The ranges of the blob that were asked for; (0, SIZE) for all of it."""
        ranges = []
        for request in server.requests():
            if request["method"] == "GET" and request["path"].endswith(self.blob):
                wanted = next((re.fullmatch(r"bytes=(\d+)-(\d+)", v) for k, v in request["headers"] if k.lower() == "range"), None)
                ranges.append((int(wanted[1]), int(wanted[2]) + 1) if wanted else (0, SIZE))
        return ranges

    def partial(self):
        return sorted(p.name[64:] for p in self.parts.iterdir()) if self.parts.exists() else []

    def noted(self, folder):
        """The bytes that the journal vouches for."""
        journal, there = folder / (self.blob[7:] + ".journal"), {}
        said = journal.read_bytes() if journal.exists() else b""
        for record in (said[at:at + RECORD] for at in range(0, len(said), RECORD)):
            if record[:1] == b"S":
                i, _, bytes_there = struct.unpack_from("<3Q", record, 8)
                there[i] = bytes_there
        return sum(there.values())

    def received(self, folder):
        """The bytes that lie there, whatever the journal says."""
        there = (folder / self.blob[7:]).read_bytes()
        return sum(len(there[at:at + CHUNK]) for at in range(0, SIZE, CHUNK) if there[at:at + CHUNK] == self.data[at:at + CHUNK])

    def wait_for_slabs(self, process, folder=None):
        """Until the journal tells of as much as two slabs."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self.assertIsNone(process.poll(), "it ended before it could be killed")
            if self.noted(folder or self.parts) >= 2 * SLAB:
                return
            time.sleep(0.01)
        self.fail("no slab came")

    def assertLittleLost(self, folder, connections):
        """Of one who was killed: a slab for each connection at most is to be fetched again."""
        self.assertLessEqual(self.received(folder) - self.noted(folder), connections * SLAB)

    def assertPulled(self, ref):
        self.mlreg("copy", "store:" + ref, "dir:out")
        self.assertEqual(hashlib.sha256((self.work / "out" / "x").read_bytes()).hexdigest(), self.blob[7:])
        self.assertSound()
        self.assertEqual(self.partial(), [])

    def test_resume__of_a_pull_that_was_killed(self):
        slow = self.serve(do="drip", piece=MIB, ms=40)
        ref = f"{slow.host}/m:v1"
        process = self.start("pull", ref)
        self.wait_for_slabs(process)
        process.kill()
        process.communicate(timeout=30)
        self.assertIn(".journal", self.partial())
        self.assertEqual(self.json("ls"), [])
        self.assertSound()
        n = len(self.asked(slow))
        self.assertLittleLost(self.parts, n)
        op = mlreg.Op()
        with mlreg.Session(f"http://{slow.host}") as there, mlreg.Session(self.store) as store:
            there.copy("m:v1", store, ref, op=op).close()
        self.assertNotIn((0, SIZE), self.asked(slow)[n:])
        self.assertGreaterEqual(op.stats.bytes_resumed, SLAB)
        self.assertLess(op.stats.bytes_network, SIZE)
        self.assertPulled(ref)

    def kill_amid(self, folder, *args):
        """What is in the making in `folder` was left by a process that was killed."""
        process = self.start(*args)
        self.wait_for_slabs(process, folder / HIDDEN)
        process.kill()
        process.communicate(timeout=30)

    def pull_killed(self, *args, to):
        """A pull that was killed is gone on with by the next process, and nothing but its work stays."""
        slow = self.serve(do="drip", piece=MIB, ms=40)
        args = [a.format(f"{slow.host}/m:v1") for a in args]
        self.kill_amid(self.work / to, *args)
        n = len(self.asked(slow))
        self.assertLittleLost(self.work / to / HIDDEN, n)
        stats = self.json(*args, "--stats")["stats"]
        self.assertNotIn((0, SIZE), self.asked(slow)[n:])
        self.assertGreaterEqual(stats["bytes_resumed"], SLAB)
        self.assertLess(stats["bytes_network"], SIZE)
        self.assertFalse((self.work / to / HIDDEN).exists())

    def test_resume__of_a_pull_into_a_folder_that_was_killed(self):
        self.pull_killed("pull", "{}", "-o", "out", to="out")
        self.assertEqual([p.name for p in (self.work / "out").iterdir()], ["x"])
        self.assertEqual((self.work / "out" / "x").read_bytes(), self.data)

    def test_resume__of_a_pull_into_a_layout_that_was_killed(self):
        self.pull_killed("copy", "{}", "oci:out:v1", to="out")
        self.assertEqual(sorted(p.name for p in (self.work / "out").iterdir()), ["blobs", "index.json", "oci-layout"])
        self.assertEqual((self.work / "out" / "blobs" / "sha256" / self.blob[7:]).read_bytes(), self.data)

    def test_folder__of_a_tag_that_moved_on_loses_what_was_in_the_making(self):
        slow = self.serve(do="drip", piece=MIB, ms=40)
        self.kill_amid(self.work / "out", "pull", f"{slow.host}/m:v1", "-o", "out")
        other = self.evil(rules("m", "v1", Artifact([("y", b"small")])))
        self.mlreg("pull", f"{other.host}/m:v1", "-o", "out")
        self.assertEqual([p.name for p in (self.work / "out").iterdir()], ["y"])

    def test_folder__with_a_link_where_parts_are_kept_is_filled_without_it(self):
        for folder in "out", "elsewhere":
            (self.work / folder).mkdir()
        (self.work / "out" / HIDDEN).symlink_to(self.work / "elsewhere")
        self.mlreg("pull", f"{self.serve().host}/m:v1", "-o", "out")
        self.assertEqual((self.work / "out" / "x").read_bytes(), self.data)
        self.assertEqual(list((self.work / "elsewhere").iterdir()), [])

    def test_folder__of_wrong_bytes_keeps_nothing(self):
        other = Artifact([("x", self.data[:-1] + b"!")])
        server = self.evil(rules("m", "v1", other, x={"size": SIZE, "body_base64": ""}))
        self.fails("pull", f"{server.host}/m:v1", "-o", "out", says="sha256")
        self.assertEqual(list((self.work / "out").iterdir()), [])

    def test_folder__that_two_processes_fill_is_downloaded_once(self):
        server = self.serve(do="drip", piece=MIB, ms=20)
        processes = [self.start("pull", f"{server.host}/m:v1", "-o", "out") for _ in range(2)]
        for process in processes:
            _, said = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, said)
        self.assertEqual(self.asked(server).count((0, SIZE)), 1)
        self.assertEqual([p.name for p in (self.work / "out").iterdir()], ["x"])
        self.assertEqual((self.work / "out" / "x").read_bytes(), self.data)

    def test_folder__no_artifact_may_have_a_file_where_parts_are_kept(self):
        for title in HIDDEN, HIDDEN + "/x", HIDDEN.upper() + "/x":
            server = self.evil(rules("m", "v1", Artifact([(title, b"x")])))
            self.fails("pull", f"{server.host}/m:v1", "-o", "out", says="broke off")

    def test_resume__of_many_kills_ends_at_last(self):
        slow = self.serve(do="drip", piece=MIB, ms=20)
        ref = f"{slow.host}/m:v1"
        for _ in range(4):
            process = self.start("pull", ref)
            try:
                process.wait(self.random.uniform(0.1, 0.8))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate(timeout=30)
        self.mlreg("pull", ref)
        self.assertPulled(ref)

    def test_shared__eight_processes_download_once(self):
        server = self.serve(do="drip", piece=MIB, ms=20)
        ref = f"{server.host}/m:v1"
        processes = [self.start("pull", ref) for _ in range(8)]
        for process in processes:
            _, said = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, said)
        self.assertEqual(self.asked(server).count((0, SIZE)), 1)
        self.assertPulled(ref)

    SMALL = 150

    def serve_small(self, **how):
        """So many layers of a few kilobytes, and how often each was asked for."""
        layers = [(f"part-{i:03}", hashlib.sha256(b"%d" % i).digest() * 128) for i in range(self.SMALL)]
        server = self.evil(rules("m", "v1", Artifact(layers), **{title: how for title, _ in layers}))
        names = ["sha256:" + hashlib.sha256(data).hexdigest() for _, data in layers]

        def asked():
            got = [r["path"].rpartition("/")[2] for r in server.requests() if r["method"] == "GET"]
            return [got.count(name) for name in names]
        return f"{server.host}/m:v1", asked

    def test_shared__eight_processes_download_each_small_layer_once(self):
        ref, asked = self.serve_small()
        processes = [self.start("pull", ref) for _ in range(8)]
        for process in processes:
            _, said = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, said)
        self.assertEqual(asked(), [1] * self.SMALL)
        self.assertSound()

    def test_shared__small_layers_of_one_who_was_killed_are_fetched_by_who_waits(self):
        ref, asked = self.serve_small(ms=300)
        first, second = self.start("pull", ref), self.start("pull", ref)
        deadline = time.monotonic() + 60
        while sum(asked()) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        first.kill()
        first.communicate(timeout=30)
        _, said = second.communicate(timeout=120)
        self.assertEqual(second.returncode, 0, said)
        self.assertTrue(all(asked()))
        self.assertSound()

    def test_shared__who_waits_takes_over_from_one_who_was_killed(self):
        server = self.serve(do="drip", piece=MIB, ms=40)
        ref = f"{server.host}/m:v1"
        first = self.start("pull", ref)
        self.wait_for_slabs(first)
        second = self.start("pull", ref)
        time.sleep(0.3)
        self.assertEqual(self.asked(server).count((0, SIZE)), 1)
        first.kill()
        first.communicate(timeout=30)
        _, said = second.communicate(timeout=120)
        self.assertEqual(second.returncode, 0, said)
        self.assertEqual(self.asked(server).count((0, SIZE)), 1)
        self.assertPulled(ref)

    def test_wrong_bytes__are_not_kept(self):
        other = Artifact([("x", self.data[:-1] + b"!")])
        server = self.evil(rules("m", "v1", other, x={"size": SIZE, "body_base64": ""}))
        self.fails("pull", f"{server.host}/m:v1", says="sha256")
        self.assertEqual(self.partial(), [])

    def test_ranges__that_a_server_does_not_know_are_done_without(self):
        server = self.serve(do="drip", piece=MIB, ms=20, ranges=False)
        ref = f"{server.host}/m:v1"
        self.mlreg("pull", ref)
        self.assertEqual(self.asked(server).count((0, SIZE)), 1)
        self.assertPulled(ref)
