"""The distribution specification, request by request: blobs, uploads, manifests, lists, referrers."""
import json
import signal
import socket

from serve.server import INDEX, MANIFEST, Case, digest

DATA = bytes(range(256)) * 64


class Blobs(Case):
    def setUp(self):
        super().setUp()
        self.path = "/v2/team/x/blobs/" + self.push_blob(DATA)

    def test_blob__comes_whole_with_its_digest_for_ever(self):
        answer = self.ask("GET", self.path, want=200)
        self.assertEqual(answer.body, DATA)
        self.assertEqual(answer.headers["Docker-Content-Digest"], digest(DATA))
        self.assertIn("immutable", answer.headers["Cache-Control"])
        head = self.ask("HEAD", self.path, want=200)
        self.assertEqual((head.headers["Content-Length"], head.body), (str(len(DATA)), b""))

    def test_blob__comes_in_ranges(self):
        for asked, first, last in (("0-0", 0, 0), ("1-9", 1, 9), ("16000-", 16000, len(DATA) - 1), ("-5", len(DATA) - 5, len(DATA) - 1),
                                   ("5-99999999", 5, len(DATA) - 1), ("-99999999", 0, len(DATA) - 1)):
            answer = self.ask("GET", self.path, want=206, Range=f"bytes={asked}")
            self.assertEqual(answer.body, DATA[first:last + 1], asked)
            self.assertEqual(answer.headers["Content-Range"], f"bytes {first}-{last}/{len(DATA)}")
        for asked in ("99999999-", "-0", "9-1"):
            answer = self.ask("GET", self.path, want=416, Range=f"bytes={asked}")
            self.assertEqual(answer.headers["Content-Range"], f"bytes */{len(DATA)}")
        for asked in ("bytes=x", "bytes=1-2,4-5", "lines=1-2", "bytes=--1", "bytes=1", "bytes="):
            self.assertEqual(self.ask("GET", self.path, want=200, Range=asked).body, DATA, asked)

    def test_blob__that_the_client_has_is_not_sent_again(self):
        etag = self.ask("GET", self.path).headers["ETag"]
        self.assertEqual(self.ask("GET", self.path, want=304, If_None_Match=etag).body, b"")
        self.ask("GET", self.path, want=200, If_None_Match='"other"')
        self.ask("GET", self.path, want=206, Range="bytes=0-1", If_Range=etag)
        self.ask("GET", self.path, want=200, Range="bytes=0-1", If_Range='"other"')

    def test_blob__belongs_to_its_repository_until_it_is_mounted(self):
        there = f"/v2/team/y/blobs/{digest(DATA)}"
        self.assertEqual(self.ask("GET", there, want=404).code(), "BLOB_UNKNOWN")
        self.ask("POST", f"/v2/team/y/blobs/uploads/?mount={digest(DATA)}&from=team/z", want=202)
        self.ask("GET", there, want=404)
        self.ask("POST", f"/v2/team/y/blobs/uploads/?mount={digest(DATA)}&from=team/x", want=201)
        self.assertEqual(self.ask("GET", there, want=200).body, DATA)

    def test_blob__digests_that_are_none_are_refused(self):
        self.assertEqual(self.ask("GET", "/v2/team/x/blobs/sha256:00", want=400).code(), "DIGEST_INVALID")
        self.ask("DELETE", self.path, want=405)


