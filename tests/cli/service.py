"""service.py - an image that serves a model, as small as one can be: busybox, a safetensors file, a script of a few lines."""
import json
import os
import pathlib
import shutil
import struct

BUSYBOX = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "mlreg-tests" / "busybox" / "busybox"
# The answer is the dot product of what is asked and the model's one tensor, read where it lies in the file.
PREDICT = """#!/bin/sh
model=/models/model.safetensors
header=$(od -An -t u4 -N 4 $model)
weights=$(od -An -v -t f4 -j $((8 + header)) $model)
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "$QUERY_STRING" | tr ',' ' ' | awk -v weights="$weights" '{ split(weights, w); for (i = 1; i <= NF; i++) y += $i * w[i]; print "prediction", y }'
"""


def safetensors(*weights):
    header = json.dumps({"w": {"dtype": "F32", "shape": [len(weights)], "data_offsets": [0, 4 * len(weights)]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack(f"<{len(weights)}f", *weights)


def httpd(port):
    return ["/bin/httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", "/srv"]


class Service:
    """Mixed into a Case."""

    def image(self, *pack):
        """A base of one Debian package, a model and a script that serves it."""
        base = self.work / "base"
        (base / "bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, base / "bin" / "busybox")
        (base / "bin" / "busybox").chmod(0o755)
        for name in "sh", "httpd", "od", "tr", "awk", "printf", "echo", "cat":
            (base / "bin" / name).symlink_to("busybox")
        for name in "tmp", "proc", "dev", "sys":
            (base / name).mkdir()
        (self.work / "weights").mkdir()
        (self.work / "weights" / "model.safetensors").write_bytes(safetensors(2, 3, 5))
        (self.work / "predict").write_text(PREDICT)
        (self.work / "predict").chmod(0o755)
        self.mlreg("image", "build", "--add", f"{base}:/", "-t", "base:v1", *pack)
        self.build(*pack)

    def build(self, *pack):
        return self.json("image", "build", "--base", "base:v1", "--model", f"{self.work}/weights:/models", "--add", f"{self.work}/predict:/srv/cgi-bin/predict",
                         "--entrypoint", "/bin/httpd", "-t", "service:v1", *pack)

    def forget_parts(self):
        for name in "base", "weights":
            shutil.rmtree(self.work / name)
