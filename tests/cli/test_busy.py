"""A registry that says "429 too many requests" to all but one connection, with and without the time to wait: a large blob comes all the same."""
import hashlib

from bed import evil
from cli.oci import Artifact, rules
from cli.program import Case

MIB = 1 << 20
SIZE = 32 * MIB


class Busy(Case):
    def pulls(self, *ranges):
        """From a slow server, whose answers to ranges of the blob begin with these."""
        artifact = Artifact([("x", b"".join(evil.pattern(0, SIZE)))])
        script = rules("m", "v1", artifact, x={"size": SIZE, "body_base64": "", "do": "drip", "piece": MIB, "ms": 25})
        blob = next(d for d, data in artifact.blobs.items() if len(data) == SIZE)
        rule = next(r for r in script if r["path"].endswith(blob))
        busy = [{"path": rule["path"], "header": {"Range": ".*"}, "status": 429, **more} for more in ranges]
        server = self.evil([*busy, *script])
        self.mlreg("pull", f"{server.host}/m:v1")
        self.mlreg("copy", f"store:{server.host}/m:v1", "dir:out")
        self.assertEqual(hashlib.sha256((self.work / "out" / "x").read_bytes()).hexdigest(), blob[7:])
        self.assertSound()
        asked = [r for r in server.requests() if r["path"].endswith(blob)]
        self.assertTrue([r for r in asked if r["rule"] < len(busy)], "a second connection was never tried")
        return asked

    def test_busy__a_second_connection_that_is_refused_is_done_without(self):
        self.pulls({})

    def test_busy__retry_after_is_no_reason_to_stop_what_comes(self):
        self.pulls({"headers": {"Retry-After": "1000"}})

    def test_busy__for_a_moment_only(self):
        self.pulls({"times": 2, "headers": {"Retry-After": "1"}}, {"times": 1})
