"""Indexes from Python: built, changed, chosen from, copied in part; and the machine itself."""
import json
import unittest

from bindings.python_bed import Case, mlreg

PC = {"architecture": "amd64", "memory_bytes": 16 * 10**9}
GPU = {**PC, "accelerators": [{"kind": "cuda", "compute": "8.0", "memory_bytes": 80 * 10**9}]}


class Variants(Case):
    def index(self, place):
        """"m:v1" of two variants in a place."""
        with place.build_index() as index:
            for name, needs in ("cuda", {"compute": "8.0"}), ("cpu", {"platform": "linux/amd64"}):
                with place.build() as builder:
                    index.add_child(builder.add_bytes(name.encode(), "model.bin").commit(f"m:{name}"), name, **needs)
            return index.commit("m:v1")

    def content(self, artifact):
        with artifact.open("model.bin") as layer:
            return layer.read().decode()

    def test_variants__the_one_that_fits_is_resolved(self):
        made = self.index(self.store)
        self.assertEqual(len(made.children), 2)
        self.assertEqual(self.content(self.store.resolve("m:v1", mlreg.Wish(host=PC))), "cpu")
        self.assertEqual(self.content(self.store.resolve("m:v1", mlreg.Wish(host=json.dumps(GPU)))), "cuda")
        self.assertEqual(self.content(self.store.resolve("m:v1", mlreg.Wish(host=GPU, accelerator="none"))), "cpu")
        self.assertEqual(self.store.resolve("m:v1").digest, made.digest)
        with self.assertRaises(mlreg.NotSupportedError):
            self.store.resolve("m:v1", mlreg.Wish(host=PC, accelerator="cuda"))
        with self.assertRaises(mlreg.InvalidError):
            self.store.resolve("m:v1", mlreg.Wish(host="{"))
        listed = self.store.variants("m:v1", mlreg.Wish(host=GPU))
        self.assertEqual([(v.name, v.fit, v.absent) for v in listed], [("cuda", "chosen", False), ("cpu", "fits", False)])

    def test_variants__an_index_is_changed(self):
        first = self.index(self.store)
        with self.store.build_index() as index:
            changed = index.add_children_of(first).remove_child("cuda").commit("m:v1", move=True, expect_digest=first.digest)
        self.assertEqual(len(changed.children), 1)
        with self.store.build() as plain, self.assertRaises(mlreg.StateError):
            plain.add_child(first, "index")

    def test_variants__one_is_copied_and_the_other_is_absent(self):
        self.index(self.store)
        with mlreg.Session("memory:") as memory:
            self.store.copy("m:v1", memory, variant=mlreg.Wish(host=PC))
            self.assertEqual({v.name: v.absent for v in memory.variants("m:v1")}, {"cpu": False, "cuda": True})
            with self.assertRaises(mlreg.NotFoundError):
                memory.copy("m:v1", memory, "m:v2", all_variants=True)

    def test_variants__pull_brings_what_fits_this_machine(self):
        self.index(self.store)
        mlreg.pull("m:v1", self.dir / "out", store=self.dir / "store")
        self.assertIn((self.dir / "out" / "model.bin").read_text(), ("cpu", "cuda"))

    def test_host__is_this_machine(self):
        self.assertIn(mlreg.host()["architecture"], ("amd64", "arm64"))
