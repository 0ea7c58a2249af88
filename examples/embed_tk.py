"""A node inside a program with windows: trio is a guest of Tk's loop. Both run in one thread and may call each other.

    python examples/embed_tk.py DIRECTORY

It needs a screen and Python's tkinter. What you type is stored, and is there the next time. With Qt or another toolkit,
only `run` is different. While your program is busy, the node does nothing; if that may last, use
`chatnode.embed.threads`, where the node has a thread of its own.
"""

from __future__ import annotations

import math
import sys
import tkinter
from functools import partial
from pathlib import Path
from typing import Any

import trio

from chatnode.client import Live, Pushed
from chatnode.embed import open_node


class Window:
    """A list of messages, and a line to type in."""

    def __init__(self) -> None:
        self.root = tkinter.Tk()
        self.root.title("Notes")
        self.messages = tkinter.Listbox(self.root, width=60)
        self.messages.pack(fill="both", expand=True)
        self.entry = tkinter.Entry(self.root)
        self.entry.pack(fill="x")
        self.entry.bind("<Return>", self._typed)
        self._send, self.typed = trio.open_memory_channel[str](math.inf)

    def show(self, text: str) -> None:
        """Add a message to the list."""
        self.messages.insert("end", text)
        self.messages.see("end")

    def _typed(self, _: object) -> None:
        self._send.send_nowait(self.entry.get())
        self.entry.delete(0, "end")


async def chat(window: Window, data: Path) -> None:
    """Show what is said in a conversation, and post what is typed."""
    async with open_node(data) as node, trio.open_nursery() as nursery:
        desk = node.bot("desk")
        talk = (await desk.conversations.direct(with_="desk")).conversation
        for message in (await desk.messages.list(conversation=talk)).messages:
            window.show(message.text)
        async for item in desk.events(kinds={"message.posted"}):
            if isinstance(item, Pushed):
                window.show(item.fields["message"]["text"])
            elif isinstance(item, Live):
                nursery.start_soon(post, window.typed, partial(desk.messages.post, conversation=talk))


async def post(typed: trio.MemoryReceiveChannel[str], say: Any) -> None:
    """Post each line that is typed."""
    async for text in typed:
        await say(text=text)


def run(window: Window, data: Path) -> None:
    """Run Tk's loop, and in it trio. Closing the window cancels the node, and the loop ends when that has stopped."""
    closing = trio.CancelScope()
    ended: list[Any] = []

    async def guest() -> None:
        with closing:
            await chat(window, data)

    def done(outcome: Any) -> None:
        ended.append(outcome)
        window.root.destroy()

    window.root.protocol("WM_DELETE_WINDOW", closing.cancel)
    trio.lowlevel.start_guest_run(guest, run_sync_soon_threadsafe=partial(window.root.after, 0), done_callback=done)
    window.root.mainloop()
    ended[0].unwrap()


if __name__ == "__main__":
    run(Window(), Path(sys.argv[1]))
