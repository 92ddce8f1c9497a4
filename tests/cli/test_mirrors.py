"""Mirrors of containers' registries.conf: who is asked for what, in which order, and who never is; what a mirror does wrong the next puts right."""
import base64
import json
import shutil
import socket

from cli.oci import MANIFEST, Artifact, Index, digest, rules
from cli.program import Case, needs

REPO = "team/model"
ASKS = {"header": {"Authorization": None}, "path": "/v2/.*", "status": 401, "headers": {"WWW-Authenticate": 'Basic realm="x"'}}


def wrong(data):
    return base64.b64encode(bytes(b ^ 1 for b in data)).decode()


class Mirrors(Case):
    def setUp(self):
        super().setUp()
        self.data = self.random.randbytes(300_000)
        self.artifact = Artifact([("x", self.data), ("y", b"small")])

    # ---- what a test is made of ----

    def serve(self, tag="v1", artifact=None, before=(), repo=REPO, **changes):
        return self.evil([*before, *rules(repo, tag, artifact or self.artifact, **changes)])

    def conf(self, text):
        path = self.home / "registries.conf"
        path.write_text(text)
        self.env["CONTAINERS_REGISTRIES_CONF"] = str(path)
        return path

    def mirror(self, origin, *mirrors, more=""):
        """A registries.conf in which `origin` has these mirrors: servers, hosts, or (host, lines)."""
        text = f'[[registry]]\nlocation = "{getattr(origin, "host", origin)}"\n{more}'
        for m in mirrors:
            host, lines = m if isinstance(m, tuple) else (m, "")
            text += f'[[registry.mirror]]\nlocation = "{getattr(host, "host", host)}"\n{lines}\n'
        self.conf(text)
        self.ref = f"{getattr(origin, 'host', origin)}/{REPO}:v1"

    def pulls(self, ref=None, *args):
        """Pulls into a folder and into a store; both have the right bytes. Gives what was said."""
        for kept in self.work / "out", self.store:
            shutil.rmtree(kept, ignore_errors=True)
        said = self.mlreg("pull", ref or self.ref, "-o", "out", "-v", *args).stderr
        self.assertEqual((self.work / "out" / "x").read_bytes(), self.data)
        self.mlreg("pull", ref or self.ref)
        self.assertSound()
        return said

    @staticmethod
    def asked(server, what=""):
        return [r["path"] for r in server.requests() if what in r["path"]]

    @staticmethod
    def sent(server):
        return {v for r in server.requests() for k, v in r["headers"] if k.lower() == "authorization"}

    def dead(self):
        """A host on which nobody listens."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return f"127.0.0.1:{s.getsockname()[1]}"

    # ---- who is asked ----

    def test_mirrors__the_first_that_has_it_gives_all_of_it(self):
        origin, first, second = self.serve(), self.serve(), self.serve()
        self.mirror(origin, first, second)
        self.pulls()
        self.assertEqual(self.asked(origin) + self.asked(second), [])
        self.assertTrue(self.asked(first, "/manifests/v1"))

    def test_mirrors__keep_it_below_a_namespace_of_their_own(self):
        origin, mirror = self.serve(), self.serve(repo="cache/" + REPO)
        self.mirror(origin, mirror.host + "/cache")
        self.pulls()
        self.assertEqual(self.asked(origin), [])

    def test_mirrors__what_one_lacks_the_next_has(self):
        origin, empty, half = self.serve(), self.evil([]), self.serve(x={"status": 404})
        self.mirror(origin, empty, half)
        said = self.pulls()
        self.assertRegex(said, f"manifest v1 from http://{empty.host}: .*trying the next")
        self.assertEqual([p for p in self.asked(origin) if digest(self.data) not in p], [])

    def test_mirrors__an_index_comes_by_mirrors_with_its_children(self):
        index = Index([(self.artifact, None)])
        origin, mirror = self.serve(artifact=index), self.serve(artifact=index)
        self.mirror(origin, mirror)
        self.mlreg("pull", self.ref)
        self.assertEqual(self.asked(origin), [])
        self.assertSound()

    def test_mirrors__tags_and_digests_go_where_pull_from_mirror_says(self):
        origin, digests, tags = self.serve(), self.serve(), self.serve()
        self.mirror(origin, (digests, 'pull-from-mirror = "digest-only"'), (tags, 'pull-from-mirror = "tag-only"'))
        self.pulls()
        self.assertEqual(self.asked(digests, "/manifests/"), [])
        self.assertTrue(self.asked(digests, "/blobs/"))
        before = len(self.asked(tags, "/manifests/"))
        self.mlreg("pull", f"{origin.host}/{REPO}@{self.artifact.digest}", "-o", "by-digest")
        self.assertTrue(self.asked(digests, "/manifests/"))
        self.assertEqual(len(self.asked(tags, "/manifests/")), before)
        self.assertEqual(self.asked(origin), [])

    def test_mirrors__a_location_takes_the_registrys_place(self):
        elsewhere = self.serve(repo="moved/model")
        self.conf(f'[[registry]]\nprefix = "gone.example/team"\nlocation = "{elsewhere.host}/moved"\n')
        self.pulls(f"gone.example/{REPO}:v1")

    def test_mirrors__config_and_streams_come_through_them_too(self):
        origin, mirror = self.serve(), self.serve()
        self.mirror(origin, mirror)
        self.assertEqual(self.mlreg("cat", self.ref, "x", text=False).stdout, self.data)
        self.assertEqual(self.asked(origin), [])
        self.mlreg("inspect", self.ref)
        self.assertEqual(self.asked(origin, "/blobs/"), [])

    # ---- who is not ----

    def test_mirrors__are_never_written_to(self):
        origin = self.evil([{"method": "GET|HEAD", "path": ".*", "status": 404}, {"method": "POST", "path": ".*", "status": 403}])
        mirror = self.serve()
        self.mirror(origin, mirror)
        self.fails("push", self.model(), self.ref, says=".")
        self.assertEqual(self.asked(mirror), [])

    def test_mirrors__a_push_looks_at_the_registrys_own_tag(self):
        """A mirror that is behind must not make a tag look free, or taken."""
        origin, mirror = self.serve(), self.serve(artifact=Artifact([("other", b"content")]))
        self.mirror(origin, mirror)
        self.built("mine:v1")
        self.fails("push", "mine:v1", self.ref, says="names|is at|already", hint="--move")
        self.assertEqual(self.asked(mirror), [])

    def test_mirrors__credentials_of_a_host_go_to_that_host_only(self):
        origin, mirror = self.serve(before=[ASKS], x={"status": 404}), self.serve(before=[ASKS], x={"status": 404})
        stranger = self.serve(before=[ASKS])
        self.mirror(origin, stranger, mirror)
        auth = {name: base64.b64encode(f"me:{name}-secret".encode()).decode() for name in ("origin", "mirror")}
        (self.home / ".docker").mkdir()
        (self.home / ".docker" / "config.json").write_text(json.dumps({"auths": {
            origin.host: {"auth": auth["origin"]}, mirror.host: {"auth": auth["mirror"]}}}))
        self.secrets |= {"origin-secret", "mirror-secret"}
        self.fails("pull", self.ref, says="tried before")
        self.assertEqual(self.sent(stranger), set())
        self.assertEqual(self.sent(mirror), {"Basic " + auth["mirror"]})
        self.assertEqual(self.sent(origin), {"Basic " + auth["origin"]})

    def test_mirrors__blocked_is_blocked_for_reading_and_writing(self):
        origin, mirror = self.serve(), self.serve()
        self.mirror(origin, mirror, more="blocked = true\n")
        says = r"is blocked by .*/registries\.conf, line 1"
        self.fails("pull", self.ref, says=says)
        self.fails("push", self.model(), self.ref, says=says)
        self.fails("tags", self.ref.rpartition(":")[0], says=says)
        self.assertEqual(self.asked(origin) + self.asked(mirror), [])

    def test_mirrors__a_broken_file_is_an_error_with_its_line(self):
        origin = self.serve()
        self.mirror(origin, "127.0.0.1:1", more="insecure = perhaps\n")
        self.fails("pull", self.ref, says=r"/registries\.conf, line 3: ", hint="CONTAINERS_REGISTRIES_CONF")
        self.assertEqual(self.asked(origin), [])

    # ---- what mirrors do wrong ----

    def test_mirrors__whatever_goes_wrong_with_a_blob_the_next_puts_right(self):
        for name, rule in {
                "other bytes": {"body_base64": wrong(self.data)},
                "fewer bytes": {"body_base64": base64.b64encode(self.data[:-1]).decode()},
                "more bytes": {"body_base64": base64.b64encode(self.data + b"x").decode(), "framing": "close"},
                "cut": {"do": "cut", "sent": 100_000},
                "reset": {"do": "cut", "sent": 100_000, "reset": True},
                "no answer": {"do": "close"},
                "an error": {"status": 500},
                "too many": {"status": 429, "headers": {"Retry-After": "1000"}},
                "denied": {"status": 403},
                "a page": {"body_base64": base64.b64encode(b"<html>sign in</html>").decode()},
                "redirect to nowhere": {"status": 307, "headers": {"Location": "http://"}},
        }.items():
            with self.subTest(name):
                origin, mirror = self.serve(), self.serve(x=rule)
                self.mirror(origin, mirror)
                self.pulls()
                self.assertTrue(self.asked(mirror, digest(self.data)))
                self.assertTrue(self.asked(origin, digest(self.data)))

    def test_mirrors__bytes_that_were_wrong_are_said_and_counted_once(self):
        origin, mirror = self.serve(), self.serve(x={"body_base64": wrong(self.data)})
        self.mirror(origin, mirror)
        done = self.mlreg("pull", self.ref, "--json")
        self.assertEqual(json.loads(done.stdout)["bytes"], len(self.data) + len(b"small") + len(b"{}"))
        self.assertIn(digest(self.data), done.stderr)
        self.assertEqual(self.mlreg("cat", self.ref, "x", text=False).stdout, self.data)

    def test_mirrors__whatever_goes_wrong_with_a_manifest_the_next_puts_right(self):
        other = Artifact([("x", b"other")])
        for name, rule in {
                "other bytes": {"body_base64": base64.b64encode(other.data).decode()},
                "a page": {"body_base64": base64.b64encode(b"<html>sign in</html>").decode()},
                "half": {"body_base64": base64.b64encode(self.artifact.data[:50]).decode(), "headers": {"Content-Type": MANIFEST}},
                "an endless one": {"do": "endless_body"},
                "no answer": {"do": "close"},
                "an error": {"status": 503},
        }.items():
            with self.subTest(name):
                origin, mirror = self.serve(), self.serve(manifest=rule)
                self.mirror(origin, mirror)
                self.pulls(f"{origin.host}/{REPO}@{self.artifact.digest}")
                if name != "other bytes":
                    self.pulls()

    def test_mirrors__one_that_is_away_is_asked_once(self):
        origin, mirror = self.serve(), self.serve(manifest={"do": "close"})
        self.mirror(origin, self.dead(), mirror)
        self.mlreg("pull", self.ref)
        self.assertEqual(len(self.asked(mirror)), 1)

    def test_mirrors__an_error_tells_all_that_were_tried(self):
        origin, empty = self.evil([]), self.evil([])
        dead = self.dead()
        self.mirror(origin, dead, empty)
        done = self.fails("pull", self.ref, says=f"v1.* 404.*tried before: http://{dead}: .*refused; http://{empty.host}: .*v1.* 404")
        self.assertNotIn("tried before: http://" + origin.host, done.stderr)

    def test_mirrors__where_all_give_wrong_bytes_nothing_is_kept(self):
        bad = {"body_base64": wrong(self.data)}
        origin, one, two = self.serve(x=bad), self.serve(x=bad), self.serve(x=bad)
        self.mirror(origin, one, two)
        self.fails("pull", self.ref, says="is sha256:[0-9a-f]{64}, not sha256:")
        self.fails("pull", self.ref, "-o", "out", says="is sha256:[0-9a-f]{64}, not sha256:")
        self.assertFalse((self.work / "out" / "x").exists())
        self.assertEqual([len(self.asked(s, digest(self.data))) for s in (one, two)], [2, 2])
        self.assertEqual(self.json("ls"), [])
        self.assertSound()

    # ---- real ones ----

    @needs("debian", "distribution")
    def test_mirrors__real_registries_stand_in_for_each_other(self):
        origin, mirror = self.registry("distribution"), self.registry("debian")
        folder = self.model()
        self.mlreg("push", folder, origin.ref("both:v1"))
        self.mlreg("push", folder, mirror.ref("both:v1"))
        self.mlreg("push", folder, mirror.ref("there:v1"))
        self.mlreg("push", folder, origin.ref("here:v1"))
        self.conf(f'[[registry]]\nprefix = "{origin.host}/{origin.part}"\nlocation = "{origin.host}/{origin.part}"\n'
                  f'[[registry.mirror]]\nlocation = "{mirror.host}/{mirror.part}"\n')
        for name in "both", "there", "here":
            self.mlreg("pull", origin.ref(name + ":v1"), "-o", name)
            self.assertSameFiles(folder, self.work / name)
        said = self.mlreg("pull", origin.ref("here:v1"), "-v").stderr
        self.assertRegex(said, f"{mirror.host}.*trying the next")
        self.fails("pull", origin.ref("nowhere:v1"), says=f"tried before: http://{mirror.host}")
