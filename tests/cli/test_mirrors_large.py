"""A blob that is worth several connections, through a mirror: what came from one is kept where the next goes on, unless it was wrong."""
import hashlib
import json
import time

from bed import evil
from cli.oci import Artifact, rules
from cli.program import Case

MIB = 1 << 20
SIZE = 24 * MIB
CUT = 4 * MIB     # less than any one range that is asked for


class Large(Case):
    def setUp(self):
        super().setUp()
        self.artifact = Artifact([("x", b"".join(evil.pattern(0, SIZE)))])
        self.blob = next(d for d, data in self.artifact.blobs.items() if len(data) == SIZE)
        self.origin = self.serve()

    def serve(self, **changes):
        return self.evil(rules("m", "v1", self.artifact, x={"size": SIZE, "body_base64": "", **changes}))

    def mirrored(self, *mirrors):
        conf = self.home / "registries.conf"
        conf.write_text(f'[[registry]]\nlocation = "{self.origin.host}"\n' +
                        "".join(f'[[registry.mirror]]\nlocation = "{m.host}"\n' for m in mirrors))
        self.env["CONTAINERS_REGISTRIES_CONF"] = str(conf)
        self.ref = f"{self.origin.host}/m:v1"

    def asked(self, server):
        """The Range headers of what was asked for the blob; None for all of it."""
        return [next((v for k, v in r["headers"] if k.lower() == "range"), None)
                for r in server.requests() if r["method"] == "GET" and r["path"].endswith(self.blob)]

    def pulls(self):
        """Gives the counts."""
        s = json.loads(self.mlreg("pull", self.ref, "--json", "--stats").stdout)["stats"]
        self.mlreg("copy", "store:" + self.ref, "dir:out")
        self.assertEqual(hashlib.sha256((self.work / "out" / "x").read_bytes()).hexdigest(), self.blob[7:])
        self.assertEqual(list((self.store / ".mlreg" / "partial").iterdir()), [])
        self.assertSound()
        return s

    def test_large__comes_from_the_mirror_alone(self):
        mirror = self.serve(do="drip", piece=MIB, ms=20)
        self.mirrored(mirror)
        self.pulls()
        self.assertEqual(self.asked(self.origin), [])
        self.assertEqual(self.asked(mirror)[0], None)

    def test_large__goes_on_elsewhere_where_the_mirror_breaks_off(self):
        mirror = self.serve(do="cut", sent=CUT)
        self.mirrored(mirror)
        self.pulls()
        self.assertTrue(self.asked(self.origin))
        self.assertNotIn(None, self.asked(self.origin))

    def test_large__wrong_bytes_leave_nothing_behind_for_the_next(self):
        mirror = self.serve(skew=1)
        self.mirrored(mirror)
        s = self.pulls()
        self.assertEqual((s["bytes_moved"], s["bytes_resumed"]), (SIZE + len(b"{}"), 0))

    def test_large__what_was_kept_and_is_wrong_is_not_the_registrys_fault(self):
        """A pull from a mirror with wrong bytes is killed; the next asks the registry itself, which has right ones only."""
        bad = self.serve(do="drip", piece=MIB, ms=40, skew=1)
        self.mirrored(bad)
        process = self.start("pull", self.ref)
        journal = self.store / ".mlreg" / "partial" / (self.blob[7:] + ".journal")
        while not journal.exists() or journal.stat().st_size <= 4 * 128:
            self.assertIsNone(process.poll(), "it ended before it could be killed")
            time.sleep(0.01)
        process.kill()
        process.communicate(timeout=30)
        self.mirrored()
        s = self.pulls()
        self.assertIn(None, self.asked(self.origin))
        self.assertIn(s["bytes_moved"], (SIZE, SIZE + len(b"{}")))          # the config may have come before
        self.assertEqual(s["bytes_resumed"], 0)
