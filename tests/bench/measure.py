"""measure.py - one run of one program: its time, its processor, its memory, its files; and what the machine did meanwhile."""
import dataclasses
import mmap
import os
import pathlib
import select
import signal
import subprocess
import time

SAMPLE_MS = 20
LIMIT_S = 900


class Failure(Exception):
    """A program that did not do its work: its column stays empty, the others go on."""


@dataclasses.dataclass
class Figures:
    """Of the whole process tree. `read` and `written` count files, not sockets; the last four are counted by the server."""
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    read: int = 0
    written: int = 0
    sent: int = 0
    received: int = 0
    requests: int = 0
    most_open: int = 0


FIGURES = tuple(field.name for field in dataclasses.fields(Figures))


def tree(pid):
    """A process and all below it."""
    yield pid
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                yield from tree(int(child))
    except OSError:
        pass


def peak_memory(pid):
    """The most that any one process of the tree needed so far. (The rusage of a child counts what we had before exec.)"""
    most = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/status") as f:
                most = max([most] + [int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM")])
        except OSError:
            pass
    return most


def files_of(pid):
    """(read, written) bytes of a process that has ended and was not waited for, with those that it waited for. Read is what
    it asked for or what came from the disk, whichever is more: a mapped file is seen only by the latter."""
    fields = dict(line.split(": ") for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines())
    return max(int(fields["rchar"]), int(fields["read_bytes"])), int(fields["write_bytes"])


def measure(command, env, cwd, log, kill_when=None):
    """Runs a command to its end, or kills it with all below it once kill_when() says so."""
    began, memory = time.monotonic(), 0
    with open(log, "wb") as out:
        process = subprocess.Popen([str(c) for c in command], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        ended = select.poll()
        fd = os.pidfd_open(process.pid)
        ended.register(fd, select.POLLIN)
        while not ended.poll(SAMPLE_MS if kill_when is None else 2):
            memory = max(memory, peak_memory(process.pid))
            if time.monotonic() - began > LIMIT_S or (kill_when and kill_when()):
                os.killpg(process.pid, signal.SIGKILL)
                ended.poll()
        wall = time.monotonic() - began
        os.close(fd)
        read, written = files_of(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode != 0 and not (kill_when and process.returncode == -signal.SIGKILL):
        said = pathlib.Path(log).read_text(errors="replace").strip().splitlines() or ["nothing said"]
        raise Failure(f"ended with {process.returncode}: {said[-1][:300]}")
    return Figures(wall, used.ru_utime + used.ru_stime, memory, read, written)


# ---- the machine ----

def warm_memory(size):
    """Touches memory that the runs will need: a virtual machine's first touch of a page is dear, and nobody's fault."""
    with open("/proc/meminfo") as f:
        available = next(int(line.split()[1]) * 1024 for line in f if line.startswith("MemAvailable"))
    size = min(size, available // 2) // mmap.PAGESIZE * mmap.PAGESIZE
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE):
        pass


def forget(folder):
    """Takes the files of a folder out of the page cache, so that whoever reads them reads the disk."""
    os.sync()
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


class Machine:
    """What this machine has for the work, and how much of its processors others took while it was measured."""

    def __init__(self):
        self.before, self.load = self.ticks(), os.getloadavg()[0]

    @staticmethod
    def ticks():
        """(in use, taken by other machines of the host) since it started, of all processors."""
        with open("/proc/stat") as f:
            user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
        return user + nice + system + irq + softirq, steal

    @staticmethod
    def sha256_help():
        with open("/proc/cpuinfo") as f:
            flags = next((line.split() for line in f if line.startswith(("flags", "Features"))), [])
        return next((name for name in ("sha_ni", "sha2", "avx512vl", "avx2") if name in flags), "none")

    def report(self):
        """After all that was started here has ended: only then is its time known to be ours."""
        used, stolen = (now - before for now, before in zip(self.ticks(), self.before))
        ours = sum(os.times()[:4]) * os.sysconf("SC_CLK_TCK")
        return {"cores": os.cpu_count(), "sha256": self.sha256_help(), "load_before": round(self.load, 2),
                "others_percent": round(max(0.0, 100 * (used - ours) / max(1, used)), 1), "steal_percent": round(100 * stolen / max(1, used + stolen), 1)}
