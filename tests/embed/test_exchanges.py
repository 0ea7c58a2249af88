"""Requests on their way from an attached process to the owner: both ends, over a real socket."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio

from chatnode.embed.exchanges import PIECE_BYTES, ForwardedExchange, forward
from chatnode.embed.link import OwnerConnection
from chatnode.transport import lines
from chatnode.transport.exchange import Message, Receive, Send
from chatnode.transport.lines import LineReader


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answers with the whole body in one message."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@pytest.mark.parametrize("size", [0, PIECE_BYTES, 3 * PIECE_BYTES, 3 * PIECE_BYTES + 1])
async def test_a_body_in_one_message_has_any_length(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES", 2 * PIECE_BYTES)
    here, there = (trio.SocketStream(trio.socket.from_stdlib_socket(each)) for each in socket.socketpair())
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    answered: list[Message] = []

    async def receive() -> Message:
        if not requests:
            await trio.sleep_forever()
        return requests.pop()

    async def send(message: Message) -> None:
        answered.append(message)

    with trio.fail_after(10):
        async with here, there, trio.open_nursery() as nursery:
            nursery.start_soon(ForwardedExchange(there, LineReader(there), {"type": "http"}).run, echo)
            connection = OwnerConnection(here, LineReader(here), {})
            await connection.send({"begin": True})
            await forward(connection, receive, send)
    assert b"".join(each.get("body", b"") for each in answered) == body
    assert [each["more_body"] for each in answered[1:]][-1] is False