class Uploads(Case):
    def begin(self):
        answer = self.ask("POST", "/v2/team/x/blobs/uploads/", want=202)
        self.assertEqual(answer.headers["Range"], "0-0")
        return answer.headers["Location"]

    def test_upload__in_chunks_keeps_their_order(self):
        where = self.begin()
        self.ask("PATCH", where, DATA[:1000], 202, Content_Range="0-999")
        for wrong in ("0-999", "1001-2000", "x", "2000-1000", "1000-1998"):
            answer = self.ask("PATCH", where, DATA[1000:2000], 416, Content_Range=wrong)
            self.assertEqual(answer.headers["Range"], "0-999")
        self.assertEqual(self.ask("PATCH", where, DATA[1000:2000], 202, Content_Range="1000-1999").headers["Range"], "0-1999")
        self.assertEqual(self.ask("GET", where, want=204).headers["Range"], "0-1999")
        self.ask("PUT", f"{where}?digest={digest(DATA)}", DATA[2000:], 201)
        self.assertEqual(self.ask("GET", f"/v2/team/x/blobs/{digest(DATA)}", want=200).body, DATA)

    def test_upload__goes_on_after_the_server_was_killed(self):
        where = self.begin()
        self.ask("PATCH", where, DATA[:5000], 202)
        self.server.stop(signal.SIGKILL)
        self.server.start()
        self.assertEqual(self.ask("GET", where, want=204).headers["Range"], "0-4999")
        self.ask("PUT", f"{where}?digest={digest(DATA)}", DATA[5000:], 201)
        self.server.stop(signal.SIGKILL)
        self.server.start()
        self.assertEqual(self.ask("GET", f"/v2/team/x/blobs/{digest(DATA)}", want=200).body, DATA)

    def test_upload__with_a_wrong_digest_leaves_nothing(self):
        where = self.begin()
        self.assertEqual(self.ask("PUT", f"{where}?digest={digest(b'x')}", DATA, 400).code(), "DIGEST_INVALID")
        self.ask("GET", where, want=404)
        self.ask("GET", f"/v2/team/x/blobs/{digest(b'x')}", want=404)
        self.assertEqual(list(self.server.store.glob(".mlreg/partial/*")), [])

    def test_upload__that_is_cancelled_or_another_s_is_not_there(self):
        where = self.begin()
        self.ask("GET", where.replace("team/x", "team/y"), want=404)
        self.ask("DELETE", where, want=204)
        self.assertEqual(self.ask("PATCH", where, b"x", 404).code(), "BLOB_UPLOAD_UNKNOWN")
        self.ask("PUT", self.begin(), b"x", 400)


class Manifests(Case):
    def test_manifest__is_kept_byte_for_byte_by_tag_and_digest(self):
        answer, name = self.push()
        self.assertEqual(answer.headers["Docker-Content-Digest"], name)
        for ref in ("1", name):
            got = self.ask("GET", f"/v2/team/x/manifests/{ref}", want=200)
            self.assertEqual((digest(got.body), got.headers["Content-Type"]), (name, MANIFEST))
            self.ask("GET", f"/v2/team/x/manifests/{ref}", want=304, If_None_Match=f'"{name}"')
        self.assertEqual(self.ask("GET", "/v2/team/x/manifests/2", want=404).code(), "MANIFEST_UNKNOWN")

    def test_manifest__that_a_tag_left_stays_by_digest(self):
        _, old = self.push()
        _, new = self.push(data=b"other weights")
        self.assertEqual(self.ask("GET", "/v2/team/x/manifests/1", want=200).headers["Docker-Content-Digest"], new)
        self.ask("GET", f"/v2/team/x/manifests/{old}", want=200)
        self.ask("DELETE", "/v2/team/x/manifests/1", want=202)
        self.ask("GET", "/v2/team/x/manifests/1", want=404)
        self.ask("GET", f"/v2/team/x/manifests/{new}", want=200)
        self.ask("DELETE", f"/v2/team/x/manifests/{new}", want=202)
        self.ask("GET", f"/v2/team/x/manifests/{new}", want=404)

    def test_manifest__that_names_what_is_not_there_is_refused(self):
        self.assertEqual(self.ask("PUT", "/v2/team/x/manifests/1", self.manifest(), 400, Content_Type=MANIFEST).code(), "MANIFEST_BLOB_UNKNOWN")
        for body in (b"", b"{}", b"[", b'{"schemaVersion":2}', self.manifest() + b"x"):
            self.assertEqual(self.ask("PUT", "/v2/team/x/manifests/1", body, 400, Content_Type=MANIFEST).code(), "MANIFEST_INVALID")
        self.push_blob(b"some weights")
        self.assertEqual(self.ask("PUT", f"/v2/team/x/manifests/{digest(b'x')}", self.manifest(), 400).code(), "DIGEST_INVALID")
        self.ask("PUT", "/v2/team/x/manifests/1", b" " * (4 << 20) + self.manifest(), 413)
        self.ask("GET", "/v2/team/x/tags/list", want=404)

    def test_tags__come_in_pages(self):
        for tag in ("b", "a", "c"):
            self.push(tag)
        self.assertEqual(self.ask("GET", "/v2/team/x/tags/list", want=200).json(), {"name": "team/x", "tags": ["a", "b", "c"]})
        page = self.ask("GET", "/v2/team/x/tags/list?n=2", want=200)
        self.assertEqual(page.json()["tags"], ["a", "b"])
        rest = self.ask("GET", page.headers["Link"].partition(">")[0][1:], want=200)
        self.assertEqual((rest.json()["tags"], rest.headers["Link"]), (["c"], None))
        self.assertEqual(self.ask("GET", "/v2/team/x/tags/list?n=0", want=200).json()["tags"], [])
        self.assertEqual(self.ask("GET", "/v2/_catalog?n=1", want=200).json(), {"repositories": ["team/x"]})

    def test_referrers__are_found_filtered_and_may_come_first(self):
        subject = {"mediaType": MANIFEST, "digest": digest(self.manifest()), "size": len(self.manifest())}
        answer, one = self.push(None, b"a signature", subject=subject, artifactType="test/signature", annotations={"k": "v"})
        self.assertEqual(answer.headers["OCI-Subject"], subject["digest"])
        self.push(None, b"a scan", subject=subject, artifactType="test/scan")
        path = f"/v2/team/x/referrers/{subject['digest']}"
        found = self.ask("GET", path, want=200)
        self.assertEqual(found.headers["Content-Type"], INDEX)
        self.assertEqual(len(found.json()["manifests"]), 2)
        some = self.ask("GET", path + "?artifactType=test/signature", want=200)
        self.assertEqual(some.headers["OCI-Filters-Applied"], "artifactType")
        got, = some.json()["manifests"]
        self.assertEqual((got["digest"], got["artifactType"], got["annotations"]), (one, "test/signature", {"k": "v"}))
        self.assertEqual(self.ask("GET", f"/v2/team/none/referrers/{one}", want=200).json()["manifests"], [])

    def test_referrers__below_an_index_are_found(self):
        subject = {"mediaType": MANIFEST, "digest": digest(b"not here"), "size": 8}
        _, child = self.push(None, subject=subject)
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": MANIFEST, "digest": child,
                            "size": len(self.manifest(subject=subject))}]}).encode()
        self.ask("PUT", "/v2/team/x/manifests/all", index, 201, Content_Type=INDEX)
        got, = self.ask("GET", f"/v2/team/x/referrers/{subject['digest']}", want=200).json()["manifests"]
        self.assertEqual(got["digest"], child)
        self.ask("DELETE", f"/v2/team/x/manifests/{child}", want=405)


