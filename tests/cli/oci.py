"""oci.py - OCI content made by hand: manifests, indexes and layouts as other tools write them, and as nobody should."""
import base64
import hashlib
import json

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
RAW = "application/vnd.cncf.model.weight.v1.raw"
TITLE = "org.opencontainers.image.title"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(data, media_type, **more):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


def layer(data, title=None, media_type=RAW, **more):
    return descriptor(data, media_type, **({"annotations": {TITLE: title}} if title is not None else {}), **more)


class Artifact:
    """A manifest with its blobs. `files` is a list of (title, data); what else is given replaces members of the manifest."""

    def __init__(self, files=(), config=b"{}", **members):
        self.blobs = {digest(config): config, **{digest(data): data for _, data in files}}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.test",
                    "config": descriptor(config, EMPTY), "layers": [layer(data, title) for title, data in files], **members}
        self.media_type = manifest["mediaType"]
        self.data = json.dumps({k: v for k, v in manifest.items() if v is not None}).encode()
        self.digest = digest(self.data)
        self.children = []

    def descriptor(self, **more):
        return descriptor(self.data, self.media_type, **more)


class Index(Artifact):
    """An index over artifacts, each with a platform or None."""

    def __init__(self, children, **members):
        super().__init__(config=b"{}", mediaType=INDEX, artifactType=None, config_=None, layers=None, **members)
        entries = [c.descriptor(**({"platform": p} if p else {})) for c, p in children]
        self.data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, **members}).encode()
        self.digest, self.blobs, self.children = digest(self.data), {}, [c for c, _ in children]


def everything(artifact):
    """The manifests and the blobs that belong to an artifact, itself last."""
    manifests, blobs = [], dict(artifact.blobs)
    for child in artifact.children:
        m, b = everything(child)
        manifests += m
        blobs.update(b)
    return manifests + [artifact], blobs


def write_layout(folder, **tags):
    """An OCI image layout in `folder`, with these tags."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entries = []
    for tag, artifact in tags.items():
        manifests, blobs = everything(artifact)
        for data in [m.data for m in manifests] + list(blobs.values()):
            (folder / "blobs" / "sha256" / digest(data)[7:]).write_bytes(data)
        entries.append(artifact.descriptor(annotations={"org.opencontainers.image.ref.name": tag}))
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))
    return folder


def rules(repo, tag, artifact, **changes):
    """A script for evil.py: a registry that has one artifact. `changes` maps "manifest", "config" or a title to members of that rule."""
    manifests, blobs = everything(artifact)
    titles = {}
    for m in manifests:
        content = json.loads(m.data)
        titles[content.get("config", {}).get("digest")] = "config"
        for entry in content.get("layers") or []:
            titles[entry["digest"]] = (entry.get("annotations") or {}).get(TITLE)
    script = [{"path": "/v2/", "status": 200}]
    for m in manifests:
        where = f"{tag}|{m.digest}" if m is artifact else m.digest
        script.append({"method": "GET|HEAD", "path": f"/v2/{repo}/manifests/({where})", "body_base64": base64.b64encode(m.data).decode(),
                       "headers": {"Content-Type": m.media_type}, **(changes.get("manifest", {}) if m is artifact else {})})
    for name, data in blobs.items():
        script.append({"method": "GET|HEAD", "path": f"/v2/{repo}/blobs/{name}", "body_base64": base64.b64encode(data).decode(),
                       "headers": {"Content-Type": "application/octet-stream"}, **changes.get(titles.get(name), {})})
    return script
