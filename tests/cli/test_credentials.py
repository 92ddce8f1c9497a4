"""Where credentials come from and where they go: login, docker's files, helpers; refused is never anonymous, and no secret is said."""
import base64
import json
import os
import shlex
import signal
import stat
import time

from cli.program import FAILED, USAGE, Case, Registry, as_root, needs

WRONG = "wrong-password-of-the-test"


class Credentials(Case):
    def docker_config(self, **members):
        """A config.json in a folder of its own, as DOCKER_CONFIG names it."""
        folder = self.home / "docker"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(members))
        self.may_hold_secrets.add(folder / "config.json")
        self.env["DOCKER_CONFIG"] = str(folder)
        return folder / "config.json"

    def auths(self, host, user, password):
        return {host: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}

    def helper(self, name, script):
        """A docker-credential-NAME in PATH."""
        folder = self.top / "servers" / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / f"docker-credential-{name}"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        self.env["PATH"] = f"{folder}:{os.environ['PATH']}"
        return path

    def asking_server(self):
        """A registry that wants a password and believes every one."""
        return self.evil([{"header": {"Authorization": None}, "status": 401, "headers": {"WWW-Authenticate": 'Basic realm="x"'}},
                          {"path": "/v2/", "status": 200}, {"path": "/v2/r/tags/list.*", "body": '{"name": "r", "tags": ["v1"]}'}])

    # ---- helpers ----

    def test_credentials__of_a_helper_are_used(self):
        server = self.asking_server()
        self.secrets.add("helper-secret-1")
        script = self.helper("test", 'cat >"$0.asked"; echo \'{"ServerURL": "x", "Username": "me", "Secret": "helper-secret-1"}\'')
        self.docker_config(credHelpers={server.host: "test"})
        self.assertEqual(self.json("tags", f"{server.host}/r"), ["v1"])
        sent = [v for r in server.requests() for k, v in r["headers"] if k.lower() == "authorization"]
        self.assertIn("Basic " + base64.b64encode(b"me:helper-secret-1").decode(), sent)
        self.assertIn(server.host, script.with_name(script.name + ".asked").read_text())

    def test_credentials__a_helper_that_fails_is_an_error_and_never_anonymous(self):
        server = self.asking_server()
        for name, script, says in (
                ("fails", 'echo "the vault is sealed: hunter2-in-stderr" >&2; exit 3', "docker-credential-fails"),
                ("talks", "echo this is not JSON", "docker-credential-talks"),
                ("floods", "yes | head -c 10000000", "docker-credential-floods"),
                ("dies", "kill -9 $$", "docker-credential-dies"),
                ("empty", "true", "docker-credential-empty")):
            with self.subTest(name):
                self.helper(name, script)
                self.docker_config(credsStore=name)
                self.fails("tags", f"{server.host}/r", says=says)
        self.docker_config(credsStore="missing-one")
        self.fails("tags", f"{server.host}/r", says="docker-credential-missing-one")
        self.assertFalse([r for r in server.requests() if dict(r["headers"]).get("Authorization")])

    def test_credentials__a_helper_that_knows_none_means_anonymous(self):
        server = self.asking_server()
        self.helper("none", 'echo "credentials not found in native keychain"; exit 1')
        self.docker_config(credsStore="none")
        self.fails("tags", f"{server.host}/r", says="asks for a login", hint=f"log in to {server.host}.*docker-credential-none")

    def test_credentials__a_helper_that_hangs_ends_with_who_gives_up(self):
        """And what it started goes with it. That it is ended after 30 s in any case, tests/net tests with a faster clock."""
        server = self.asking_server()
        script = self.helper("hangs", 'sleep 1000 & echo $! >"$0.child.part"; mv "$0.child.part" "$0.child"; wait')
        self.docker_config(credsStore="hangs")
        started = script.with_name(script.name + ".child")
        for words in ["pull", f"{server.host}/r:v1"], ["pull", f"{server.host}/r:v1", "-o", "out"], ["tags", f"{server.host}/r"], ["inspect", f"{server.host}/r:v1"]:
            with self.subTest(words):
                process = self.start(*words)
                self.waits_for(started.exists)
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=30)
                self.assertEqual(process.returncode, FAILED, said)
                self.assertRegex(said, "(?m)^mlreg: error: .*cancelled")
                child = int(started.read_text())
                self.waits_for(lambda: not self.runs(child))
                self.assertFalse(self.runs(child), "the helper's child still runs")
                started.unlink()

    @staticmethod
    def waits_for(what):
        deadline = time.monotonic() + 30
        while not what() and time.monotonic() < deadline:
            time.sleep(0.01)

    @staticmethod
    def runs(pid):
        """Whether a process is there and no zombie, which only its new parent can remove."""
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def test_credentials__a_helper_with_a_path_for_a_name_is_not_run(self):
        server = self.asking_server()
        self.docker_config(credsStore="../../../bin/sh")
        self.fails("tags", f"{server.host}/r", says="bin/sh|credsStore")

    def test_credentials__login_and_logout_go_through_the_helper(self):
        server = self.asking_server()
        self.helper("kept", 'case $1 in store) cat >"$0.kept";; get) test -e "$0.kept" || { echo "credentials not found in native keychain"; exit 1; }; cat "$0.kept";; erase) rm "$0.kept";; esac')
        config = self.docker_config(credsStore="kept")
        self.secrets.add("kept-secret-2")
        where = self.json("login", server.host, "-u", "me", "--password-stdin", input="kept-secret-2\n")["where"]
        self.assertIn("docker-credential-kept", where)
        self.assertNotIn("kept-secret-2", config.read_text())
        self.assertEqual(self.json("tags", f"{server.host}/r"), ["v1"])
        self.mlreg("logout", server.host)
        self.fails("tags", f"{server.host}/r", says="asks for a login")

    # ---- files ----

    def test_credentials__a_config_that_is_no_json_is_an_error(self):
        server = self.asking_server()
        path = self.docker_config()
        for text in '{"auths": ', "[]", '{"auths": {"h": {"auth": "!!!"}}}'.replace('"h"', f'"{server.host}"'):
            path.write_text(text)
            self.fails("tags", f"{server.host}/r", says="config.json")

    def test_credentials__of_the_containers_files_are_found(self):
        server = self.asking_server()
        for variable, path in (("REGISTRY_AUTH_FILE", "auth.json"), ("XDG_RUNTIME_DIR", "containers/auth.json"), ("XDG_CONFIG_HOME", "containers/auth.json")):
            with self.subTest(variable):
                folder = self.home / variable
                (folder / "containers").mkdir(parents=True)
                (folder / path).write_text(json.dumps({"auths": self.auths(server.host, "me", "container-secret")}))
                self.may_hold_secrets.add(folder / path)
                self.secrets.add("container-secret")
                env = {variable: str(folder / path if variable == "REGISTRY_AUTH_FILE" else folder)}
                self.assertEqual(self.json("tags", f"{server.host}/r", env=env), ["v1"])

    def test_credentials__of_another_host_are_not_sent(self):
        server = self.asking_server()
        self.secrets.add("other-secret")
        self.docker_config(auths=self.auths("other.example:5000", "me", "other-secret"))
        self.fails("tags", f"{server.host}/r", says="asks for a login", hint=r"docker/config\.json \(no entry\)")

    @as_root
    def test_credentials__a_config_that_may_not_be_read_is_said_to_be_so(self):
        server = self.asking_server()
        self.docker_config(auths={}).chmod(0)
        os.chmod(self.home / "docker", 0o755)
        self.fails("tags", f"{server.host}/r", says="asks for a login", hint=r"docker/config\.json \(not readable\)", **self.as_nobody())

    @as_root
    def test_credentials__login_with_a_read_only_config_says_so_and_keeps_nothing(self):
        server = self.asking_server()
        path = self.docker_config(auths={})
        before = path.read_bytes()
        os.chmod(self.top, 0o755)
        for p in path, path.parent:
            os.chmod(p, 0o555 if p.is_dir() else 0o444)
        self.secrets.add("unkept-secret")
        self.fails("login", server.host, "-u", "me", "--password-stdin", input="unkept-secret\n", says="docker", **self.as_nobody())
        self.assertEqual(path.read_bytes(), before)
        self.assertEqual([p.name for p in path.parent.iterdir()], ["config.json"])

    def test_credentials__kept_by_login_are_for_the_owner_alone(self):
        server = self.asking_server()
        self.secrets.add("mine-alone")
        self.mlreg("login", server.host, "-u", "me", "--password-stdin", input="mine-alone\n")
        self.assertEqual(stat.S_IMODE((self.home / ".docker" / "config.json").stat().st_mode), 0o600)

    def test_credentials__login_leaves_what_else_a_config_holds(self):
        server = self.asking_server()
        self.secrets.add("a-secret")
        path = self.docker_config(auths=self.auths("ghcr.io", "x", "y"), psFormat="table", experimental="enabled")
        before = json.loads(path.read_text())
        self.mlreg("login", server.host, "-u", "me", "--password-stdin", input="a-secret\n")
        after = json.loads(path.read_text())
        self.assertIn(server.host, after["auths"])
        self.mlreg("logout", server.host)
        self.assertEqual(json.loads(path.read_text()), before)

    # ---- login's own questions ----

    def test_credentials__login_asks_for_what_is_missing(self):
        self.fails("login", "127.0.0.1:9", says="needs a user", hint="-u NAME", status=USAGE)
        self.fails("login", "127.0.0.1:9", "-u", "me", says="needs a password", hint="--password-stdin", status=USAGE)
        for given in "", "\n", "x" * 70_000:
            self.fails("login", "127.0.0.1:9", "-u", "me", "--password-stdin", input=given, says="no password was given", status=USAGE)

    def test_credentials__who_gives_up_at_the_question_can_see_again(self):
        """Ctrl-C while the password is asked for: the terminal shows what is typed, as before."""
        line = f"{shlex.join(self.command('login', '127.0.0.1:9', '-u', 'me'))}; stty -a"
        status, said = self.converse(f"trap : INT; {line}", ("Password: ", "half a pass\x03"))
        self.assertRegex(said, r"(?<!-)\becho\b")
        self.assertNotIn("half a pass", said)

    def test_credentials__logout_of_where_one_is_not_logged_in(self):
        self.fails("logout", "127.0.0.1:9", says="log out of 127.0.0.1:9")

    def test_credentials__login_where_nobody_is(self):
        self.secrets.add("for-nobody")
        self.fails("login", "127.0.0.1:9", "-u", "me", "--password-stdin", input="for-nobody\n", says="127.0.0.1:9", hint="network|host|port|running")
        self.assertFalse((self.home / ".docker").exists())


