"""A registry that lies, stalls and floods: one clear error, nothing written outside, what was there before intact."""
import base64
import json
import time

from cli.oci import INDEX, MANIFEST, TITLE, Artifact, Index, descriptor, digest, layer, rules
from cli.program import Case

BIG = 300_000


class Hostile(Case):
    def serve(self, artifact, tag="v1", repo="evil", **changes):
        server = self.evil(rules(repo, tag, artifact, **changes))
        self.ref = f"{server.host}/{repo}:{tag}"
        return server

    def kept(self):
        """A store and a folder with something good in them, which an attack must not touch."""
        folder, _ = self.built("good:v1")
        self.mlreg("copy", "good:v1", "dir:out")
        return self.snapshot(self.work / "out")

    def refused(self, says, hint=r".", ways=("store", "folder"), **more):
        """Pulls by both ways; both fail alike and leave all as it was."""
        before, listed = self.kept(), self.json("ls")
        if "store" in ways:
            self.fails("pull", self.ref, says=says, hint=hint, **more)
        if "folder" in ways:
            self.fails("pull", self.ref, "-o", "out", says=says, hint=hint, **more)
            self.assertEqual(self.snapshot(self.work / "out"), before)
        self.assertEqual(self.json("ls"), listed)
        self.assertSound()

    # ---- names of files ----

    def test_hostile__titles_that_leave_the_folder(self):
        for title in ("../x", "/etc/x", "a/../../x", "a\\..\\b", "C:x", "x/", ".", "..", "a//b", "a/./b", "nul\u0001", "x:stream", "CON", "a" * 300, "b ", "dot."):
            with self.subTest(title):
                self.serve(Artifact([(title, b"bad")]))
                self.fails("pull", self.ref, "-o", "out", says=r"title|path|name|file")
                self.assertFalse(self.files(self.work / "out") if (self.work / "out").exists() else [])

    def test_hostile__titles_that_clash_by_case(self):
        self.serve(Artifact([("Readme.md", b"one"), ("README.md", b"two")]))
        self.refused(says="(?i)readme", ways=["folder"])

    def test_hostile__a_title_below_a_file(self):
        self.serve(Artifact([("a", b"one"), ("a/b", b"two")]))
        self.refused(says="a/b|\"a\"|a ", ways=["folder"])

    def test_hostile__filepath_of_other_tools_is_checked_alike(self):
        data = b"bad"
        entry = layer(data)
        entry["annotations"] = {"org.cncf.model.filepath": "../../x"}
        artifact = Artifact([], layers=[entry])
        artifact.blobs[digest(data)] = data
        self.serve(artifact)
        self.refused(says=r"\.\./", ways=["folder"])

    def test_hostile__a_link_in_the_way_is_not_followed(self):
        (self.work / "victim").mkdir()
        (self.work / "victim" / "x").write_text("mine")
        (self.work / "out").mkdir()
        (self.work / "out" / "dir").symlink_to(self.work / "victim")
        self.serve(Artifact([("dir/x", b"bad")]))
        self.fails("pull", self.ref, "-o", "out", says="link")
        self.assertEqual((self.work / "victim" / "x").read_text(), "mine")

    def test_hostile__a_link_that_stands_for_a_file_is_replaced_or_refused(self):
        (self.work / "victim").write_text("mine")
        (self.work / "out").mkdir()
        (self.work / "out" / "x").symlink_to(self.work / "victim")
        self.serve(Artifact([("x", b"bad")]))
        self.fails("pull", self.ref, "-o", "out", says="x")
        self.assertEqual((self.work / "victim").read_text(), "mine")

    # ---- bytes ----

    def test_hostile__other_bytes_than_the_digest_says(self):
        artifact = Artifact([("x", b"right")])
        self.serve(artifact, x={"body_base64": base64.b64encode(b"wrong").decode()})
        self.refused(says="is sha256:[0-9a-f]{64}, not sha256:")

    def test_hostile__a_header_that_vouches_for_wrong_bytes(self):
        artifact = Artifact([("x", b"right")])
        self.serve(artifact, x={"body_base64": base64.b64encode(b"wrong").decode(), "headers": {"Docker-Content-Digest": digest(b"right")}})
        self.refused(says="is sha256:[0-9a-f]{64}, not sha256:")

    def test_hostile__wrong_manifest_bytes_under_a_digest(self):
        artifact, other = Artifact([("x", b"right")]), Artifact([("y", b"other")])
        self.serve(artifact, manifest={"body_base64": base64.b64encode(other.data).decode(), "headers": {"Content-Type": MANIFEST, "Docker-Content-Digest": artifact.digest}})
        self.ref = self.ref.replace(":v1", "@" + artifact.digest)
        self.refused(says="is sha256:[0-9a-f]{64}, not sha256:")

    def test_hostile__sizes_that_lie(self):
        for size in 4, 6, 0, 2**62:
            with self.subTest(size):
                entry = layer(b"right", "x")
                entry["size"] = size
                artifact = Artifact([], layers=[entry])
                artifact.blobs[digest(b"right")] = b"right"
                self.serve(artifact)
                self.refused(says=r"bytes|is not there", ways=["store"])

    def test_hostile__sizes_that_are_none(self):
        for size in -1, "5", 1.5, 2**64, None, 1e300:
            with self.subTest(size):
                entry = {**layer(b"right", "x"), "size": size}
                self.serve(Artifact([], layers=[entry]))
                self.refused(says="size", ways=["store"])

    def test_hostile__an_endless_body(self):
        artifact = Artifact([("x", b"right")])
        self.serve(artifact, x={"do": "endless_body"})
        self.refused(says=r"bytes|size|long|more")

    def test_hostile__a_truncated_body(self):
        """Cut again and again: tries are counted, and what there is stays unpublished."""
        data = bytes(BIG)
        self.serve(Artifact([("x", data)]), x={"do": "cut", "sent": 1000})
        self.refused(says=r"broke off|cut|closed|ended|bytes", ways=["store"])

    def test_hostile__a_body_cut_twice_arrives(self):
        data = self.random.randbytes(BIG)
        artifact = Artifact([("x", data)])
        script = rules("evil", "v1", artifact)
        blob = next(r for r in script if r["path"].endswith(digest(data)))
        script.insert(0, {**blob, "do": "cut", "sent": 100_000, "times": 2})
        server = self.evil(script)
        self.mlreg("pull", f"{server.host}/evil:v1", "-o", "out")
        self.assertEqual((self.work / "out" / "x").read_bytes(), data)

    # ---- documents ----

    def test_hostile__html_in_place_of_json(self):
        html = base64.b64encode(b"<html><body>Please sign in</body></html>").decode()
        for headers in {"Content-Type": "text/html"}, {"Content-Type": MANIFEST}, {}:
            self.serve(Artifact([("x", b"right")]), manifest={"body_base64": html, "headers": headers})
            self.refused(says="v1", ways=["store"])

    def test_hostile__html_as_an_error(self):
        server = self.evil([{"path": "/v2/", "status": 200}, {"status": 503, "body": "<html>\x1b[31mdown\x00</html>", "headers": {"Content-Type": "text/html", "Retry-After": "0"}}])
        self.ref = f"{server.host}/evil:v1"
        self.refused(says="503", ways=["store"])

    def test_hostile__manifests_that_are_not_quite(self):
        good = json.loads(Artifact([("x", b"right")]).data)
        data = {
            "both manifest and index": json.dumps({**good, "manifests": []}),
            "another media type than the header": json.dumps({**good, "mediaType": INDEX}),
            "a key twice": json.dumps(good)[:-1] + ', "layers": []}',
            "keys that differ by case": json.dumps(good)[:-1] + ', "Layers": []}',
            "more behind the end": json.dumps(good) + "{}",
            "a byte order mark": "\ufeff" + json.dumps(good),
            "a NUL in a string": json.dumps({**good, "annotations": {"a": "b\u0000c"}}),
            "deep": json.dumps(good)[:-1] + ', "x": ' + "[" * 5000 + "]" * 5000 + "}",
            "no layers but a list of numbers": json.dumps({**good, "layers": [1, 2]}),
            "no digest": json.dumps({**good, "layers": [{"mediaType": "a/b", "size": 1, "digest": "sha256:../../../../etc/passwd"}]}),
            "a string": '"x"',
            "nothing": "",
            "schema 1": json.dumps({"schemaVersion": 1, "name": "x", "fsLayers": []}),
        }
        self.kept()
        listed = self.json("ls")
        for what, text in data.items():
            with self.subTest(what):
                self.serve(Artifact([("x", b"right")]), manifest={"body_base64": base64.b64encode(text.encode()).decode()})
                self.fails("pull", self.ref, says="v1|manifest")
        self.assertEqual(self.json("ls"), listed)

    def test_hostile__a_manifest_over_the_limit(self):
        self.serve(Artifact([("x", b"right")], annotations={"pad": "x" * (5 << 20)}))
        self.refused(says="4194304|4 MiB|limit|larger|long", ways=["store"])

    def test_hostile__an_index_of_itself(self):
        """A digest cannot hold itself, but a registry may answer any digest with an index that names it."""
        child = {"mediaType": INDEX, "digest": "sha256:" + "a" * 64, "size": 300}
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]})
        server = self.evil([{"path": "/v2/", "status": 200}, {"path": "/v2/evil/manifests/.*", "body": body, "headers": {"Content-Type": INDEX}}])
        self.ref = f"{server.host}/evil:v1"
        self.refused(says="not sha256:a{64}", ways=["store"])

    def test_hostile__a_config_that_is_no_json(self):
        """It is carried; only who looks at it sees that it is none."""
        artifact = Artifact([("x", b"right")], config=b'{"a":\x1b[31m "b"}')
        self.serve(artifact)
        self.assertIsNone(self.json("inspect", self.ref)["config"])
        self.assertNotIn("\x1b", self.mlreg("inspect", self.ref).stdout)

    def test_hostile__what_json_shows_steers_no_terminal(self):
        """Control characters of the upper range are obeyed as well, and what is no UTF-8 is no JSON."""
        artifact = Artifact([("x", b"right")], config=b'{"a": "\xc2\x9b2J\xff\x7f\xc3\xa9"}', annotations={"b": "\x9b2J\x7f\u00e9"})
        self.serve(artifact)
        shown = self.mlreg("inspect", self.ref, "--json").stdout
        self.assertEqual([c for c in shown if not c.isprintable() and c != "\n"], [])
        self.assertEqual((json.loads(shown)["config"]["a"], json.loads(shown)["annotations"]["b"]), ("\x9b2J\ufffd\x7f\u00e9", "\x9b2J\x7f\u00e9"))
        self.mlreg("pull", self.ref)

    def test_hostile__control_characters_do_not_reach_the_terminal(self):
        artifact = Artifact([("x", b"right")], artifactType="application/x", annotations={"k\x1b[2J": "v\x1b]0;owned\x07\u009b31m"})
        self.serve(artifact)
        shown = self.mlreg("inspect", self.ref).stdout
        self.assertFalse([c for c in shown if ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0])
        self.assertEqual(self.json("inspect", self.ref)["annotations"], {"k\x1b[2J": "v\x1b]0;owned\x07\u009b31m"})

    def test_hostile__unknown_media_types_are_carried(self):
        data = b"who knows"
        entry = descriptor(data, "application/vnd.example.unheard-of+cbor", annotations={"any": "thing"}, **{"x-new-member": [1]})
        artifact = Artifact([], config=b"\x00\x01", layers=[entry], artifactType="application/vnd.example.new")
        artifact.blobs[digest(data)] = data
        self.serve(artifact)
        self.assertEqual(self.json("pull", self.ref)["digest"], artifact.digest)
        self.mlreg("copy", "store:" + self.ref, "oci:layout:v1")
        self.assertEqual((self.work / "layout" / "blobs" / "sha256" / artifact.digest[7:]).read_bytes(), artifact.data)
        self.assertSound()

    # ---- lists ----

    def test_hostile__tag_lists_without_end(self):
        for page in ({"body": '{"name": "evil", "tags": ["t$COUNT"]}', "headers": {"Link": '</v2/evil/tags/list?last=$COUNT>; rel="next"'}},
                     {"body": '{"name": "evil", "tags": ["same"]}', "headers": {"Link": '</v2/evil/tags/list?last=x>; rel="next"'}}):
            server = self.evil([{"path": "/v2/", "status": 200}, {"path": "/v2/evil/tags/list.*", **page}])
            began = time.monotonic()
            done = self.mlreg("tags", f"{server.host}/evil", status=0 if "same" in page["body"] else 1)
            self.assertLess(time.monotonic() - began, 30)
            self.assertEqual(done.stdout, "same\n" if "same" in page["body"] else "")
            self.assertLess(len(server.requests()), 20_000)

    def test_hostile__a_next_page_elsewhere_is_not_fetched(self):
        thief = self.evil([])
        server = self.evil([{"path": "/v2/", "status": 200}, {"path": "/v2/evil/tags/list.*", "body": '{"name": "evil", "tags": ["a"]}',
                                                             "headers": {"Link": f'<http://{thief.host}/v2/evil/tags/list>; rel="next"'}}])
        self.fails("tags", f"{server.host}/evil", says="at another origin")
        self.assertEqual(thief.requests(), [])

    def test_hostile__tags_that_are_none(self):
        server = self.evil([{"path": "/v2/", "status": 200}, {"path": "/v2/evil/tags/list.*", "body": json.dumps({"name": "evil", "tags": ["ok", "bad\x1b[31m", "../x"]})}])
        shown = self.mlreg("tags", f"{server.host}/evil", status=None).stdout
        self.assertNotIn("\x1b", shown)

    # ---- login and origin ----

    def test_hostile__a_loop_of_401(self):
        server = self.evil([{"status": 401, "headers": {"WWW-Authenticate": 'Basic realm="x"'}}])
        self.credentials(server.host)
        self.fails("pull", f"{server.host}/evil:v1", says=server.host, hint="log in")
        self.assertLess(len(server.requests()), 10)

    def test_hostile__a_token_server_that_loops(self):
        server = self.evil([{"path": "/token.*", "body": '{"token": "t$COUNT"}'},
                            {"status": 401, "headers": {"WWW-Authenticate": 'Bearer realm="$URL/token",service="s",scope="repository:evil:pull"'}}])
        self.fails("pull", f"{server.host}/evil:v1", says=server.host, hint="log in")
        self.assertLess(len(server.requests()), 20)

    def credentials(self, host, secret="hunter2-is-the-secret"):
        """A config.json of docker with a password for the host."""
        folder = self.home / "docker"
        folder.mkdir(exist_ok=True)
        auth = base64.b64encode(f"me:{secret}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
        self.env["DOCKER_CONFIG"] = str(folder)
        self.secrets |= {secret}
        self.may_hold_secrets |= {folder / "config.json"}
        self.encoded = auth
        return folder

    def seen_by(self, thief):
        return " ".join(json.dumps(r) for r in thief.requests())

    def test_hostile__credentials_do_not_follow_a_redirect(self):
        data = b"right"
        artifact = Artifact([("x", data)])
        thief = self.evil([{"body_base64": base64.b64encode(data).decode()}])
        script = rules("evil", "v1", artifact, x={"status": 307, "headers": {"Location": f"http://localhost:{thief.port}/stolen"}})
        for rule in script:
            rule["header"] = {"Authorization": "Basic .*"}
        server = self.evil(script + [{"status": 401, "headers": {"WWW-Authenticate": 'Basic realm="x"'}}])
        self.credentials(server.host)
        self.mlreg("pull", f"{server.host}/evil:v1", "-o", "out")
        self.assertEqual((self.work / "out" / "x").read_bytes(), data)
        self.assertEqual([r["path"] for r in thief.requests()], ["/stolen"])
        self.assertNotIn(self.encoded, self.seen_by(thief))

    def test_hostile__an_upload_location_elsewhere_gets_no_credentials(self):
        thief = self.evil([{"method": "PUT|PATCH|POST", "status": 201, "headers": {"Location": "/x"}}])
        server = self.evil([
            {"header": {"Authorization": None}, "status": 401, "headers": {"WWW-Authenticate": 'Basic realm="x"'}},
            {"method": "POST", "path": "/v2/evil/blobs/uploads/.*", "status": 202, "headers": {"Location": f"http://localhost:{thief.port}/up"}},
            {"method": "HEAD|GET", "path": "/v2/", "status": 200},
            {"method": "PUT", "path": "/v2/evil/manifests/.*", "status": 201}])
        self.credentials(server.host)
        self.built("m:v1", weights=4000)
        self.mlreg("push", "m:v1", f"{server.host}/evil:v1", status=None)
        self.assertNotIn(self.encoded, self.seen_by(thief))
        self.assertNotIn("hunter2", self.seen_by(thief))

    def test_hostile__a_realm_elsewhere_gets_no_password_over_plain_http(self):
        thief = self.evil([{"body": '{"token": "x"}'}])
        server = self.evil([{"status": 401, "headers": {"WWW-Authenticate": f'Bearer realm="http://me@localhost:{thief.port}/token",service="s"'}}])
        self.credentials(server.host)
        self.fails("pull", f"{server.host}/evil:v1", says="names a user")
        self.assertNotIn(self.encoded, self.seen_by(thief))

    def test_hostile__redirects_without_end(self):
        artifact = Artifact([("x", b"right")])
        self.serve(artifact, x={"status": 307, "headers": {"Location": "$URL$PATH"}})
        self.refused(says="redirect", ways=["store"])

    def test_hostile__a_redirect_to_a_file(self):
        artifact = Artifact([("x", b"right")])
        self.serve(artifact, x={"status": 307, "headers": {"Location": "file:///etc/passwd"}})
        self.refused(says="file:|redirect|scheme|http", ways=["store"])

    def test_hostile__urls_in_a_descriptor_are_not_followed(self):
        thief = self.evil([{"body": "right"}])
        entry = {**layer(b"right", "x"), "urls": [f"http://{thief.host}/x"]}
        self.serve(Artifact([], layers=[entry]))
        self.refused(says="404|sha256|not", ways=["store"])
        self.assertEqual(thief.requests(), [])

    # ---- pushing ----

    def test_hostile__a_registry_that_claims_another_digest(self):
        """What it says of the manifest's digest is a hint; that it differs is no secret to keep."""
        server = self.evil([{"path": "/v2/", "status": 200}, {"method": "HEAD", "path": ".*/blobs/.*", "status": 200},
                            {"method": "PUT", "path": ".*/manifests/.*", "status": 201, "headers": {"Docker-Content-Digest": "sha256:" + "b" * 64}}])
        _, expected = self.built("m:v1", weights=4000)
        done = self.mlreg("push", "m:v1", f"{server.host}/evil:v1", "--json", status=None)
        if done.returncode == 0:
            self.assertEqual(json.loads(done.stdout)["digest"], expected)

    def test_hostile__uploads_that_are_refused(self):
        for status, body in ((413, "too large"), (500, "oops"), (403, '{"errors": [{"code": "DENIED", "message": "quota exceeded"}]}')):
            server = self.evil([{"path": "/v2/", "status": 200}, {"method": "HEAD", "status": 404}, {"method": "POST", "status": status, "body": body, "headers": {"Retry-After": "0"}}])
            self.built("m:v1", weights=4000)
            done = self.fails("push", "m:v1", f"{server.host}/evil:v1", says=str(status))
            if status == 403:
                self.assertIn("quota exceeded", done.stderr)
        self.assertSound()