class Names(Case):
    def test_names__that_are_none_reach_no_file(self):
        before = sorted(p for p in self.folder.rglob("*") if p.name != "log")
        for name in ("..", "../x", "x/../../y", "%2e%2e/x", "x//y", "X", ".mlreg/blobs", "x/.mlreg", "x%00y", "-x", "x-", "x/", "a" * 300, "x%2f..%2fy", "%5c"):
            for method, tail in (("POST", "blobs/uploads/"), ("GET", "manifests/1"), ("PUT", "manifests/1"), ("GET", "tags/list")):
                self.assertIn(self.ask(method, f"/v2/{name}/{tail}", b"" if method != "GET" else None).status, (400, 404, 405), name)
        self.assertEqual(sorted(p for p in self.folder.rglob("*") if p.name != "log"), before)
        self.ask("GET", "/v2/x/manifests/../../../etc/passwd", want=404)
        self.ask("GET", f"/v2/x/blobs/uploads/{'../' * 8}etc/passwd", want=404)
        self.ask("BREW", "/v2/x/manifests/1", want=405)
        self.ask("GET", "/elsewhere", want=404)

    def test_names__of_the_protocol_may_be_repositories(self):
        for name in ("blobs/uploads", "manifests", "tags/list", "v2", "index.json"):
            self.push(repo=name)
            self.ask("GET", f"/v2/{name}/manifests/1", want=200)


class Framing(Case):
    def answers(self, *headers, body):
        """The status of each answer to a POST with these headers."""
        with socket.create_connection(("127.0.0.1", self.server.port), 60) as s:
            s.sendall("\r\n".join(("POST /v2/x/blobs/uploads/ HTTP/1.1", "Host: x", *headers, "", body)).encode())
            s.shutdown(socket.SHUT_WR)
            lines = b"".join(iter(lambda: s.recv(65536), b"")).split(b"\r\n")
        return [int(line.split()[1]) for line in lines if line.startswith(b"HTTP/1.1 ")]

    def test_framing__that_a_proxy_may_read_in_another_way_is_refused(self):
        hidden = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
        self.assertEqual(self.answers("Content-Length: 5", body="hello" + hidden), [202, 200])
        for headers, body in ((("Content-Length: 0", f"Content-Length: {len(hidden)}"), hidden), (("Content-Length: 5", "Content-Length: 0"), "hello"),
                              (("Content-Length: 5", "Transfer-Encoding: chunked"), "0\r\n\r\n" + hidden), (("Content-Length : 5",), "hello" + hidden)):
            with self.subTest(headers=headers):
                self.assertEqual(self.answers(*headers, body=body), [400])
