"""--stats: what a move took, held against what the server saw."""
import json

from bed.evil import pattern
from cli.oci import Artifact, digest, rules
from cli.program import USAGE, Case, needs


class Stats(Case):
    def setUp(self):
        super().setUp()
        self.data = self.random.randbytes(300_000)
        self.artifact = Artifact([("x", self.data), ("y", b"small")])
        self.content = sum(map(len, self.artifact.blobs.values()))

    def serve(self):
        server = self.evil(rules("r", "v1", self.artifact))
        self.ref = f"{server.host}/r:v1"
        return server

    def stats(self, *args):
        return self.json(*args, "--stats")["stats"]

    def test_stats__of_a_pull_are_what_the_server_sent(self):
        server = self.serve()
        s = self.stats("pull", self.ref)
        self.assertEqual(s["requests"], len(server.requests()))
        self.assertEqual(s["bytes_network"], self.content + len(self.artifact.data))
        self.assertEqual((s["bytes_moved"], s["bytes_reused"], s["bytes_resumed"], s["retries"]), (self.content, 0, 0, 0))
        self.assertEqual(s["files"], 3)

    def test_stats__of_a_second_pull_tell_what_was_there(self):
        self.serve()
        self.mlreg("pull", self.ref)
        s = self.stats("pull", self.ref)
        self.assertEqual((s["bytes_moved"], s["bytes_reused"], s["bytes_network"]), (0, self.content, len(self.artifact.data)))

    def test_stats__of_a_pull_that_broke_off_tell_what_was_kept(self):
        """What was received before the break is either kept or received again: the counts agree with the server's to the byte."""
        size, sent = 4_000_000, 3_000_000
        data = b"".join(pattern(0, size))
        script = rules("r", "v1", Artifact([("x", data)]), x={"size": size})
        blob = next(r for r in script if r["path"].endswith(digest(data)))
        server = self.evil([{**blob, "do": "cut", "sent": sent, "times": 1}, *script])
        s = self.stats("pull", f"{server.host}/r:v1")
        self.assertEqual((s["requests"], s["retries"]), (len(server.requests()), 1))
        self.assertEqual(s["bytes_moved"], size + len(b"{}"))
        self.assertGreater(s["bytes_resumed"], 0)
        self.assertEqual(s["bytes_network"], size + len(b"{}") + len(Artifact([("x", data)]).data) + sent - s["bytes_resumed"])

    def test_stats__are_for_people_on_stderr(self):
        server = self.serve()
        done = self.mlreg("pull", self.ref, "-o", "out", "--stats")
        self.assertNotIn("stats", done.stdout)
        self.assertRegex(done.stderr, rf"stats: {len(server.requests())} requests, 0 of them again; 2 files\n  content: .* moved, 0 B there already")
        self.assertNotIn("stats", self.mlreg("pull", self.ref, "-o", "out").stderr)

    def test_stats__within_this_machine_ask_nobody(self):
        self.built("a:v1")
        s = self.stats("copy", "a:v1", "oci:layout:v1")
        self.assertEqual((s["requests"], s["bytes_network"]), (0, 0))
        self.fails("ls", "--stats", says="no option --stats", status=USAGE)

    @needs("distribution")
    def test_stats__of_a_push_count_what_was_sent(self):
        there, folder = self.registry("distribution"), self.model()
        done = json.loads(self.mlreg("push", folder, there.ref("m:v1"), "--json", "--stats").stdout)
        self.assertEqual(done["stats"]["bytes_moved"], done["bytes"])
        self.assertGreater(done["stats"]["bytes_network"], done["bytes"])
        again = self.stats("push", folder, there.ref("m:v1"))
        self.assertEqual(again["bytes_moved"] + again["bytes_reused"], done["bytes"])
