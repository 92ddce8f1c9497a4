"""servers.py - the registries of the bed as the matrix sees them: where they are, who may in, and what each of them can do."""
import base64
import hashlib
import http.client
import json
import os
import re
import ssl
import urllib.parse
import urllib.request

from cli.oci import EMPTY, MANIFEST, descriptor, digest

# name in tests/bed/with-registries: the registry and how it is reached
KINDS = {
    "debian": ("docker-registry 2.8.2", "open"), "htpasswd": ("docker-registry 2.8.2", "basic"), "debian_token": ("docker-registry 2.8.2", "token"),
    "tls": ("docker-registry 2.8.2", "tls"), "redirect": ("docker-registry 2.8.2", "redir"),
    "distribution": ("distribution 3.1.2", "open"), "distribution_htpasswd": ("distribution 3.1.2", "basic"), "token": ("distribution 3.1.2", "token"),
    "distribution_tls": ("distribution 3.1.2", "tls"), "distribution_redirect": ("distribution 3.1.2", "redir"),
    "go": ("go", "open"),
}
ACCEPT = ", ".join([MANIFEST, "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
                    "application/vnd.docker.distribution.manifest.list.v2+json"])


class Server:
    def __init__(self, name):
        variable = "MLREG_TEST_REGISTRY_" + name.upper()
        self.name, (self.registry, self.way) = name, KINDS[name]
        self.url = os.environ[variable]
        self.scheme, _, self.host = self.url.partition("://")
        self.user, self.password = os.environ.get(variable + "_USER"), os.environ.get(variable + "_PASSWORD")
        self.ca_file = os.environ.get("MLREG_TEST_CA_FILE") if self.scheme == "https" else None

    def flag(self, *args):
        """What a client must be told where there is no TLS."""
        return args if self.scheme == "http" else ()

    def environment(self):
        folder = os.environ["MLREG_TEST_DOCKER_CONFIG"]
        return {"DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": f"{folder}/config.json", **({"SSL_CERT_FILE": self.ca_file} if self.ca_file else {})}

    def ref(self, repo, name="v1"):
        """A tag, or "@" and a digest, as mlreg is told it."""
        return f"{'https://' if self.ca_file else ''}{self.host}/{repo}{name if name[0] == '@' else ':' + name}"

    # ---- spoken to without any client ----

    def send(self, method, target, body=None, headers=()):
        """One request, without redirects followed: status, headers, body."""
        if self.ca_file:
            connection = http.client.HTTPSConnection(self.host, timeout=60, context=ssl.create_default_context(cafile=self.ca_file))
        else:
            connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, target, body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def ask(self, method, target, body=None, headers=(), repo=None):
        """The same with what the registry wants to see first."""
        headers = {"Accept": ACCEPT, **dict(headers)}
        status, got, data = self.send(method, target, body, headers)
        if status != 401 or not self.user:
            return status, got, data
        return self.send(method, target, body, {**headers, "Authorization": self.pass_for(got["WWW-Authenticate"], repo)})

    def pass_for(self, challenge, repo):
        basic = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if challenge.lower().startswith("basic"):
            return basic
        said = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = urllib.parse.urlsplit(said["realm"])
        query = urllib.parse.urlencode([("service", said["service"])] + [("scope", f"repository:{r}:pull,push,delete") for r in repo or ()])
        connection = http.client.HTTPConnection(realm.netloc, timeout=60)
        try:
            connection.request("GET", f"{realm.path}?{query}", headers={"Authorization": basic})
            return "Bearer " + json.loads(connection.getresponse().read())["token"]
        finally:
            connection.close()

    def manifest(self, repo, name="v1"):
        """The bytes that a tag or digest names."""
        status, _, data = self.ask("GET", f"/v2/{repo}/manifests/{name}", repo=[repo])
        if status != 200:
            raise AssertionError(f"{self.host}/{repo}:{name} answers {status}: {data[:300]!r}")
        return data


