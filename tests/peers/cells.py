"""cells.py - the cells of the matrix: what is done in each, and what must be true after it."""
import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import os
import re
import shutil
import subprocess
import threading

from bed.house import PROGRAM
from cli.oci import digest
from peers import artifacts
from peers.clients import Failed
from peers.faults import FAULTS

LAYOUT, STORE, WRITTEN = "layout", "store", "store+"      # the columns beside the registries
HASHED_BYTES = 1 << 30            # what is larger is not hashed once more by the test itself: fsck does
QUICK_MANY = ("distribution",)    # where the 500 layers go without --all
SLOW_MANY = ("skopeo",)           # takes minutes to send them
REFUSED = "model"                 # what clients that carry images only are shown, to hear them say so
READS_ALL = "it hashes all of a blob for each request, and goes on when nobody listens any more: twenty seconds of its processor for 4 GiB, whoever asks"
WORKERS = 2


@dataclasses.dataclass
class Cell:
    state: str                    # "ok", "FAILED", "known", "skipped", "later"
    why: str = ""


@dataclasses.dataclass
class Row:
    client: str
    version: str
    kind: str
    cells: dict

    def as_json(self):
        return {"client": self.client, "version": self.version, "kind": self.kind,
                "cells": {column: dataclasses.asdict(cell) for column, cell in self.cells.items()}}


def check(true, said):
    if not true:
        raise AssertionError(said)


def entries(manifest):
    """All descriptors that a manifest or index names, but for its subject."""
    return [d for key in ("manifests", "layers") for d in manifest.get(key) or []] + [d for d in [manifest.get("config")] if d]


def read_blob(layout, descriptor):
    """The bytes of a blob, when they are what its descriptor says; of a large one only its size is looked at."""
    path = layout / "blobs" / descriptor["digest"].replace(":", "/")
    check(path.exists(), f"{descriptor['digest']} is not in the layout")
    check(path.stat().st_size == descriptor["size"], f"{descriptor['digest']} has {path.stat().st_size} bytes, not {descriptor['size']}")
    if descriptor["size"] > HASHED_BYTES:
        return b""
    check(digest(data := path.read_bytes()) == descriptor["digest"], f"{descriptor['digest']} has other bytes")
    return data


def read_tree(layout, descriptor):
    """Reads a manifest and everything below it; gives its bytes."""
    data = read_blob(layout, descriptor)
    for entry in entries(json.loads(data)):
        if re.search(r"manifest|index", entry["mediaType"]) and "cncf" not in entry["mediaType"]:
            read_tree(layout, entry)
        else:
            read_blob(layout, entry)
    return data


def config_of(data):
    return (json.loads(data).get("config") or {}).get("digest")


class Wanted:
    """An artifact as it was: what it must be wherever it went."""

    def __init__(self, data, configs):
        self.digest, self.configs = digest(data), configs

    @classmethod
    def of(cls, artifact):
        return cls(artifact.data, {config_of(a.data) for a in [artifact, *artifact.children]})

    def check(self, data, keeps_digest, where):
        if keeps_digest:
            check(digest(data) == self.digest, f"{where}: {digest(data)} in place of {self.digest}")
        else:
            check(config_of(data) in self.configs, f"{where}: image {config_of(data)} in place of {self.configs}")


