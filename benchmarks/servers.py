"""The measured servers: chatnode, and the straightforward stack."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from attrs import frozen

from benchmarks.errors import BenchmarkError
from benchmarks.http_client import HttpClient, http_client
from benchmarks.machine import Memory, memory_of, prefix_to_pin

START_SECONDS = 120
STOP_SECONDS = 30
ROOT = "root"
REPOSITORY = Path(__file__).parent.parent

UNLIMITED = {
    f"CHATNODE_LIMITS__{limit}": "0"
    for limit in (
        "POSTS_PER_MINUTE",
        "CHANGES_PER_MINUTE",
        "LOGINS_PER_MINUTE",
        "STATUSES_PER_MINUTE",
        "TYPING_PER_MINUTE",
        "REQUESTS_PER_MINUTE",
        "CONNECTIONS",
        "CONNECTIONS_PER_ADDRESS",
    )
}


class Stack(Protocol):
    """A server program; the names are those of the tables."""

    @property
    def name(self) -> str: ...

    def command(self, data: Path, port: int) -> list[str]:
        """The command line that serves ``data``."""
        ...

    def administrator(self, data: Path) -> str:
        """An administrator's token. Creates the administrator if ``data`` has none, so call it before serving."""
        ...


class Chatnode:
    """The node, through its command line."""

    name = "chatnode"

    def _command_line(self, data: Path, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("chatnode")), "--data", str(data), *arguments]

    def command(self, data: Path, port: int) -> list[str]:
        return self._command_line(data, "serve", "--bind", f"127.0.0.1:{port}")

    def administrator(self, data: Path) -> str:
        if not data.exists():
            self._run(
                data,
                "user",
                "add",
                ROOT,
                "--admin",
                "--password-stdin",
                stdin="an administrator's password\n",
            )
        return self._run(data, "token", "create", ROOT).strip()

    def _run(self, data: Path, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            self._command_line(data, *arguments), input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BenchmarkError(f"chatnode {' '.join(arguments)}: {done.stderr}")
        return done.stdout


class Straightforward:
    """The comparison in benchmarks/straightforward, where a token is its owner's handle."""

    name = "straightforward"

    def command(self, data: Path, port: int) -> list[str]:
        module = "benchmarks.straightforward"
        return [sys.executable, "-m", module, "--data", str(data), "--bind", f"127.0.0.1:{port}"]

    def administrator(self, data: Path) -> str:
        return ROOT


STACKS: tuple[Stack, ...] = (Chatnode(), Straightforward())


@frozen
class Server:
    """A server that accepts connections."""

    port: int
    process: subprocess.Popen[str]
    ready_seconds: float  # from exec to the line with the address

    @property
    def pid(self) -> int:
        return self.process.pid

    def memory(self) -> Memory:
        return memory_of(self.pid)

    @contextmanager
    def client(self, token: str) -> Iterator[HttpClient]:
        """Commands over HTTP as the owner of ``token``."""
        with http_client(self.port, token) as client:
            yield client

    def kill(self) -> None:
        """End it at once, like a crash."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it in an orderly way."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"killed: still there {STOP_SECONDS} s after SIGTERM", file=sys.stderr)
            self.kill()


@contextmanager
def serving(stack: Stack, data: Path, core: int, settings: Mapping[str, str]) -> Iterator[Server]:
    """A server over ``data``, pinned to its own core and stopped at the end."""
    port = free_port()
    log_path = data.with_suffix(".log")
    with log_path.open("w+") as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            prefix_to_pin(core) + stack.command(data, port),
            cwd=REPOSITORY,
            env=os.environ | UNLIMITED | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                ready = time.perf_counter() - start
                if not line:
                    raise BenchmarkError(f"{stack.name} did not start: {log_path.read_text()[-2000:]}")
                server = Server(port, process, ready)
                yield server
            finally:
                if process.poll() is None:
                    Server(port, process, 0).stop()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
