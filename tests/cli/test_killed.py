"""Ends that nobody chose: kill -9 and Ctrl-C at any moment leave a sound store, and the next run goes on."""
import json
import shlex
import shutil
import signal
import subprocess
import time

from cli.oci import Artifact, digest, rules
from cli.program import FAILED, Case, needs

ROUNDS = 12
WEIGHTS = 12_000_000


class Killed(Case):
    def spans(self, *args):
        """How long the run takes that is going to be killed."""
        began = time.monotonic()
        self.mlreg(*args)
        return time.monotonic() - began

    def kill_at(self, seconds, *args):
        """Starts a run and kills it after so many seconds; gives whether that came in time."""
        process = self.start(*args)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate(timeout=30)
        return process.returncode == -signal.SIGKILL

    @needs("debian")
    def test_killed__in_mid_pull(self):
        there = self.registry("debian")
        folder, digest = self.built("m:v1", weights=WEIGHTS)
        ref = there.ref("m:v1")
        self.mlreg("push", "m:v1", ref)
        span, killed = self.spans("pull", ref, "--store", "measure"), 0
        for i in range(ROUNDS):
            store = self.work / f"s{i % 3}"          # some are killed over again
            killed += self.kill_at(self.random.uniform(0, span), "pull", ref, "--store", store)
            if store.exists():
                self.check(store)
        self.assertGreater(killed, 0)
        for i in range(3):
            self.assertEqual(self.json("pull", ref, "--store", self.work / f"s{i}")["digest"], digest)
            self.assertSound(self.work / f"s{i}")
            self.mlreg("copy", "store:" + ref, f"dir:out{i}", "--store", self.work / f"s{i}")
            self.assertSameFiles(folder, self.work / f"out{i}")
            self.assertNoLeftovers(self.work / f"s{i}")

    def check(self, store):
        """It opens, holds all or nothing under the tag, and nothing in it is broken."""
        done = self.mlreg("fsck", "--store", store, "--json", status=None)
        if done.returncode != 0 and not done.stdout:
            self.assertRegex(done.stderr, "is not there|there is no store", "killed before there was a store")
            return
        self.assertTrue(json.loads(done.stdout)["sound"], done.stdout)
        self.assertLessEqual(len(self.json("ls", "--store", store)), 1)

    def assertNoLeftovers(self, store):
        """What a killed run left in partial goes when the store is collected; nothing lies among the blobs."""
        self.mlreg("gc", "--grace", "0", "--store", store)
        partial = store / ".mlreg" / "partial"
        self.assertEqual([p for p in partial.rglob("*") if p.is_file()] if partial.exists() else [], [])
        for path in self.files(store / ".mlreg" / "blobs"):
            self.assertRegex(path.name, "^[0-9a-f]{64}$")

    @needs("debian")
    def test_killed__in_mid_push(self):
        there = self.registry("debian")
        folder, digest = self.built("m:v1", weights=WEIGHTS)
        span, killed = self.spans("push", "m:v1", there.ref("measure:v1")), 0
        for i in range(ROUNDS):
            ref = there.ref(f"m{i % 3}:v1")
            killed += self.kill_at(self.random.uniform(0, span), "push", "m:v1", ref)
            self.assertSound()
        self.assertGreater(killed, 0)
        for i in range(3):
            self.assertEqual(self.json("push", "m:v1", there.ref(f"m{i}:v1"))["digest"], digest)
            self.mlreg("pull", there.ref(f"m{i}:v1"), "-o", f"out{i}")
            self.assertSameFiles(folder, self.work / f"out{i}")

    def test_killed__in_mid_build(self):
        folder = self.model(weights=WEIGHTS)
        span, killed = self.spans("build", folder, "-t", "measure:v1", "--store", "measure"), 0
        for _ in range(ROUNDS):
            killed += self.kill_at(self.random.uniform(0, span), "build", folder, "-t", "m:v1")
            if self.store.exists():
                self.check(self.store)
        self.assertGreater(killed, 0)
        self.mlreg("build", folder, "-t", "m:v1")
        self.assertSound()
        self.assertNoLeftovers(self.store)

    def test_killed__in_mid_checkout(self):
        """A file appears whole or not at all."""
        folder, _ = self.built("m:v1", weights=WEIGHTS)
        whole = self.snapshot(folder)
        span = self.spans("copy", "m:v1", "dir:measure")
        for _ in range(ROUNDS):
            self.kill_at(self.random.uniform(0, span), "copy", "m:v1", "dir:out")
            for name, data in self.snapshot(self.work / "out").items() if (self.work / "out").exists() else ():
                if name in whole:
                    self.assertEqual(data, whole[name], name)
        self.mlreg("copy", "m:v1", "dir:out")
        self.assertEqual({k: v for k, v in self.snapshot(self.work / "out").items() if k in whole}, whole)

    def slow(self, size=5_000_000, **changes):
        """A registry whose one big blob comes at a snail's pace."""
        artifact = Artifact([("x", bytes(size))])
        self.server = self.evil(rules("slow", "v1", artifact, x={"do": "drip", "piece": 20_000, "ms": 100, **changes}))
        self.big = f"/v2/slow/blobs/{digest(bytes(size))}"
        return f"{self.server.host}/slow:v1"

    def at_it(self, process):
        """Waits until the server was asked for what comes slowly, or was given it."""
        deadline = time.monotonic() + 30
        while not any(r["path"].startswith(self.big) for r in self.server.requests()):
            self.assertIsNone(process.poll(), "it ended before it was interrupted")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def interrupt(self, number, *args):
        process = self.start(*args)
        self.at_it(process)
        began = time.monotonic()
        process.send_signal(number)
        out, said = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual((process.returncode, out), (FAILED, ""), said)
        self.assertRegex(said, "(?m)^mlreg: error: .*cancelled")
        self.assertIn("hint: run it again", said)

    def test_killed__in_mid_unpack(self):
        """The folder is whole or not there; what a killed run left beside it goes with the next one."""
        folder, _ = self.built("m:v1", weights=WEIGHTS)
        self.mlreg("image", "build", "--model", folder, "-t", "image:v1")
        span, left, i = self.spans("image", "unpack", "image:v1", "measure"), [], 0
        (self.work / "by").mkdir()
        while not left and i < 20 * ROUNDS:
            i += 1
            self.kill_at(self.random.uniform(0, span), "image", "unpack", "image:v1", f"by/out{i}")
            left = list((self.work / "by").glob(".mlreg-unpack-*"))
            if (self.work / f"by/out{i}").exists():
                self.assertSameFiles(folder, self.work / f"by/out{i}" / "models")
                shutil.rmtree(self.work / f"by/out{i}")
        self.assertEqual(len(left), 1)
        self.mlreg("image", "unpack", "image:v1", "by/last")
        self.assertEqual([p.name for p in (self.work / "by").iterdir() if not p.name.startswith(".mlreg-fresh-")], ["last"])

    def test_interrupted__a_pull_ends_within_two_seconds(self):
        for number in signal.SIGINT, signal.SIGTERM:
            for how in {}, {"do": "stall"}, {"do": "stall_body", "sent": 1000}:
                self.interrupt(number, "pull", self.slow(**how))
                self.assertSound()
                self.assertEqual(self.json("ls"), [])

    def test_interrupted__a_pull_into_a_folder_leaves_no_half_file(self):
        self.interrupt(signal.SIGINT, "pull", self.slow(), "-o", "out")
        self.assertFalse((self.work / "out").exists() and self.files(self.work / "out"))

    def test_interrupted__a_push_ends_within_two_seconds(self):
        self.server, self.big = self.evil([{"path": "/v2/", "status": 200}, {"method": "HEAD", "status": 404}, {"method": "POST", "status": 202, "headers": {"Location": "/up"}},
                            {"method": "PUT|PATCH", "do": "stall_unread"}]), "/up"
        self.built("m:v1", weights=WEIGHTS)
        self.interrupt(signal.SIGINT, "push", "m:v1", f"{self.server.host}/slow:v1")
        self.assertSound()

    def test_interrupted__twice_ends_at_once(self):
        process = self.start("pull", self.slow())
        self.at_it(process)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        process.communicate(timeout=5)
        self.assertIn(process.returncode, (FAILED, -signal.SIGINT))

    def test_progress__is_told_now_and_then(self):
        """Elsewhere than on a terminal: whole lines, sparse; with rate and time left."""
        process = self.start("pull", self.slow(size=1_400_000))
        _, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1 if "error" in said else 0, said)
        lines = [line for line in said.splitlines() if line.startswith("pull: ")]
        self.assertTrue(1 <= len(lines) <= 3, said)
        self.assertRegex(lines[0], r"^pull: [\d.]+ k?B of 1\.4 MB, \d of \d files, \d+ kB/s, \d+ s left$")

    def test_progress__lives_on_a_terminal(self):
        """One line that changes, never wraps, and is gone at the end."""
        status, said = self.converse(shlex.join(self.command("pull", self.slow(size=600_000))) + " >/dev/null")
        self.assertEqual(status, 0, said)
        shown = said.split("\r\033[K")
        self.assertGreater(len(shown), 5)
        self.assertEqual(shown[-1], "")
        self.assertRegex(shown[len(shown) // 2], r"^pull: \d+ k?B of 600 kB, \d of \d files, \d+ kB/s, \d+ s left$")
        self.assertLess(max(map(len, shown)), 80)

    def test_progress__gives_way_to_other_lines(self):
        """What is logged meanwhile stands on a line of its own, and the live line is drawn again below it."""
        where = self.slow(size=60_000, do="answer", delay_ms=1500)
        status, said = self.converse(shlex.join(self.command("pull", where, "-v")) + " >/dev/null")
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"\r\033\[Kpull: .*")
        self.assertRegex(said, rf"\r\033\[Kmlreg: GET \S*{self.big}: 200\r\n")
        self.assertNotRegex(said, r"[^\nK]mlreg: ")
