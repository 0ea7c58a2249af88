"""Programs with a node in them, each run by a real server in a process of its own, and the visitors who use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from tests.transport.clients import Address, ChatSocket, EventStream, Http, Response, open_wire
from tests.transport.test_nginx import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
"""A bound on hanging: the machine may be busy."""
JSON = {"Content-Type": "application/json"}


@attrs.define
class Program:
    """A server that runs, with the node in `data`."""

    process: trio.Process
    address: Address
    data: Path
    said: Path

    @property
    def memory(self) -> int:
        """Bytes that the process has in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    async def stop(self, seconds: float) -> int:
        """As a supervisor does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        with trio.fail_after(seconds):
            return await self.process.wait()


@asynccontextmanager
async def running(
    folder: Path, module: str, *arguments: str, cwd: Path = ROOT, **environment: str
) -> AsyncIterator[Program]:
    """`python -m module`; `PORT` in the arguments is a free port, where it serves."""
    address, data, said = ("127.0.0.1", free_port()), folder / "data", folder / "said"
    command = [sys.executable, "-m", module, *(each.replace("PORT", str(address[1])) for each in arguments)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "examples")])
    with said.open("wb") as output:
        process = await trio.lowlevel.open_process(
            command, cwd=cwd, stdout=output, stderr=subprocess.STDOUT,
            env=os.environ | {"CHAT_DATA": str(data), "PYTHONPATH": path} | environment,
        )  # fmt: skip
    program = Program(process, address, data, said)
    try:
        with trio.fail_after(START_SECONDS):
            while not await _answers(address):
                assert process.poll() is None, said.read_text()
                await trio.sleep(0.1)
        yield program
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
        print(said.read_text())


async def _answers(address: Address) -> bool:
    try:
        await (await open_wire(address)).aclose()
    except OSError:
        return False
    return True


@attrs.frozen
class Visitor:
    """Somebody with the header fields that make them who they are. `base` is the path of the mount."""

    address: Address
    headers: Mapping[str, str]
    base: str = "/chat"

    async def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A request below the mount, on a connection of its own."""
        async with await Http.open(self.address) as http:
            return await http.request(method, self.base + path, body, {**self.headers, **(headers or {})})

    async def call(self, command: str, **fields: Any) -> Any:
        """Run a command; fails unless it succeeds."""
        answer = await self.request("POST", f"/v1/{command}", json.dumps(fields).encode(), JSON)
        assert answer.status == 200, answer.body
        return answer.json

    async def socket(self) -> ChatSocket:
        """A client socket, signed in by the visitor's headers alone, and live."""
        chat = await ChatSocket.open(self.address, path=f"{self.base}/v1/socket", headers=self.headers)
        await chat.hello()
        await chat.push("live")
        return chat

    async def stream(self, **options: Any) -> EventStream:
        stream = await EventStream.open(self.address, path=f"{self.base}/v1/events", headers=self.headers, **options)
        await stream.take("live")
        return stream
