"""works.py - what is measured: each work with its model, its server, how one program does it once, and its goals."""
import os
import shutil

from bench.goals import MIB, Against, Bound, little_of
from bench.measure import Failure, forget, measure
from bench.programs import ENGINES, PEERS, Program, environment
from bench.servers import Distribution, Far, FarBehindNginx, Nginx, certificate

DELAY_MS, RATE_MB, CONNECTIONS, SLAB_MIB = 50, 50, 16, 8


class Work:
    """One line of the list. Servers that count are started for each run; the others stand as long as the work lasts."""

    shape, verb, programs, warm = "one", "pull", ("mlreg", *PEERS), True
    fresh_server = fresh_home = True

    def __init__(self, name, what, goals, **how):
        self.name, self.what, self.goals = name, what, goals
        self.model = self.server = None
        for key, value in how.items():
            setattr(self, key, value)

    def start(self, top):
        """The server of this work."""
        return Far(top / "server", self.model.www)

    def open(self, bench):
        self.top, self.model = bench.folder(self.name), bench.models.get(self.shape)
        self.server = None if self.fresh_server else self.start(self.top)

    def close(self):
        if self.server:
            self.server.stop()
        shutil.rmtree(self.top, ignore_errors=True)

    def command(self, program, out, turn):
        if self.verb == "pull":
            return program.pull(self.model, out)
        if self.verb == "pull_folder":
            return program.pull_folder(self.model, out)
        return program.push(self.model, f"push-{program.name}-{turn if self.fresh_home else 0}")

    def run(self, name, turn):
        """One program does it once, with a home and a place of its own; None: it cannot."""
        server, out, home = self.server or self.start(self.top), self.top / "out", self.top / f"home-{name}"
        out.mkdir()
        try:
            program = Program(name, server.host, server.ca)
            command = self.command(program, out, turn)
            if not program.path or not command:
                return None
            before = server.counters()
            figures = self.measured(command, environment(home, server.ca), server, out, turn)
            after = server.counters()
            figures.sent, figures.received, figures.requests = (after[k] - before[k] for k in ("sent", "received", "requests"))
            figures.most_open = after["most_open"]
            return figures
        finally:
            server.clean()
            if server is not self.server:
                server.stop()
                shutil.rmtree(self.top / "server", ignore_errors=True)
            self.clear(out, name, turn)
            if self.fresh_home:
                shutil.rmtree(home, ignore_errors=True)
            os.sync()              # what it left to be written, or thrown away, is not the next one's work

    def clear(self, out, name, turn):
        """ext4 looks at every inode that was freed in the last minutes before it gives one out: thousands of small files stay until the end."""
        if self.shape == "many":
            out.rename(self.top / f"out-{name}-{turn}")
        else:
            shutil.rmtree(out)

    def measured(self, command, env, server, out, turn):
        figures = measure(command, env, self.model.folder if self.verb == "push" else out, self.top / "said")
        if self.verb != "push" and sum(p.stat().st_size for p in out.rglob("*") if p.is_file()) < self.model.bytes:
            raise Failure("what it pulled is not there")
        return figures


class FromNginx(Work):
    fresh_server, tls = False, False

    def start(self, top):
        return Nginx(self.model.www, certificate=certificate(top / "certificate") if self.tls else None)


class PullAndRead(FromNginx):
    """As a serving binary does it: the model is of use once it was read."""

    def command(self, program, out, turn):
        pull = program.pull(self.model, out)
        return pull and ["sh", "-c", '"$@" && find "$0" -type f -exec cat {} + >/dev/null', out, *pull]


class PushToDistribution(Work):
    verb, fresh_server = "push", False

    def start(self, top):
        return Distribution(top / "server")


class PushAgain(Work):
    """The first round pushes it; in the others nothing has changed, and the model has left the page cache."""

    verb, fresh_server, fresh_home, programs = "push", False, False, ("mlreg", "skopeo", *ENGINES)

    def start(self, top):
        self.model.settle()
        return Far(top / "server")

    def measured(self, command, env, server, out, turn):
        forget(self.model.folder)
        return super().measured(command, env, server, out, turn)


class Copy(Work):
    """From one distribution to another; what a program staged shows as files that it wrote."""

    verb, fresh_server, programs = "push", False, ("mlreg", "skopeo", *ENGINES)
    there = None

    def open(self, bench):
        super().open(bench)
        self.there = Distribution(self.top / "there")
        push = Program("mlreg", self.server.host)
        measure([push.path, "-q", "copy", f"oci:{self.model.layout}:v1", push.ours("bench")], environment(self.top / "home"), self.top, self.top / "said")

    def start(self, top):
        server = Distribution(top / "server")
        server.clean = lambda: self.there.clean()
        return server

    def command(self, program, out, turn):
        return program.copy(self.there.host, f"push-{program.name}-{turn}")

    def close(self):
        if self.there:
            self.there.stop()
        super().close()


class FarAway(Work):
    """The goal is the distance itself; oras stands beside for scale. The others need minutes, and say nothing more."""

    warm, programs = False, ("mlreg", "oras")

    def start(self, top):
        return Far(top / "server", None if self.verb == "push" else self.model.www, delay_ms=DELAY_MS, rate_mb=RATE_MB)