class AtRealRegistries:
    kind = None

    def test_login__a_wrong_password_is_refused_and_not_kept(self):
        there = self.registry(self.kind, login=False)
        self.secrets.add(WRONG)
        self.fails("login", there.host, "-u", there.user, "--password-stdin", input=WRONG + "\n", says=f"log in to {there.host}", hint="check the name and the password")
        self.assertFalse((self.home / ".docker").exists())

    def test_login__who_is_not_logged_in_learns_where_was_looked(self):
        there = self.registry(self.kind, login=False)
        self.built("m:v1", weights=4000)
        for words in (["push", "m:v1", there.ref("m:v1")], ["pull", there.ref("m:v1")], ["tags", there.ref("m")]):
            self.fails(*words, says=there.host, hint=rf"log in to {there.host}: no credentials found in .*/\.docker/config\.json \(not there\)")

    def test_login__a_password_that_has_become_wrong_says_which_it_was(self):
        there = self.registry(self.kind, login=False)
        self.secrets.add(WRONG)
        folder = self.home / "docker"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"auths": {there.host: {"auth": base64.b64encode(f"{there.user}:{WRONG}".encode()).decode()}}}))
        self.env["DOCKER_CONFIG"] = str(folder)
        self.fails("tags", there.ref("m"), says=there.host, hint=rf"{folder}/config\.json.*log in to {there.host}")

    def test_login__docker_config_is_enough(self):
        there = self.registry(self.kind, login=False)
        folder = self.home / "docker"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"auths": {f"http://{there.host}": {"username": there.user, "password": there.password},
                                                                  there.host: {"auth": base64.b64encode(f"{there.user}:{there.password}".encode()).decode()}}}))
        self.may_hold_secrets.add(folder / "config.json")
        self.env["DOCKER_CONFIG"] = str(folder)
        _, digest = self.built("m:v1", weights=4000)
        self.assertEqual(self.json("push", "m:v1", there.ref("m:v1"))["digest"], digest)

    def test_login__after_logout_nothing_is_left(self):
        there = self.registry(self.kind)
        self.built("m:v1", weights=4000)
        self.mlreg("push", "m:v1", there.ref("m:v1"))
        self.mlreg("logout", there.host)
        self.assertNotIn(there.host, (self.home / ".docker" / "config.json").read_text())
        self.fails("pull", there.ref("m:v1"), says=there.host, hint="log in")


