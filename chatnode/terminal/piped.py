"""Lines in, lines out: for scripts, pipes and screen readers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import trio

from chatnode.client import Client, Pushed, Reset, connect, new_cid
from chatnode.concurrency import raise_single
from chatnode.errors import Refusal
from chatnode.model.conversations import InboxEntry
from chatnode.model.events import MessagePosted
from chatnode.terminal.lines import Lines
from chatnode.terminal.naming import find
from chatnode.terminal.posting import post_patiently
from chatnode.terminal.room import Room
from chatnode.terminal.style import Style

_READ_BYTES = 65_536


async def chat_by_lines(url: str, token: str, who: str) -> bool:
    """Post each line of standard input to `who`, and print what others say there.

    Returns when the input has ended and every line was acknowledged: whether each was taken. Raises `Refusal`
    when there is no such conversation or person.
    """
    async with connect(url, token) as client:
        chat = _LineChat(client)
        await chat.find(who)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(chat.show)
                await chat.post_lines()
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise_single(group)
        return not chat.refused


class _LineChat:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._lines = Lines(Style(colour=False), client.me)
        self._events = client.events()
        self._own: set[str] = set()
        self._entry: InboxEntry | None = None
        self.refused = False

    async def find(self, who: str) -> None:
        self._entry = await find(self._client, who)

    async def post_lines(self) -> None:
        assert self._entry is not None
        splitter = _LineSplitter()
        while True:
            # os.read, not sys.stdin: a thread that is left behind must not hold the lock of a Python file.
            data = await trio.to_thread.run_sync(os.read, sys.stdin.fileno(), _READ_BYTES, abandon_on_cancel=True)
            for line in splitter.feed(data):
                if line.strip():
                    await self._post(self._entry.conversation, line)
            if not data:
                return

    async def _post(self, conversation: str, text: str) -> None:
        cid = new_cid()
        self._own.add(cid)
        try:
            await post_patiently(self._client, conversation, text, cid=cid)
        except Refusal as refusal:
            if refusal.code in ("unauthenticated", "not_member"):
                raise
            self.refused = True
            print(f"chatnode: not sent: {refusal.message}", file=sys.stderr)  # noqa: T201

    async def show(self) -> None:
        assert self._entry is not None
        room = Room(self._client, self._lines, self._write, self._entry, days=False)
        async for item in self._events:
            if isinstance(item, Reset):
                await room.fill()
            elif isinstance(item, Pushed) and isinstance(item.event, MessagePosted):
                message = item.event.message
                if message.conversation != room.conversation:
                    continue
                if message.cid in self._own:
                    self._own.discard(message.cid)
                    room.skip(message)
                    continue
                await room.show_new(message)
                await self._client.read(room.conversation, room.last_seq)

    def _write(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class _LineSplitter:
    """Lines out of chunks of bytes; what is not UTF-8 is replaced. A last line needs no line feed."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that are complete now; empty `data` is the end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data and self._rest:
            lines, self._rest = [self._rest], b""
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
