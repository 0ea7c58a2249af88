"""A Debian in a directory, with nothing but its essential packages: no Python, no /proc, no systemd that runs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .building import Built

PATIENCE = 240.0
VARIABLES = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "PIP_NO_INDEX": "1"}
"""Nothing of this machine's environment; and nothing is fetched."""


class Machine:
    """`path` is its root directory, in which programs are run by chroot."""

    def __init__(self, built: Built, path: Path) -> None:
        self.path = path
        path.mkdir()
        subprocess.run(["tar", "--extract", "--file", built.base, "--directory", path], check=True)

    def command(self, *command: str, user: str = "") -> list[str]:
        return ["chroot", *([f"--userspec={user}"] if user else []), str(self.path), *command]

    def run(self, *command: str, user: str = "", status: int = 0, **variables: str) -> str:
        """What a program prints; its exit status must be as expected."""
        done = subprocess.run(
            self.command(*command, user=user), capture_output=True, text=True, env=VARIABLES | variables,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == status, f"{command} ended with {done.returncode}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def read(self, path: str) -> str:
        return (self.path / path.lstrip("/")).read_text()

    def has(self, path: str) -> bool:
        return os.path.lexists(self.path / path.lstrip("/"))


class Serving:
    """`chatnode serve`, from when it answers at /health. `seconds` is how long that took."""

    def __init__(self, machine: Machine, *command: str, user: str = "", **variables: str) -> None:
        self.machine = machine
        self.log = machine.path / "served.log"
        began = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                machine.command(*command, "serve", "--bind", "127.0.0.1:0", user=user),
                stdout=log, stderr=log, env=VARIABLES | variables,
            )  # fmt: skip
        self.url = self._wait_listening(began + PATIENCE)
        self.call_http("GET", "/health/ready")
        self.seconds = time.monotonic() - began

    def _wait_listening(self, until: float) -> str:
        while time.monotonic() < until:
            if found := re.search(r"listening on (http://\S+)", self.log.read_text()):
                return found[1]
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.005)
        raise AssertionError(f"it does not listen: {self.log.read_text()}")

    def call_http(
        self, method: str, path: str, body: Any = None, token: str = "", kind: str = "application/json"
    ) -> Any:
        """The JSON that the node answers."""
        return json.loads(self.get(method, path, body, token, kind))

    def get(self, method: str, path: str, body: Any = None, token: str = "", kind: str = "application/json") -> str:
        """What the node answers to a program outside of the machine."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def call(self, name: str, token: str, **fields: Any) -> Any:
        return self.call_http("POST", f"/v1/{name}", fields, token)

    def stop(self) -> float:
        """By SIGTERM, as a service manager does; gives the CPU time that it has used, in seconds."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.log.read_text()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextlib.contextmanager
def serving(machine: Machine, *command: str, user: str = "", **variables: str) -> Iterator[Serving]:
    """Serve within the block, and stop in order at its end."""
    node = Serving(machine, *command, user=user, **variables)
    try:
        yield node
        node.stop()
    finally:
        if node.process.poll() is None:
            node.process.kill()
            node.process.wait()
