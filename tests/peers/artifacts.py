"""artifacts.py - what the matrix moves: artifacts of every kind, written by hand so that no client's habits are in them."""
import gzip
import io
import json
import random
import tarfile

from cli.oci import EMPTY, RAW, TITLE, Artifact, Index, descriptor, digest, layer, write_layout

IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
IMAGE_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MODEL_CONFIG = "application/vnd.cncf.model.config.v1+json"
MODEL = "application/vnd.cncf.model.manifest.v1+json"

# 4 GiB and 4 KiB of zeros: what a length of 32 bits does not hold. A sparse file, so its digest is written down here.
BIG_BYTES = (4 << 30) + 4096
BIG_DIGEST = "sha256:5bc8222d078b1d6dab4a1d75403860f91afffe8a6944d469e496f553d296be3d"


def with_config(config, media_type, layers, blobs=(), **members):
    """An artifact whose config has a type of its own; `layers` are descriptors, `blobs` what they and others name."""
    artifact = Artifact(config=config, layers=layers, **members)
    manifest = json.loads(artifact.data)
    manifest["config"] = descriptor(config, media_type)
    artifact.data = json.dumps(manifest, ensure_ascii=False).encode()
    artifact.digest = digest(artifact.data)
    artifact.blobs.update({digest(b): b for b in blobs})
    return artifact


def model_pack():
    weights, card = random.Random(1).randbytes(300_000), b"# a model\n"
    config = json.dumps({"descriptor": {"name": "tiny"}, "config": {"format": "safetensors"},
                         "modelfs": {"type": "layers", "diffIds": [digest(weights), digest(card)]}}).encode()
    layers = [layer(weights, "model.safetensors"), layer(card, "README.md", "application/vnd.cncf.model.doc.v1.raw")]
    return with_config(config, MODEL_CONFIG, layers, [weights, card], artifactType=MODEL)


def tar(**files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def image(architecture="amd64"):
    plain = [tar(motd=b"hello " + architecture.encode()), tar(weights=random.Random(2).randbytes(100_000))]
    packed = [gzip.compress(p, mtime=0) for p in plain]
    config = json.dumps({"architecture": architecture, "os": "linux", "config": {"Cmd": ["/motd"]},
                         "rootfs": {"type": "layers", "diff_ids": [digest(p) for p in plain]}}).encode()
    return with_config(config, IMAGE_CONFIG, [descriptor(p, IMAGE_LAYER) for p in packed], packed, artifactType=None)


def multi_arch():
    return Index([(image(a), {"os": "linux", "architecture": a}) for a in ("amd64", "arm64", "riscv64")])


def inline_data():
    """OCI's empty config, its two bytes in the descriptor itself."""
    artifact = Artifact([("model.bin", b"inline" * 100)])
    manifest = json.loads(artifact.data)
    manifest["config"]["data"] = "e30="
    artifact.data = json.dumps(manifest).encode()
    artifact.digest = digest(artifact.data)
    return artifact


def subject():
    """What `referrer` refers to."""
    return Artifact([("model.bin", b"subject" * 100)])


def referrer():
    to = subject().descriptor()
    return Artifact([("report.json", b'{"passed": true}')], artifactType="application/vnd.example.scan", subject=to)


def many_layers():
    chance = random.Random(3)
    return Artifact([(f"shards/{i:03}.bin", chance.randbytes(200)) for i in range(500)])


def unknown_types():
    layers = [b"first" * 10, b"second" * 10, b"\0\1\2" * 50]
    types = ["application/x-nobody-knows", "text/plain", "application/vnd.example.a+b.c-d;v=1"]
    return with_config(b"\xff not even JSON", "application/x-nobody-knows-either",
                       [descriptor(data, kind) for data, kind in zip(layers, types)], layers, artifactType="application/x-of.no+one")


def annotations():
    """Values in which a careless reader or writer loses something; its manifest is written with plain UTF-8."""
    values = {"quotes": '"\\/ \b\f\n\r\t', "markup": "<a href='x'>&amp;</a>", "accents": "é ñ ü ß", "wide": "模型 🤗 \U0001d538", "marks": "\u2028\u2029\ufeff\u200d",
              "control": "\u0001\u001f\u007f", "combining": "e\u0301", "right-to-left": "\u202eabc", "empty": "", "blanks": "  a  ", "long": "x" * 20_000,
              "a key with blanks & <é>": "1"}
    data = b"annotated" * 20
    return with_config(b"{}", EMPTY, [layer(data, "wei\"ghts é.bin")], [data], annotations=values)


def big():
    data = b"beside the big one"
    huge = {"mediaType": RAW, "digest": BIG_DIGEST, "size": BIG_BYTES, "annotations": {TITLE: "huge.bin"}}
    return with_config(b"{}", EMPTY, [huge, layer(data, "small.bin")], [data])


# kind: what it is, and what makes it
KINDS = {
    "model": ("ModelPack with raw layers", model_pack),
    "image": ("plain image, gzip layers", image),
    "index": ("index over three architectures", multi_arch),
    "inline": ("empty config with inline data", inline_data),
    "referrer": ("artifact with a subject", referrer),
    "types": ("media types that nobody knows", unknown_types),
    "annotations": ("annotations with every kind of character", annotations),
    "many": ("500 layers", many_layers),
    "big": ("one layer above 4 GiB, sparse", big),
}
SUBJECT = "subject"      # goes where a referrer goes, and has no row of its own


def write(kind, folder):
    """A layout with the artifact as "v1"; gives it."""
    artifact = subject() if kind == SUBJECT else KINDS[kind][1]()
    write_layout(folder, v1=artifact)
    if kind == "big":
        with open(folder / "blobs" / "sha256" / BIG_DIGEST[7:], "wb") as f:
            f.truncate(BIG_BYTES)
    return artifact
