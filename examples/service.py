#!/usr/bin/env python3
"""service.py - what an image with a model runs: it says over HTTP how near two words are to MiniLM, by the standard library alone.

Usage: service.py MODELS PORT        then ask http://127.0.0.1:PORT/?king,queen
"""
import http.server
import json
import math
import mmap
import pathlib
import struct
import sys
import urllib.parse

models, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
with open(models / "model.safetensors", "rb") as file:
    weights = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
length = struct.unpack_from("<Q", weights)[0]
table = json.loads(weights[8:8 + length])["embeddings.word_embeddings.weight"]
width = table["shape"][1]
number = {word: i for i, word in enumerate((models / "vocab.txt").read_text(encoding="utf-8").splitlines())}


def vector(word):
    return struct.unpack_from(f"<{width}f", weights, 8 + length + table["data_offsets"][0] + 4 * width * number[word])


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            one, other = map(vector, urllib.parse.urlsplit(self.path).query.split(","))
        except (KeyError, ValueError):
            self.send_error(400, "ask for two words that the model knows: /?king,queen")
            return
        near = sum(a * b for a, b in zip(one, other))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"nearness {near / math.hypot(*one) / math.hypot(*other):.3f}\n".encode())

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", port), Service)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
