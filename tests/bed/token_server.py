#!/usr/bin/env python3
"""token_server.py - a token server as registries point to: real JWTs (RS256, certificate in x5c), GET and POST flows.

Usage: token_server.py DIR USER PASSWORD [LIFETIME_S]

Makes key and certificate in DIR (DIR/token.pem is the registry's rootcertbundle) and says on standard output where it
listens. Whoever has the password is granted what is asked for; anonymous callers may pull below "public/"; every other
scope is silently left out of the token, as real servers do.
"""
import base64
import http.server
import json
import pathlib
import secrets
import subprocess
import sys
import time
import urllib.parse

ISSUER = "mlreg-test-issuer"
SERVICE = "mlreg-test-service"
MAX_FORM_BYTES = 1 << 16


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def make_identity(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mlreg token server",
         "-keyout", "token.key", "-out", "token.pem"],
        cwd=directory, check=True, capture_output=True)
    der = subprocess.run(["openssl", "x509", "-in", "token.pem", "-outform", "DER"], cwd=directory, check=True,
                         capture_output=True).stdout
    return base64.b64encode(der).decode()


class Issuer:
    def __init__(self, directory, user, password, lifetime_s):
        self.key = pathlib.Path(directory) / "token.key"
        self.certificate = make_identity(directory)
        self.user, self.password, self.lifetime_s = user, password, lifetime_s
        self.refresh_tokens = set()

    def sign(self, data):
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.key)], input=data, check=True,
                              capture_output=True).stdout

    def granted(self, scope, known):
        """The access entry for one scope, "type:name:actions"; the name may hold colons. None: nothing is granted."""
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        wanted = [a for a in actions.split(",") if a]
        if not known:
            wanted = [a for a in wanted if a == "pull" and name.startswith("public/")]
        return {"type": kind, "name": name, "actions": wanted} if name and wanted else None

    def token(self, scopes, known):
        now = int(time.time())
        access = [entry for entry in (self.granted(s, known) for s in scopes) if entry]
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]}
        claims = {"iss": ISSUER, "sub": self.user if known else "", "aud": SERVICE, "iat": now, "nbf": now - 5,
                  "exp": now + self.lifetime_s, "jti": secrets.token_hex(8), "access": access}
        signed = b64url(json.dumps(header).encode()) + b"." + b64url(json.dumps(claims).encode())
        return (signed + b"." + b64url(self.sign(signed))).decode()

    def answer(self, scopes, known, offline):
        token = self.token(scopes, known)
        body = {"token": token, "access_token": token, "expires_in": self.lifetime_s,
                "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        if known and offline:
            body["refresh_token"] = secrets.token_urlsafe(24)
            self.refresh_tokens.add(body["refresh_token"])
        return body

    def is_user(self, name, password):
        return name == self.user and password == self.password


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    issuer = None

    def log_message(self, *args):
        pass

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self):
        self.reply(401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect name or password"}]})

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        given = self.headers.get("Authorization")
        if given is not None:
            scheme, _, value = given.partition(" ")
            name, _, password = base64.b64decode(value).decode(errors="replace").partition(":")
            if scheme != "Basic" or not self.issuer.is_user(name, password):
                return self.refuse()
        offline = query.get("offline_token") == ["true"]
        return self.reply(200, self.issuer.answer(query.get("scope", []), given is not None, offline))

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > MAX_FORM_BYTES:
            self.close_connection = True
            return self.reply(413, {"errors": []})
        form = {k: v[0] for k, v in urllib.parse.parse_qs(self.rfile.read(length).decode()).items()}
        grant = form.get("grant_type")
        known = (grant == "password" and self.issuer.is_user(form.get("username"), form.get("password"))) or (
            grant == "refresh_token" and form.get("refresh_token") in self.issuer.refresh_tokens)
        if not known:
            return self.refuse()
        return self.reply(200, self.issuer.answer(form.get("scope", "").split(), True,
                                                  form.get("access_type") == "offline"))


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    Handler.issuer = Issuer(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) == 5 else 300)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("listening on 127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
