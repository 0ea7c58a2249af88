"""A program that gets webhooks: it verifies each with the Standard Webhooks library, and answers as a test wants."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import attrs
import trio
from standardwebhooks import Webhook, WebhookVerificationError

from chatnode.testing.people import PATIENCE

DIE, HANG, DRIP = "die", "hang", "drip"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ATTEMPT_SECONDS = 300


@attrs.define
class Got:
    """A webhook that came, whether it was answered or not. `number` counts from 1."""

    number: int
    id: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    def verified_by(self, secret: str) -> bool:
        try:
            Webhook(secret).verify(self.body, self.headers)
        except WebhookVerificationError:
            return False
        return True


Answering = Callable[[Got], bytes | str]
"""What is answered: bytes, or DIE, HANG, DRIP."""


def answer(status: int, *headers: str, body: bytes = b"no") -> bytes:
    lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Receiver:
    """Listens on one port; `up` and `down` may follow each other, and `answers` may be replaced."""

    def __init__(self, answers: Answering = lambda got: OK) -> None:
        self.answers = answers
        self.got: list[Got] = []
        self.connections = 0
        self._more = trio.Event()
        self._scope: trio.CancelScope | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}/hook?key=canary-of-the-address"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.got]

    @property
    def kinds(self) -> list[str]:
        return [each.json["type"] for each in self.got]

    def texts(self) -> list[str]:
        """Of the messages that were told of."""
        return [each.json["data"]["message"]["text"] for each in self.got]

    async def up(self, nursery: trio.Nursery) -> None:
        async def listen(task_status: trio.TaskStatus[None]) -> None:
            with trio.CancelScope() as self._scope:
                await trio.serve_tcp(self._serve, self.port, host="127.0.0.1", task_status=task_status)

        await nursery.start(listen)

    def down(self) -> None:
        """Like a program that is killed: its connections end too."""
        if self._scope is not None:
            self._scope.cancel()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until this is so; looked at whenever something has come, and something must come within the patience."""
        while not true():
            with trio.move_on_after(PATIENCE) as scope:
                await self._more.wait()
            assert not scope.cancelled_caught, (len(self.got), self.ids[-3:])

    async def until_got(self, count: int) -> list[Got]:
        await self.until(lambda: len(self.got) >= count)
        return self.got

    async def _serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        buffer = b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    if not (data := await stream.receive_some()):
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                first, *lines = head.decode().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                while len(buffer) < int(headers["content-length"]):
                    buffer += await stream.receive_some()
                body, buffer = buffer[: int(headers["content-length"])], buffer[int(headers["content-length"]) :]
                assert first.startswith("POST /hook"), first
                got = Got(len(self.got) + 1, headers["webhook-id"], headers, body)
                self.got.append(got)
                self._wake()
                if not await self._answer(stream, self.answers(got)):
                    return
        except trio.BrokenResourceError:
            return

    async def _answer(self, stream: trio.SocketStream, said: bytes | str) -> bool:
        if said == DIE:
            return False
        if said == HANG:
            await trio.sleep_forever()
        if said == DRIP:
            for byte in OK:
                await stream.send_all(bytes([byte]))
                await trio.sleep(1)
            return True
        assert isinstance(said, bytes)
        await stream.send_all(said)
        return True

    def _wake(self) -> None:
        self._more.set()
        self._more = trio.Event()