class FarAwayByHttp2(FarAway):
    def start(self, top):
        cert = top / "certificate"
        cert = (cert / "ca.crt", cert / "key.pem") if cert.exists() else certificate(cert)
        return FarBehindNginx(top / "server", cert, delay_ms=DELAY_MS, rate_mb=RATE_MB)


class Resume(Work):
    """Killed when the server has seen half of it; a new process ends it. The time is the second one's."""

    warm, programs = False, ("mlreg", *ENGINES)
    moved = "sent"

    def start(self, top):
        """Slow enough that little waits in the kernel's buffers when the program dies."""
        return Far(top / "server", None if self.verb == "push" else self.model.www, rate_mb=200)

    def measured(self, command, env, server, out, turn):
        half = self.model.bytes // 2
        measure(command, env, self.model.folder if self.verb == "push" else out, self.top / "said", lambda: server.counters()[self.moved] >= half)
        return super().measured(command, env, server, out, turn)

    def again(self, figures):
        return (getattr(figures, self.moved) - self.model.bytes) / MIB


class EightProcesses(Work):
    programs, warm = ("mlreg",), False

    def command(self, program, out, turn):
        eight = 'for i in 1 2 3 4 5 6 7 8; do "$@" & all="$all $!"; done; for p in $all; do wait $p || exit 1; done'
        return ["sh", "-c", eight, "sh", *program.pull(self.model, out)]


# ---- the list ----

def faster(times, among=ENGINES, who="best of oras, crane, regctl"):
    return Against(among, times, who)


LESS_CPU = Against(ENGINES, 0.5, cpu=True)
PULL_ONE = [faster(2.5), faster(1, ("curl",), "curl -o"), LESS_CPU]
NEW = [faster(1.3, ("oras",), "oras"), faster(0.9, ("crane",), "crane"), little_of("MiB written", lambda f: f.written, "no second copy")]
AGAIN = [Bound("MiB again", lambda w, f: w.again(f), f"≤ {SLAB_MIB} MiB a connection", lambda w, n, runs: n <= SLAB_MIB * max(f.most_open for f in runs))]
WAITS = [Bound("waits", lambda w, f: f.wall * 1000 / DELAY_MS, "≤ 40", lambda w, n, runs: n <= 40)]
SHARE = [Bound("% of limit", lambda w, f: 100 * w.model.bytes / 1e6 / f.wall / (CONNECTIONS * RATE_MB), "≥ 90 %", lambda w, n, runs: n >= 90)]
ONCE = [Bound("MiB sent", lambda w, f: f.sent / MIB, "one download", lambda w, n, runs: n <= w.model.bytes / MIB + SLAB_MIB)]
FAR = f"{DELAY_MS} ms away, {RATE_MB} MB/s each connection"

WORKS = {work.name: work for work in (
    FromNginx("pull-one", "pull one layer into the store, verified and durable", PULL_ONE),
    FromNginx("pull-eight", "pull eight layers", [faster(1.8)], shape="eight"),
    FromNginx("pull-many", "pull a thousand layers of 64 KiB, durable", [faster(2)], shape="many"),
    FromNginx("pull-folder", "pull one layer straight into a folder", [faster(2.5, ("oras",), "oras"), faster(1, ("curl",), "curl -o"),
              Against(("oras",), 0.5, "oras", cpu=True)], verb="pull_folder", programs=("mlreg", "curl", "oras")),
    PullAndRead("pull-read", "pull one layer, then read the whole model once", [faster(1, PEERS, "best of all")]),
    PushToDistribution("push-new", "push one new layer from a folder to distribution 3.1.2; crane, regctl, skopeo: from a prepared layout", NEW, programs=PushAgain.programs),
    Work("push-sink", "the same to a server that keeps and checks nothing", NEW, verb="push", programs=PushAgain.programs),
    PushAgain("push-again", "push when nothing changed, the model not in memory", [little_of("MiB read", lambda f: f.read, "no layer read again")]),
    Copy("copy", "copy one layer from registry to registry (two distributions)", [little_of("MiB written", lambda f: f.written, "nothing staged")]),
    FromNginx("tls", "pull one layer by TLS 1.3", [faster(1.5)], tls=True),
    FarAway("latency", f"pull eight layers, {FAR}", SHARE, shape="eight"),
    FarAway("latency-one", f"pull one layer, {FAR}", SHARE),
    FarAway("latency-push", f"push a thousand layers, {FAR}, by HTTP/1.1", WAITS, shape="many", verb="push"),
    FarAwayByHttp2("latency-http2", f"push a thousand layers, {DELAY_MS} ms away, by HTTP/2", WAITS, shape="many", verb="push"),
    Resume("resume-pull", "pull, killed at half, by a new process", AGAIN),
    Resume("resume-folder", "pull straight into a folder, killed at half, by a new process", AGAIN, verb="pull_folder", programs=("mlreg", "oras")),
    Resume("resume-push", "push, killed at half, by a new process", AGAIN, verb="push", moved="received"),
    EightProcesses("eight-processes", "eight processes pull one model into one store", ONCE),
    EightProcesses("eight-many", "eight processes pull a thousand small layers into one store", ONCE, shape="many"),
)}
