"""A bot that answers users who mention it, built on the client library.

    CHATNODE_TOKEN=… python examples/bot.py http://127.0.0.1:8008

It saves its position in a file, so that after a restart it answers the messages that it missed. The cid of an answer is
derived from the message: answering again after a crash does not post a second answer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import trio

from chatnode.client import Client, Cursor, Pushed, connect
from chatnode.model.events import MessagePosted
from chatnode.model.messages import Message


async def run_bot(url: str, token: str, place: Path) -> None:
    """Runs until cancelled, or until the token is revoked."""
    async with connect(url, token, cursor=load_cursor(place)) as client:
        async for item in client.events():
            if isinstance(item, Pushed) and isinstance(item.event, MessagePosted):
                await answer(client, item.event.message)
            save_cursor(place, item.cursor)


async def answer(client: Client, message: Message) -> None:
    """Echo the message, without the handle."""
    if message.sender.id == client.me.id or client.me.id not in (message.mentions or ()):
        return
    echo = message.text.replace(f"@{client.me.handle}", "").strip() or "yes?"
    await client.post(message.conversation, echo, cid=f"echo-{message.message}", reply_to=message.message)


def load_cursor(place: Path) -> Cursor | None:
    """The position that the last run reached."""
    if not place.exists():
        return None
    epoch, gid = place.read_text().split()
    return Cursor(epoch, int(gid))


def save_cursor(place: Path, cursor: Cursor | None) -> None:
    """Save to a temporary file and rename it, so that a crash leaves either the old or the new position."""
    if cursor is not None:
        new = place.with_name(place.name + ".new")
        new.write_text(f"{cursor.epoch} {cursor.gid}\n")
        new.replace(place)


if __name__ == "__main__":
    trio.run(run_bot, sys.argv[1], os.environ["CHATNODE_TOKEN"], Path("bot-cursor"))