class Facts:
    """What a registry can do, found by doing it. Each fact is "yes", or "no" and what it said."""

    def __init__(self, there, repo="peers/facts"):
        self.there, self.repo = there, repo

    def ask(self, method, path, body=None, headers=(), repos=()):
        target = path if path.startswith("/") else f"/v2/{self.repo}/{path}"
        return self.there.ask(method, target, body, headers, [self.repo, *repos])

    def begin(self, query=""):
        status, headers, _ = self.ask("POST", f"blobs/uploads/{query}", b"")
        return status, self.local(headers["Location"])

    @staticmethod
    def local(location):
        """A Location without its host: a proxy in front may not be named in it."""
        parts = urllib.parse.urlsplit(location or "")
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def finish(self, location, name, body=b""):
        return self.ask("PUT", f"{location}{'&' if '?' in location else '?'}digest={name}", body)[0]

    def put_blob(self, data):
        return self.finish(self.begin()[1], digest(data), data)

    def patch(self, location, data, first):
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{first}-{first + len(data) - 1}"}
        status, got, _ = self.ask("PATCH", location, data, headers)
        return status, self.local(got["Location"]) if got["Location"] else location

    def put_manifest(self, data, tag="v1"):
        return self.ask("PUT", f"manifests/{tag}", data, {"Content-Type": MANIFEST})[0]

    def artifact(self, text):
        self.put_blob(b"{}")
        self.put_blob(text)
        return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.fact",
                           "config": descriptor(b"{}", EMPTY), "layers": [descriptor(text, "text/plain")]}).encode()

    # ---- the facts ----

    def ranges(self):
        self.put_blob(b"0123456789")
        status, headers, data = self.ask("GET", f"blobs/{digest(b'0123456789')}", headers={"Range": "bytes=3-5"})
        if status == 307:
            with urllib.request.urlopen(urllib.request.Request(headers["Location"], headers={"Range": "bytes=3-5"}), timeout=60) as answer:
                status, data = answer.status, answer.read()
        return "yes" if (status, data) == (206, b"345") else f"no: {status}"

    def referrers(self):
        self.put_manifest(data := self.artifact(b"referred to"))
        status, _, _ = self.ask("GET", f"referrers/{digest(data)}")
        return "yes" if status == 200 else f"no: {status}"

    def mount(self):
        self.put_blob(b"to be mounted")
        other = Facts(self.there, self.repo + "-other")
        status, _, _ = other.ask("POST", f"blobs/uploads/?mount={digest(b'to be mounted')}&from={self.repo}", b"", repos=[self.repo])
        return "yes" if status == 201 else f"no: {status}"

    def delete_by_tag(self):
        self.put_manifest(self.artifact(b"gone by tag"), "gone")
        status, _, _ = self.ask("DELETE", "manifests/gone")
        return "yes" if status == 202 and self.ask("GET", "manifests/gone")[0] == 404 else f"no: {status}"

    def delete_by_digest(self):
        data = self.artifact(b"gone by digest")
        self.put_manifest(data)
        status, _, _ = self.ask("DELETE", f"manifests/{digest(data)}")
        return "yes" if status == 202 and self.ask("GET", "manifests/v1")[0] == 404 else f"no: {status}"

    def chunked(self):
        _, location = self.begin()
        for first, piece in (0, b"one chunk, "), (11, b"and another"):
            status, location = self.patch(location, piece, first)
            if status != 202:
                return f"no: {status}"
        status = self.finish(location, digest(b"one chunk, and another"))
        return "yes" if status == 201 else f"no: {status}"

    def resumed(self):
        """What is there is asked for, as after a break."""
        _, location = self.begin()
        _, location = self.patch(location, b"before ", 0)
        status, headers, _ = self.ask("GET", location)
        if status != 204 or headers["Range"] != "0-6":
            return f"no: {status}, range {headers['Range']}"
        _, location = self.patch(self.local(headers["Location"]) or location, b"and after", 7)
        status = self.finish(location, digest(b"before and after"))
        return "yes" if status == 201 else f"no: {status}"

    def order(self):
        _, location = self.begin()
        _, location = self.patch(location, b"before ", 0)
        status, _ = self.patch(location, b"wrong", 3)
        return "yes" if status == 416 else f"no: {status} for a part at a wrong place"

    def sha512(self):
        data = b"another algorithm"
        name = "sha512:" + hashlib.sha512(data).hexdigest()
        status = self.finish(self.begin()[1], name, data)
        if status != 201:
            return f"no: {status}"
        status = self.ask("GET", f"blobs/{name}")[0]
        return "yes" if status in (200, 307) else f"no: {status} when it is asked for again"

    def paged_tags(self):
        for tag in "a", "b", "c":
            self.put_manifest(self.artifact(b"of three tags"), tag)
        _, headers, data = self.ask("GET", "tags/list?n=1")
        return "yes" if headers["Link"] and len(json.loads(data)["tags"]) == 1 else "no: all at once"

    def all(self):
        found = {}
        for fact in FACTS:
            try:
                found[fact] = getattr(self, fact)()
            except (OSError, http.client.HTTPException) as problem:
                found[fact] = f"no: {problem}"
        return found


FACTS = {"ranges": "a part of a blob", "referrers": "the referrers API", "mount": "mount from another repository", "delete_by_tag": "delete by tag",
         "delete_by_digest": "delete by digest", "chunked": "upload in chunks", "resumed": "resumed upload", "order": "keeps chunks in order", "sha512": "sha512", "paged_tags": "tags in pages"}
