"""Uploads, single blobs and manifests from Python: what a program that is a registry to others is asked for."""
import hashlib
import json
import mmap
import os
import threading

from bindings.python_bed import OPEN_REGISTRIES, Case, mlreg, python


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Uploads(Case):
    def test_upload__comes_in_pieces_and_goes_on_by_its_id(self):
        data = os.urandom(300_000)
        with self.store.upload("team/x") as upload:
            self.assertEqual(upload.write(memoryview(data)[:100_000]), 100_000)
            self.assertEqual(upload.write(b""), 0)
            upload.keep()
            with self.assertRaises(mlreg.BusyError):
                self.store.upload("team/x", upload.id)
        self.assertRaises(mlreg.StateError, upload.write, b"late")
        with mlreg.Session(self.dir / "store") as other, other.upload("team/x", upload.id) as again:
            self.assertEqual((again.id, again.size), (upload.id, 100_000))
            again.write(bytearray(data[100_000:]))
            self.assertRaises(mlreg.DigestError, again.commit, digest_of(b"other"))
            again.commit(digest_of(data))
            self.assertTrue(again.closed)
        self.assertEqual(self.store.blob("team/x", digest_of(data)), len(data))
        self.assertRaises(mlreg.NotFoundError, self.store.upload, "team/x", upload.id)

    def test_upload__survives_a_process_that_is_killed(self):
        done = python("""
            import mlreg, os, sys
            upload = mlreg.Session(sys.argv[1]).upload("team/x")
            upload.write(b"kept ")
            upload.keep()
            os.write(1, upload.id.encode())
            os.kill(os.getpid(), 9)
        """, self.dir / "store")
        with self.store.upload("team/x", done.stdout) as upload:
            self.assertEqual(upload.size, 5)
            upload.write(b"and whole")
            upload.commit(digest_of(b"kept and whole"))

    def test_upload__that_is_cancelled_is_gone(self):
        upload = self.store.upload("team/x")
        upload.write(b"x")
        upload.keep()
        upload.cancel()
        self.assertRaises(mlreg.StateError, upload.cancel)
        self.assertRaises(mlreg.NotFoundError, self.store.upload, "team/x", upload.id)

    def test_upload__takes_threads_one_after_the_other(self):
        with self.store.upload("team/x") as upload:
            threads = [threading.Thread(target=lambda: [upload.write(b"ab" * 500) for _ in range(50)]) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(upload.size, 400_000)
            upload.commit(digest_of(b"ab" * 200_000))

    def test_upload__goes_into_a_store_only(self):
        with mlreg.Session("memory:") as memory:
            self.assertRaises(mlreg.NotSupportedError, memory.upload, "team/x")
        for location in OPEN_REGISTRIES:
            ca_file = os.environ.get("MLREG_TEST_CA_FILE") if location.startswith("https") else None
            with self.subTest(location), mlreg.Session(location, ca_file=ca_file) as hub:
                self.assertRaises(mlreg.NotSupportedError, hub.upload, "team/x")


class Blobs(Case):
    def test_content__is_found_mounted_read_and_named(self):
        config = b'{"a":1}'
        with self.store.upload("team/x") as upload:
            upload.write(config)
            upload.commit(digest_of(config))
        self.store.mount("team/y", digest_of(config), "team/x")
        self.assertEqual(self.store.blob("team/y", digest_of(config)), len(config))
        with self.store.open_blob("team/y", digest_of(config)) as blob:
            self.assertEqual(blob.read(), config)
            with mmap.mmap(blob.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                self.assertEqual(mapped[:], config)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
                               "config": {"mediaType": "a/b", "digest": digest_of(config), "size": len(config)}}).encode()
        made = self.store.put("team/y:v1", manifest)
        self.assertEqual((made.digest, made.json, made.config()), (digest_of(manifest), manifest, config))
        self.assertRaises(mlreg.ExistsError, self.store.put, "team/y:v1", manifest + b" ")
        self.assertRaises(mlreg.ExistsError, self.store.put, "team/y:v1", manifest + b" ", move=True, expect_digest=digest_of(b"other"))
        moved = self.store.put("team/y:v1", manifest + b" ", move=True, expect_digest=made.digest)
        self.assertEqual(self.store.resolve("team/y:v1").digest, moved.digest)
        self.assertRaises(mlreg.ProtocolError, self.store.put, "team/y:v2", manifest, media_type="application/vnd.oci.image.index.v1+json")
        self.assertRaises(mlreg.InvalidError, self.store.put, f"team/y@{made.digest}", manifest + b"  ")
        self.assertRaises(mlreg.NotFoundError, self.store.put, "team/z:v1", manifest)

    def test_content__is_kept_from_gc_until_it_is_released(self):
        with self.store.upload("team/x") as upload:
            upload.write(b"lone")
            upload.commit(digest_of(b"lone"))
        self.assertEqual(self.store.gc(grace_ms=0).blobs, 0)
        self.store.release("team/x", digest_of(b"lone"))
        self.assertEqual(self.store.gc(grace_ms=0).blobs, 1)
        self.assertRaises(mlreg.NotFoundError, self.store.blob, "team/x", digest_of(b"lone"))
        self.assertRaises(mlreg.NotFoundError, self.store.open_blob, "team/x", digest_of(b"lone"))
        self.assertRaises(mlreg.NotFoundError, self.store.mount, "team/y", digest_of(b"lone"), "team/x")
