"""Images that a place does not take: one clear error, its tag as it was, and nothing half-written anywhere."""
import os

from cli.program import PROGRAM, Case, Registry, as_root, needs
from serve.server import Server

# In place of the machine's Python: while pip would run, somebody else is quicker with the tag.
QUICKER = """#!/bin/sh
for word; do if [ "$word" = --target ]; then is_next=1; elif [ -n "$is_next" ]; then echo 1 >"$word/installed.py"; break; fi; done
[ -z "$is_next" ] || {program} push svc:v1 {ref} >&2
"""


class Refused:
    """Inherited by one class per kind of target."""

    def setUp(self):
        super().setUp()
        self.code = self.work / "serve.py"
        self.code.write_text("print(1)\n")
        (self.work / "requirements.txt").write_text("something==1\n")
        self.digest = self.json("image", "build", "--add", "serve.py:/app/serve.py", "-t", "svc:v1")["digest"]
        self.code.write_text("print(2)\n")
        self.other = self.json("image", "build", "--add", "serve.py:/app/serve.py", "-t", "other:v1")["digest"]

    def build(self, ref, *more, **how):
        return ("image", "build", "--add", "serve.py:/app/serve.py", "-t", ref, *more)

    def refused(self, ref, *more, says, hint, **how):
        """Built there, on a base from there, and sent there."""
        self.fails(*self.build(ref, *more), says=says, hint=hint, **how)
        self.fails("push", "other:v1", ref, *more, says=says, hint=hint, **how)
        self.assertSound()

    def assertAt(self, ref, digest):
        self.assertEqual(self.json("inspect", ref)["digest"], digest)


class ByRegistry(Refused):
    kind = None

    def setUp(self):
        super().setUp()
        self.there = self.registry(self.kind)
        self.ref = self.there.ref("svc:v1")
        self.mlreg("push", "svc:v1", self.ref)

    def test_refused__by_a_registry_that_may_only_be_read(self):
        closed = Registry(self.kind + "_readonly", self.there.part)
        for name in "svc:v1", "new:v1":
            with self.subTest(name):
                self.refused(closed.ref(name), "--move", says=r"answered 405", hint="only be read.*elsewhere")
        self.fails("image", "build", "--base", self.ref, "--add", "serve.py:/app/serve.py", "-t", closed.ref("svc:v2"), says="answered 405", hint="only be read.*elsewhere")
        self.assertAt(self.ref, self.digest)
        self.assertAt(closed.ref("svc:v1"), self.digest)
        self.assertEqual(self.json("tags", self.ref.rpartition(":")[0]), ["v1"])

    def test_refused__by_a_server_of_ours_that_may_only_be_read(self):
        server = Server(self.top / "servers", "--store", self.store, "--read-only", env=self.env)
        self.addCleanup(server.stop)
        host, before = server.host, self.snapshot(self.store)
        self.fails("copy", self.there.ref("svc:v1"), f"{host}/new:v1", says="answered 405", hint="only be read.*elsewhere")
        self.fails("image", "build", "--base", self.ref, "--add", "serve.py:/app/serve.py", "-t", f"{host}/svc:v1", "--move", says="answered 405", hint="only be read.*elsewhere")
        self.assertEqual(self.snapshot(self.store), before)

    def test_refused__a_tag_that_is_somebody_elses(self):
        self.refused(self.ref, says="is there already|somebody", hint="another tag|--move")
        self.assertAt(self.ref, self.digest)

    def somebody_is_quicker(self, ref):
        """Whatever Python is asked for puts the other image at the tag first."""
        folder = self.work / "quicker"
        folder.mkdir(exist_ok=True)
        (folder / "python3").write_text(QUICKER.format(program=PROGRAM, ref=ref))
        (folder / "python3").chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    def test_refused__a_tag_that_somebody_made_meanwhile(self):
        ref = self.there.ref("fresh:v1")
        env = self.somebody_is_quicker(ref)
        self.fails(*self.build(ref, "--pip", "requirements.txt"), says="is there already", hint="another tag|--move", env=env)
        self.assertAt(ref, self.digest)
        self.assertEqual(self.json("tags", ref.rpartition(":")[0]), ["v1"])


@needs("debian", "debian_readonly")
class Debian(ByRegistry, Case):
    kind = "debian"


@needs("distribution", "distribution_readonly")
class Distribution(ByRegistry, Case):
    kind = "distribution"


class ByStore(Refused, Case):
    @as_root
    def test_refused__by_a_store_that_may_only_be_read(self):
        """Its owner lost the right to write into it, as on a file system that is mounted so."""
        nobody = self.as_nobody()
        for path in [self.store, *self.store.rglob("*")]:
            os.chown(path, nobody["user"], nobody["group"])
            os.chmod(path, path.stat().st_mode & ~0o222)
        for folder in [self.home, *self.home.rglob("*")]:
            os.chmod(folder, folder.stat().st_mode | 0o011) if folder.is_dir() else None
        before = self.snapshot(self.store)
        for ref in "svc:v1", "new:v1":
            self.fails(*self.build(ref, "--move"), says="ermission|writ", **nobody)
            self.fails("copy", "other:v1", ref, "--move", says="ermission|writ", **nobody)
        self.assertEqual(self.snapshot(self.store), before)
