"""seeds.py - honest examples of what each target reads: chance goes on from these."""
import io
import json
import struct
import tarfile

DIGEST = "sha256:" + "a" * 64
DESCRIPTOR = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 7,
              "annotations": {"org.opencontainers.image.title": "model.safetensors"}}
PLATFORM = {"platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def text(value):
    return json.dumps(value).encode()


def string(value):
    return struct.pack("<Q", len(value)) + value


def gguf():
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 3)
    head += string(b"general.architecture") + struct.pack("<I", 8) + string(b"llama")
    head += string(b"general.alignment") + struct.pack("<II", 4, 32)
    head += string(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + string(b"<s>") + string(b"</s>")
    head += string(b"token_embd.weight") + struct.pack("<IQQIQ", 2, 4, 2, 0, 0)
    return head + bytes(-len(head) % 32) + bytes(32)


def safetensors():
    head = text({"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
                 "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]}})
    return struct.pack("<Q", len(head)) + head + bytes(22)


def tar(mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.PAX_FORMAT) as t:
        for name, kind, data in (("models", tarfile.DIRTYPE, b""), ("models/a.bin", tarfile.REGTYPE, b"weights"),
                                 ("link", tarfile.SYMTYPE, b""), ("é" * 60 + "/long", tarfile.REGTYPE, b"x" * 600)):
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "models/a.bin" if kind == tarfile.SYMTYPE else ""
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def lone(pax, binary=False):
    """A tar of one file; `binary`: its size as GNU tar writes one of 8 GiB and more."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, kind, data in (("models", tarfile.DIRTYPE, b""), ("models/a.bin", tarfile.REGTYPE, b"weights")):
            info = tarfile.TarInfo(name)
            info.type, info.size, info.pax_headers = kind, len(data), pax if data else {}
            t.addfile(info, io.BytesIO(data))
    whole = bytearray(out.getvalue())
    if binary:
        at = whole.index(b"weights") - 512
        whole[at + 124:at + 136] = b"\x80" + (7).to_bytes(11, "big")
        whole[at + 148:at + 156] = b" " * 8
        whole[at + 148:at + 156] = b"%06o\0 " % sum(whole[at:at + 512])
    return bytes(whole)


def manifest():
    return text({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.x", "config": DESCRIPTOR, "layers": [DESCRIPTOR],
                 "subject": {**DESCRIPTOR, "mediaType": MANIFEST}, "annotations": {"org.cncf.model.name": "x"}})


def index():
    entry = {**DESCRIPTOR, **PLATFORM, "mediaType": MANIFEST, "annotations": {
        "org.opencontainers.image.ref.name": "v1", "io.mlreg.variant.name": "cuda", "io.mlreg.variant.accelerator": "cuda",
        "io.mlreg.variant.compute": "9.0", "io.mlreg.variant.cpu": "avx2 amx", "io.mlreg.variant.memory": "16GiB"}}
    return text({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry, entry]})


def listing():
    """As lib/model/listing.c keeps it: kind, how much of the name before is the same, the rest, and where a link leads."""
    entries = ((1, 0, b"usr", None), (1, 3, b"/lib", None), (0, 7, b"/x", None), (2, 0, b"lib", b"usr/lib"), (2, 0, b"l", b"l/../l"),
               (1, 0, b"a", None), (0, 1, b"/.wh.b", None), (0, 2, b".wh..wh..opq", None), (2, 2, b"b", b"/usr"), (3, 0, b"h", None))
    return b"".join(bytes([kind]) + struct.pack("<H", same) + rest + b"\0" + (link + b"\0" if link else b"") for kind, same, rest, link in entries)


TOML = b"""unqualified-search-registries = ["docker.io", 'quay.io']
[[registry]]
prefix = "r.example/team"  # ours
location = "mirror.example:5000/cache"
[[registry.mirror]]
location = "10.0.0.1:5000"
insecure = true
pull-from-mirror = "digest-only"
[aliases]
"x" = "r.example/x"
inline = { a = 1, b = [1, 2] }
when = 1979-05-27T07:32:00Z
"""
HOST = {"os": "linux", "architecture": "amd64", "variant": "v3", "cpu": ["avx2", "fma"], "memory_bytes": 1 << 34,
        "accelerators": [{"kind": "cuda", "name": "H100", "compute": "9.0", "memory_bytes": 1 << 36, "driver": "550.1"}]}
CONFIG = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [DIGEST, DIGEST]}, "config": {"Env": ["A=b"]}}
AUTHS = {"auths": {"r.example": {"auth": "dXNlcjpwYXNz"}, "https://index.docker.io/v1/": {"identitytoken": "x"}, "r.example/team": {"auth": "YTpi"}},
         "credsStore": "pass", "credHelpers": {"gcr.io": "gcloud"}}
LINES = b"---\nlicense: apache-2.0\ntags:\n- x\nlicense_name: \"a\"\n---\n# Model\n"

SEEDS = {
    "ref": [b"127.0.0.1:5000/team/x:v1@" + DIGEST.encode(), b":latest", b"a__b/c.d-e"],
    "url": [b"https://r.example:5000/v2/x?n=1#f\n../../y?z", b"http://[::1]:80/\n//other.example/x", b"http://a\n?q"],
    "json": [text({"a": [1, -2.5e3, True, None, "\u00e9\ud83d\ude00\\n"], "b": {"c": {}}}), b' [ 0 , 1e9 , "\\u0041\\ud83d\\ude00" ] '],
    "manifest": [manifest(), index()],
    "index": [index(), b'{"schemaVersion":2,"manifests":[{"digest":"sha512:00","x":1}]}'],
    "image-config": [text(CONFIG)],
    "host": [text(HOST)],
    "challenge": [b'Bearer realm="https://t.example/token",service="r",scope="repository:x:pull,push", Basic realm="a\\"b"', b"Negotiate abc==, basic REALM=x"],
    "token": [b'{"token":"abc","expires_in":300,"issued_at":"2026-01-01T00:00:00Z","refresh_token":"r"}', b'{"access_token":"x"}'],
    "headers": [b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 12\r\nWWW-Authenticate: Bearer realm="r",\r\n\tservice="s"\r\nLocation: /v2/x/\r\n y\r\n\r\n'],
    "toml": [TOML], "mirrors": [TOML],
    "base64": [b"aGVsbG8gd29ybGQ=", b"-_8", b""],
    "glob": [b"**/*.safetensors\na/b/model.safetensors", b"*a*a*a*a*a*b\naaaaaaaaaaaaaaaaaaaaaaaaaaaa", b"?/[x]\na/b"],
    "frontmatter": [LINES],
    "gguf": [gguf()], "safetensors": [safetensors()],
    "facts": [b"\0" + text({"model_type": "llama", "torch_dtype": "bfloat16", "architectures": ["X"]}), b"\1" + LINES, b"\2" + safetensors(), b"\3" + gguf()],
    "archive": [tar("w"), tar("w:gz")],
    "tarfile": [tar("w"), lone({"size": "7", "comment": "x"}), lone({"GNU.sparse.major": "1", "GNU.sparse.realsize": "9"}), lone({}, binary=True)],
    "journal": [bytes(1024)],
    "below": [listing(), listing()[::-1]],
    "creds": [text(AUTHS), text(AUTHS) + b" "],
    "image": [bytes(range(256)), bytes(range(255, -1, -1)) * 2], "model": [bytes(range(256)), bytes(range(0, 256, 3)) * 3],
}


def write(target, folder):
    """As files of their own."""
    for i, data in enumerate(SEEDS[target]):
        (folder / f"{target}-{i}").write_bytes(data)