class Bench:
    def __init__(self, folder, there, kinds, everything):
        self.folder, self.there, self.kinds, self.everything = folder, there, kinds, everything
        self.open = next((s for s in there if s.name == "distribution"), there[0])
        self.home = folder / "home"
        self.home.mkdir()
        self.store, self.pushed, self.gates, self.lock = folder / "ours", set(), {}, threading.Lock()
        self.wanted, self.layouts, self.numbers = {}, {}, itertools.count()

    # ---- our side ----

    def mlreg(self, *args):
        env = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DOCKER_CONFIG": os.environ["MLREG_TEST_DOCKER_CONFIG"],
               **({"SSL_CERT_FILE": os.environ["MLREG_TEST_CA_FILE"]} if "MLREG_TEST_CA_FILE" in os.environ else {})}
        done = subprocess.run([str(PROGRAM), *map(str, args), "--json"], env=env, cwd=self.folder, capture_output=True, text=True, timeout=900,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise Failed("mlreg " + " ".join(map(str, args)), done.stderr.strip() or done.stdout.strip())
        return json.loads(done.stdout) if done.stdout else None

    def sound(self, *place):
        report = self.mlreg("fsck", *place)
        check(report["sound"], f"fsck finds {report['problems']}")

    def prepare(self, kind):
        """The artifact as a layout and in our store, once for all clients."""
        self.layouts[kind] = self.folder / "layouts" / kind
        artifact = artifacts.write(kind, self.layouts[kind])
        self.wanted[kind] = Wanted.of(artifact)
        self.mlreg("copy", f"oci:{self.layouts[kind]}:v1", f"{kind}:v1", "--store", self.store)

    def ours(self, there, kind):
        """Where we pushed the artifact; done once for each registry, by whoever comes first."""
        with self.lock:
            gate = self.gates.setdefault((there.name, kind), threading.Lock())
        with gate:
            if (there.name, kind) not in self.pushed:
                if kind == "referrer":
                    self.mlreg("push", "subject:v1", there.ref("ours/referrer", "subject"), "--store", self.store)
                self.mlreg("push", f"{kind}:v1", there.ref(f"ours/{kind}"), "--store", self.store)
                self.pushed.add((there.name, kind))
        return f"ours/{kind}"

    # ---- what must be true ----

    @contextlib.contextmanager
    def room(self):
        """A folder for one cell; by a number, for podman takes no other names."""
        folder = self.folder / f"cell{next(self.numbers)}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def layout_is(self, client, layout, wanted):
        """The layout has what is wanted, byte by byte, seen without libmlreg; gives the digest that it goes by there."""
        tops = json.loads((layout / "index.json").read_text())["manifests"]
        mine = [d for d in tops if d["digest"] == wanted.digest] if client.keeps_digest else tops
        check(mine, f"of {wanted.digest} the layout knows nothing, but of {[d['digest'] for d in tops]}")
        wanted.check(read_tree(layout, mine[0]), client.keeps_digest, "in the layout")
        return mine[0]["digest"]

    def we_take(self, source, expected, store=None):
        """We copy it into a store of our own, where it has the same digest and all its bytes."""
        with self.room() as folder:
            store = store or folder
            got = self.mlreg("copy", source, "taken:v1", "--store", store)
            check(got["digest"] == expected, f"we take {got['digest']} from {source}, not {expected}")
            self.sound("--store", store)

    # ---- the cells ----

    def client_takes(self, client, there, repo, wanted):
        with self.room() as folder:
            client.pull(there, repo, folder / "layout")
            self.layout_is(client, folder / "layout", wanted)

    def registry_cell(self, client, kind, there):
        if kind == "own":
            return self.own_cell(client, there)
        wanted = self.wanted[kind]
        self.client_takes(client, there, self.ours(there, kind), wanted)
        repo = f"theirs/{client.name}/{kind}"
        if kind == "referrer":
            client.push(self.layouts["subject"], there, repo)
        client.push(self.layouts[kind], there, repo)
        data = there.manifest(repo)
        wanted.check(data, client.keeps_digest, "pushed")
        self.we_take(there.ref(repo), digest(data))
        if kind == "referrer":
            self.we_find_referrer(there, repo, wanted)

    def we_find_referrer(self, there, repo, wanted):
        subject = there.ref(repo, "@" + self.wanted["subject"].digest)
        with self.room() as store:
            self.mlreg("copy", subject, "found:v1", "--referrers", "--store", store)
            self.mlreg("inspect", f"found@{wanted.digest}", "--store", store)

    def own_cell(self, client, there):
        """What it makes we take; what we took we push elsewhere, and there it takes it back."""
        repo, back = f"own/{client.name}", f"back/{client.name}"
        client.make(there, repo)
        data = there.manifest(repo)
        wanted = Wanted(data, {config_of(data)})
        with self.room() as store:
            self.we_take(there.ref(repo), wanted.digest, store)
            self.mlreg("push", "taken:v1", there.ref(back), "--store", store)
        self.client_takes(client, there, back, wanted)

    def source(self, client, kind):
        """What the columns beside the registries begin with: an artifact that a registry has."""
        if kind != "own":
            return self.ours(self.open, kind), self.wanted[kind]
        repo = f"own/{client.name}"
        client.make(self.open, repo)
        data = self.open.manifest(repo)
        return repo, Wanted(data, {config_of(data)})

    def layout_cell(self, client, kind):
        repo, wanted = self.source(client, kind)
        with self.room() as folder:
            client.pull(self.open, repo, folder / "layout")
            name = self.layout_is(client, folder / "layout", wanted)
            self.sound(f"oci:{folder}/layout")
            self.we_take(f"oci:{folder}/layout@{name}", name)

    def store_cell(self, client, kind):
        """It reads a repository of our store, as the layout that it is."""
        repo, wanted = self.source(client, kind)
        with self.room() as store:
            if kind == "referrer":
                self.mlreg("copy", f"oci:{self.layouts['subject']}:v1", "in/place:subject", "--store", store)
            self.mlreg("copy", self.open.ref(repo), "in/place:v1", "--store", store)
            client.push(store / "in" / "place", self.open, f"placed/{client.name}/{kind}")
        wanted.check(self.open.manifest(f"placed/{client.name}/{kind}"), client.keeps_digest, "out of the store")

    def written_cell(self, client, kind):
        """It writes beside an artifact of ours, in the repository where that lies."""
        repo, wanted = self.source(client, kind)
        first = "image" if kind == "inline" else "inline"
        with self.room() as store:
            self.mlreg("copy", f"oci:{self.layouts[first]}:v1", "in/place:v1", "--store", store)
            client.pull(self.open, repo, store / "in" / "place", "theirs")
            name = self.layout_is(client, store / "in" / "place", wanted) if client.keeps_digest else self.mlreg("inspect", "in/place:theirs", "--store", store)["digest"]
            self.nothing_lost(store, {self.wanted[first].digest, name})

    def nothing_lost(self, store, digests):
        self.sound("--store", store)
        self.mlreg("gc", "--store", store)
        self.sound("--store", store)
        check("v1" in self.mlreg("tags", "in/place", "--store", store), "the tag that was there is gone")
        with self.room() as other:
            for number, name in enumerate(sorted(digests)):
                self.mlreg("copy", f"in/place@{name}", f"oci:{other}/layout:t{number}", "--store", store)
            self.sound(f"oci:{other}/layout")

    # ---- umoci, which knows layouts only and images only ----

    def umoci_reads(self, client, layout):
        files = client.read(layout)
        check(set(files) == {"motd", "weights"} and files["motd"] == b"hello amd64", f"unpacked: {sorted(files)}")

    def umoci_cell(self, client, column):
        with self.room() as store:
            self.mlreg("copy", f"oci:{self.layouts['image']}:v1", "in/place:v1", "--store", store)
            if column == STORE:
                self.umoci_reads(client, store / "in" / "place")
                return
            place = store / "in" / "place" if column == WRITTEN else store / "layout"
            if column == LAYOUT:
                shutil.copytree(self.layouts["image"], place)
            client.write(place, "theirs")
            where = ["in/place:theirs", "--store", store] if column == WRITTEN else [f"oci:{place}:theirs"]
            name = self.mlreg("inspect", *where)["digest"]
            if column == WRITTEN:
                self.nothing_lost(store, {self.wanted["image"].digest, name})
            else:
                self.we_take(f"oci:{place}:theirs", name)

    # ---- the table ----

    def left_out(self, client, kind, column):
        """Why a cell is not tried: None, or a Cell."""
        registry = next((s for s in self.there if s.name == column), None)
        if not client.registries and (registry or kind != "image"):
            return Cell("skipped", "it knows no registries, and in layouts images only")
        if client.only and kind not in (*client.only, REFUSED):
            return Cell("skipped", f"it stores images only, as \"{REFUSED}\" shows")
        if self.everything:
            return Cell("skipped", READS_ALL) if (kind, column) == ("big", "go") else None
        if kind == "big" or (kind == "many" and (client.name in SLOW_MANY or not (registry is None or column in QUICK_MANY))):
            return Cell("later")
        first = "image" if client.only else "model"
        return Cell("later") if registry and registry.way != "open" and kind != first else None

    def try_cell(self, client, kind, column):
        registry = next((s for s in self.there if s.name == column), None)
        if registry:
            self.registry_cell(client, kind, registry)
        elif not client.registries:
            self.umoci_cell(client, column)
        else:
            {LAYOUT: self.layout_cell, STORE: self.store_cell, WRITTEN: self.written_cell}[column](client, kind)

    def cell(self, client, kind, column):
        if left := self.left_out(client, kind, column):
            return left
        fault = next((n for n, f in enumerate(FAULTS, 1) if f.covers(client.name, kind, column)), None)
        try:
            self.try_cell(client, kind, column)
        except (Failed, AssertionError, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as problem:
            said = ": ".join(map(str, problem.args)) or repr(problem)
            if fault and re.search(FAULTS[fault - 1].evidence, said, re.S):
                return Cell("known", str(fault))
            return Cell("FAILED", said)
        return Cell("FAILED", f"known fault {fault} of {client.name} did not show: take it off the list") if fault else Cell("ok")

    def rows_of(self, kind_of_client):
        client = kind_of_client(self.folder)
        columns = [s.name for s in self.there] + [LAYOUT, STORE, WRITTEN]
        if reason := client.missing():
            return [Row(client.name, "", "all", {c: Cell("skipped", reason) for c in columns})]
        version = client.version()
        return [Row(client.name, version, kind, {c: self.cell(client, kind, c) for c in columns}) for kind in self.kinds if client.registries or kind == "image"]

    def run(self, wanted):
        for kind in dict.fromkeys([*(k for k in self.kinds if k != "own" and (self.everything or k != "big")), artifacts.SUBJECT, "inline", "image"]):
            self.prepare(kind)
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            return [row for rows in pool.map(self.rows_of, wanted) for row in rows]
