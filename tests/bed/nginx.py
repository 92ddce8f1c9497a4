#!/usr/bin/env python3
"""nginx.py - one nginx on loopback, for what only a real server does: HTTP/2, sendfile, limits.

Usage: nginx.py --root DIR --server TEXT [--tls CERT_PEM KEY_PEM]

TEXT is the inside of its server block, without "listen". With --tls it speaks TLS and offers HTTP/2. Prints "port N" once
it answers, and ends with its standard input.
"""
import argparse
import ctypes
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

START_S = 30
PR_SET_PDEATHSIG = 1
PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def configuration(folder, port, args):
    tls = f"ssl_certificate {args.tls[0]}; ssl_certificate_key {args.tls[1]};" if args.tls else ""
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in PATHS)
    return f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
        events {{ worker_connections 256; }}
        http {{
            access_log {folder}/access.log; sendfile on; client_max_body_size 0; {temporary}
            server {{ listen 127.0.0.1:{port}{" ssl http2" if args.tls else ""}; {tls} root {args.root}; {args.server} }}
        }}"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def start(nginx, folder, args):
    """Tries other ports where somebody was faster."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        port = free_port()
        path = pathlib.Path(folder, "nginx.conf")
        path.write_text(configuration(folder, port, args), encoding="utf-8")
        process = subprocess.Popen(
            [nginx, "-p", folder, "-c", str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        while process.poll() is None and time.monotonic() < deadline:
            if answers(port):
                return process, port
            time.sleep(0.02)
    log = pathlib.Path(folder, "error.log")
    sys.exit("nginx did not start:\n" + (log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--root", required=True)
    options.add_argument("--server", default="")
    options.add_argument("--tls", nargs=2)
    args = options.parse_args()
    nginx = shutil.which("nginx", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if not nginx:
        sys.exit("no nginx here")
    with tempfile.TemporaryDirectory(prefix="mlreg-nginx-") as folder:
        process, port = start(nginx, folder, args)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            print(f"port {port}", flush=True)
            sys.stdin.buffer.read()
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