@needs("htpasswd")
class Htpasswd(AtRealRegistries, Case):
    kind = "htpasswd"


@needs("token")
class Token(AtRealRegistries, Case):
    kind = "token"


@needs("tls")
class Tls(Case):
    """The bed's own CA: trusted when named, refused otherwise."""

    def setUp(self):
        super().setUp()
        self.there = self.registry("tls")
        self.env.pop("SSL_CERT_FILE")
        self.built("m:v1", weights=4000)

    def test_tls__an_unknown_authority_is_refused(self):
        self.fails("push", "m:v1", self.there.ref("m:v1"), says="certificate", hint="--ca-file")

    def test_tls__ca_file_and_the_environment_name_one(self):
        self.mlreg("push", "m:v1", self.there.ref("m:v1"), "--ca-file", self.there.ca_file)
        for variable in "SSL_CERT_FILE", "CURL_CA_BUNDLE":
            self.mlreg("pull", self.there.ref("m:v1"), "--store", "second", env={variable: self.there.ca_file})

    def test_tls__a_ca_file_that_is_none(self):
        (self.work / "bad.pem").write_text("not a certificate")
        for path in "missing.pem", "bad.pem":
            self.fails("push", "m:v1", self.there.ref("m:v1"), "--ca-file", path, says=path)

    def test_tls__a_certificate_for_another_name_is_refused(self):
        """It is for localhost and 127.0.0.1; this is neither, though the same address."""
        self.fails("tags", self.there.ref("m").replace("localhost", "other.localhost"), "--ca-file", self.there.ca_file, says="certificate|subject name|other.localhost")

    def test_tls__spoken_to_in_plain_http_it_says_so(self):
        self.fails("tags", self.there.ref("m").replace("https://", "http://"), says="localhost", hint=None)
