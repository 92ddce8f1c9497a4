"""models.py - a model made of chance, in the three forms the works need: a folder, an OCI layout, and a registry's paths."""
import hashlib
import json
import os
import random
import time

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REPOSITORY = "bench"
PIECE = 1 << 20


class Model:
    """`layers` files of `layer_bytes` each. The three forms are hard links to the same files, already on the disk."""

    def __init__(self, top, layers, layer_bytes):
        self.folder, self.layout, self.www = top / "folder", top / "layout", top / "www"
        self.bytes, self.layers = layers * layer_bytes, []
        self.folder.mkdir(parents=True)
        for path in self.layout / "blobs" / "sha256", self.www / "v2" / REPOSITORY / "blobs", self.www / "v2" / REPOSITORY / "manifests":
            path.mkdir(parents=True)
        chance = random.Random(layers)
        for i in range(layers):
            self.layers.append(self.add_layer(f"model-{i:05}.bin", layer_bytes, chance))
        self.add_manifest()
        os.sync()

    def add_layer(self, name, size, chance):
        """Writes and hashes in one go."""
        h, path = hashlib.sha256(), self.folder / name
        with open(path, "wb") as f:
            for at in range(0, size, PIECE):
                piece = chance.randbytes(min(PIECE, size - at))
                h.update(piece)
                f.write(piece)
        os.link(path, self.layout / "blobs" / "sha256" / h.hexdigest())
        os.link(path, self.www / "v2" / REPOSITORY / "blobs" / f"sha256:{h.hexdigest()}")
        return {"mediaType": "application/vnd.cncf.model.weight.v1.raw", "digest": f"sha256:{h.hexdigest()}", "size": size,
                "annotations": {"org.opencontainers.image.title": name}}

    def add_blob(self, data):
        digest = hashlib.sha256(data).hexdigest()
        (self.layout / "blobs" / "sha256" / digest).write_bytes(data)
        (self.www / "v2" / REPOSITORY / "blobs" / f"sha256:{digest}").write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def add_manifest(self):
        text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.cncf.model.manifest.v1+json",
                           "config": {"mediaType": "application/vnd.oci.empty.v1+json", **self.add_blob(b"{}")}, "layers": self.layers}).encode()
        manifest = {"mediaType": MANIFEST, **self.add_blob(text)}
        for name in "v1", manifest["digest"]:
            (self.www / "v2" / REPOSITORY / "manifests" / name).write_bytes(text)
        (self.layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (self.layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
            {**manifest, "annotations": {"org.opencontainers.image.ref.name": "v1"}}]}))

    def settle(self):
        """Waits until no file is so young that a careful program would not believe its time stamp."""
        youngest = max(path.stat().st_ctime for path in self.folder.iterdir())
        time.sleep(max(0.0, youngest + 3 - time.time()))


class Models:
    """Each shape is made once, when the first work needs it. All shrink with the size that is asked for."""

    SHAPES = {"one": (1, 1), "eight": (8, 8), "many": (1000, 32768)}    # layers, and the part of the whole that each has

    def __init__(self, top, mib):
        self.top, self.whole, self.made = top, mib << 20, {}

    def get(self, shape):
        if shape not in self.made:
            layers, part = self.SHAPES[shape]
            if shape == "many":            # layers of 64 KiB whatever the size, but fewer
                layers, size = max(8, layers * self.whole // (2 << 30)), 64 << 10
            else:
                size = self.whole // part
            self.made[shape] = Model(self.top / shape, layers, size)
        return self.made[shape]
