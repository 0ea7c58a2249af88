"""Programs in processes of their own, for tests of a node that several of them share."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.blackbox.node_process import ROOT, SPARED

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds to wait for a program; only a failing test waits that long."""
SETTINGS = {
    "CHATNODE_LIMITS__POSTS_PER_MINUTE": "0",
    "CHATNODE_LIMITS__REQUESTS_PER_MINUTE": "0",
    "CHATNODE_PLUGINS__DISABLED": f"attachments,contacts,reactions,{SPARED}",
}


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, **SETTINGS, "PYTHONWARNINGS": "ignore", **more}


class Script:
    """A script that says things, a line each; a line that is given to it goes to its standard input."""

    def __init__(self, code: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
            start_new_session=True,
        )

    def says(self) -> str:
        """Its next line; fails if it has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"the script has ended with {self.process.wait()}")
        return line.strip()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Close its input, and wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """It alone, not what it has started."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *raised: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


class Gunicorn:
    """A gunicorn with an application of these tests."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, method: str = "GET", within: float = PATIENCE) -> Any:
        """Raises `OSError` when there is no answer, or none that is well."""
        request = urllib.request.Request(self._url + path, method=method)
        with urllib.request.urlopen(request, timeout=within) as answer:
            body = answer.read().decode()
        return json.loads(body) if body.startswith("{") else body


@contextmanager
def gunicorn(application: str, data: Path, *options: str) -> Iterator[Gunicorn]:
    """Runs until the end of the block. It may not be ready yet."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    log = data.with_name("gunicorn.log")
    command = [
        sys.executable, "-m", "gunicorn", "--no-control-socket", "--graceful-timeout", "10", "-b", f"127.0.0.1:{port}",
        *options, application,
    ]  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(WORKERS_DATA=str(data)), stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield Gunicorn(port)
        process.terminate()
        process.wait(PATIENCE)
        logged = log.read_text()
        assert "Traceback" not in logged, logged[-3000:]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(function: Callable[[], T | None], what: str, within: float = PATIENCE) -> T:
    """What the function gives, once it gives something and raises no `OSError`."""
    deadline = time.monotonic() + within
    error: OSError | None = None
    while time.monotonic() < deadline:
        try:
            found = function()
        except OSError as raised:
            error, found = raised, None
        if found is not None:
            return found
        time.sleep(0.05)
    pytest.fail(f"{what}: not within {within:g} s ({error})")
