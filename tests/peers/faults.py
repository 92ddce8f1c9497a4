"""faults.py - what is known to go wrong in a peer, not in us: where, and what shows that it is that."""
import dataclasses


@dataclasses.dataclass
class Fault:
    client: str
    kinds: tuple
    columns: tuple         # () is all
    evidence: str          # a pattern for what is said
    why: str

    def covers(self, client, kind, column):
        return client == self.client and (not self.kinds or kind in self.kinds) and (not self.columns or column in self.columns)


FALLBACK = ("debian", "htpasswd", "debian_token", "tls", "redirect", "distribution", "distribution_htpasswd", "token", "distribution_tls", "distribution_redirect")
FAULTS = [
    Fault("skopeo", ("referrer",), FALLBACK, "inspect found@.* is not there",
          "pushes a manifest with a subject to a registry without the referrers API and does not write the tag that stands in for it"
          " (distribution-spec 1.1, \"Referrers Tag Schema\": a client MUST); so nobody finds the referrer by its subject"),
    Fault("skopeo", ("own",), ("store",), "no descriptor found for reference",
          "finds no docker schema 2 manifest in a layout, though the index there names it"),
    Fault("podman", ("own",), ("store",), "no descriptor found for reference", "the same as skopeo, whose library it shares"),
    *(Fault(client, ("model",), (), "unsupported image-specific operation on artifact",
            "stores images only: it refuses a manifest with another config (4.3 and 1.28 are from before artifacts)") for client in ("podman", "buildah")),
    Fault("crane", ("referrer",), ("store",), "layout contains 2 entries",
          "pushes a layout only if one manifest is in it: it cannot name one of several"),
]
