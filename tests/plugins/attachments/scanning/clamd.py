"""A real clamd with a database of one line, which starts in less than a second."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from hashlib import md5
from pathlib import Path

import trio
from chatnode_attachments.scanning.canary import EICAR

from tests.needs import program

BY_TEXT = {"eicar.ndb": f"Eicar-Test:0:*:{EICAR.hex()}"}
"""A database that finds the text of EICAR anywhere in a file."""
BY_HASH = {"eicar.hdb": f"{md5(EICAR, usedforsecurity=False).hexdigest()}:{len(EICAR)}:Eicar-By-Hash"}
"""One that knows only the whole file, as ClamAV's own does."""


class Clamd:
    """Starts, stops and restarts on the same two addresses: `unix` and `tcp`."""

    def __init__(self, directory: Path) -> None:
        self._program = program("clamd")
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.unix = f"unix:{directory / 'socket'}"
        self.tcp = f"tcp:127.0.0.1:{self.port}"
        self._database = directory / "database"
        self._database.mkdir()
        self.knows(BY_TEXT)

    def knows(self, database: dict[str, str]) -> None:
        """Replace the database; clamd sees it when it starts or reloads."""
        for old in self._database.iterdir():
            old.unlink()
        for name, line in database.items():
            (self._database / name).write_text(f"{line}\n")

    async def start(self, **settings: str) -> None:
        """Until it listens. `settings` are those of clamd.conf."""
        self._launch({
            "Foreground": "yes", "LocalSocket": str(self._directory / "socket"), "TCPAddr": "127.0.0.1",
            "TCPSocket": str(self.port), "DatabaseDirectory": str(self._database),
            "LogFile": str(self._directory / "log"), **settings,
        })  # fmt: skip
        with trio.fail_after(30):
            while not self._listens():  # noqa: ASYNC110 - what another process does
                await trio.sleep(0.02)

    def _launch(self, settings: dict[str, str]) -> None:
        configuration = self._directory / "clamd.conf"
        configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        self._process = subprocess.Popen(
            [self._program, "-c", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "log").read_text()
        with socket.socket() as probe:
            return (self._directory / "socket").exists() and probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait()
            self._process = None
            (self._directory / "socket").unlink(missing_ok=True)

    async def restart(self, **settings: str) -> None:
        self.stop()
        await self.start(**settings)


@contextmanager
def installed_clamd() -> Generator[Clamd]:
    """One that was not started yet. The path of its socket must be short."""
    directory = Path(tempfile.mkdtemp(prefix="clamd-"))
    clamd = Clamd(directory)
    try:
        yield clamd
    finally:
        clamd.stop(signal.SIGKILL)
        shutil.rmtree(directory)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Relay:
    """Before a clamd, on another port: says that its database has another `version`, as freshclam would change it."""

    def __init__(self, clamd: Clamd) -> None:
        self.version = "27000"
        self.address = ""
        self._clamd = clamd

    async def serve(self, task_status: trio.TaskStatus[str]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        await trio.serve_listeners(self._relay, listeners, task_status=_Started(task_status, f"tcp:127.0.0.1:{port}"))

    async def _relay(self, client: trio.SocketStream) -> None:
        upstream = await trio.open_tcp_stream("127.0.0.1", self._clamd.port)
        async with client, upstream, trio.open_nursery() as nursery:
            nursery.start_soon(partial(self._copy, client, upstream, nursery.cancel_scope))
            nursery.start_soon(partial(self._copy, upstream, client, nursery.cancel_scope, rewrite=True))

    async def _copy(
        self, source: trio.SocketStream, target: trio.SocketStream, scope: trio.CancelScope, *, rewrite: bool = False
    ) -> None:
        try:
            async for data in source:
                changed = re.sub(rb"ClamAV ([0-9.]+)\0", rb"ClamAV \1/%s\0" % self.version.encode(), data)
                await target.send_all(changed if rewrite else data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()


class _Started(trio.TaskStatus[object]):
    """Tells the address instead of the listeners."""

    def __init__(self, inner: trio.TaskStatus[str], address: str) -> None:
        self._inner = inner
        self._address = address

    def started(self, value: object = None) -> None:
        self._inner.started(self._address)


@asynccontextmanager
async def relayed(clamd: Clamd) -> AsyncGenerator[Relay]:
    relay = Relay(clamd)
    async with trio.open_nursery() as nursery:
        relay.address = await nursery.start(relay.serve)
        yield relay
        nursery.cancel_scope.cancel()
