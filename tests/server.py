"""A server for tests: on a free port, in a folder of its own, and gone when its tests are."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests


def binary():
    """The server's program, from `CASTELLAN_BINARY`."""
    given = os.environ.get("CASTELLAN_BINARY")
    if not given:
        sys.exit("CASTELLAN_BINARY is not set: give the path of the built `castellan`.")
    if not os.access(given, os.X_OK) or not os.path.isfile(given):
        sys.exit(f"CASTELLAN_BINARY is {given}, which is no program.")
    return os.path.abspath(given)


BINARY = binary()
running = set()


class Server:
    """`castellan serve` with `documents` in its store."""

    def __init__(self, documents, tables=""):
        port = free_port()
        self.url = f"http://localhost:{port}"
        self.folder = Path(tempfile.mkdtemp(prefix="castellan-tests-"))
        self.process = None
        running.add(self)
        head = (
            f'issuer = "{self.url}"\n[server]\nlisten = "127.0.0.1:{port}"\n'
            "[security]\ninsecure = true\n"
        )
        (self.folder / "castellan.toml").write_text(head + tables, encoding="utf-8")
        self.run("apply", "-f", "-", told=documents)
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--config", "castellan.toml"],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def environment(self):
        """Nothing of the machine's own settings gets in."""
        return {"CASTELLAN_LOG": "warn", "TMPDIR": str(self.folder)}

    def run(self, *arguments, told=""):
        """What the command line prints on this server's data; it must succeed."""
        done = subprocess.run(
            [BINARY, "--config", "castellan.toml", *arguments],
            cwd=self.folder,
            env=self.environment(),
            input=told,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"castellan {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"castellan serve has ended:\n{self.said()}")
        try:
            answer = requests.get(f"{self.url}/readyz", timeout=5)
        except requests.ConnectionError:
            return False
        return answer.ok and "false" not in answer.text

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        running.discard(self)


def serve(documents, tables=""):
    """A server that is ready. Another process may take a port between our look and its use: then
    another port is tried."""
    for left in (2, 1, 0):
        server = None
        try:
            server = Server(documents, tables)
            until("castellan serve to be ready", server.is_ready)
            return server
        except Exception as error:
            if server:
                server.end()
            if left == 0 or "cannot listen" not in str(error):
                raise


def until(what, ask, seconds=30):
    """Asks until the answer is yes, but not for ever."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ask():
            return
        time.sleep(0.025)
    raise TimeoutError(f"waited {seconds} seconds for {what}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@atexit.register
def end_all():
    """Whatever ends this process ends what it has started."""
    for server in list(running):
        server.end()


for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: sys.exit(1))
