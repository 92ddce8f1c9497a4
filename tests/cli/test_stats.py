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
        self.built("other:v1")               # before there is a store the manifest is asked for twice
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
        self.built("other:v1")
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

    def test_stats__tell_of_each_layer(self):
        self.serve()
        s = self.stats("pull", self.ref)
        self.assertEqual(sorted((l["name"], l["bytes"]) for l in s["layers"]),
                         sorted([("x", len(self.data)), ("y", 5), (digest(b"{}"), 2)]))
        self.assertTrue(all(l["began_ms"] + l["elapsed_ms"] <= s["elapsed_ms"] for l in s["layers"]))

    def test_stats__tell_waiting_from_receiving(self):
        for how, slow, quick in ({"delay_ms": 400}, "wait_ms", "network_ms"), ({"do": "drip", "piece": 100_000, "ms": 200}, "network_ms", "wait_ms"):
            with self.subTest(slow):
                server = self.evil(rules("r", "v1", self.artifact, x={"keep": False, **how}))
                s = self.stats("pull", f"{server.host}/r:v1", "--store", self.work / slow)
                self.assertGreaterEqual(s[slow], 400 * 9 // 10)
                self.assertGreater(s[slow], s[quick])
                layer = next(l for l in s["layers"] if l["name"] == "x")
                self.assertGreaterEqual(layer["elapsed_ms"], 400 * 9 // 10)

    def test_stats__tell_what_was_hashed_written_and_synced(self):
        big = b"".join(pattern(0, 48 << 20))
        server = self.evil(rules("r", "v1", Artifact([("x", big)]), x={"size": len(big), "body_base64": ""}))
        s = self.stats("pull", f"{server.host}/r:v1")
        for what in "hash_ms", "write_ms", "sync_ms":
            self.assertGreater(s[what], 0, what)

    def test_stats__a_name_cannot_steer_the_terminal(self):
        server = self.evil(rules("r", "v1", Artifact([("a\x1b[2Jb", b"x")])))
        self.assertNotIn("\x1b", self.mlreg("pull", f"{server.host}/r:v1", "--stats").stderr)

    def test_stats__are_for_people_on_stderr(self):
        server = self.serve()
        done = self.mlreg("pull", self.ref, "-o", "out", "--stats")
        self.assertNotIn("stats", done.stdout)
        self.assertRegex(done.stderr, rf"stats: {len(server.requests())} requests, 0 of them again; 2 files\n  content: .* moved, 0 B there already")
        self.assertRegex(done.stderr, r"\n  spent, all threads together: [\d.]+ s waiting for answers, .* syncing\n")
        self.assertRegex(done.stderr, r"\n  x: 300 kB in [\d.]+ s, from [\d.]+ s on\n")
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
