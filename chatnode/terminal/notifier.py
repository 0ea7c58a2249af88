"""Notifications on the desktop, by the program `notify-send`.

What others wrote is handed to it as arguments after `--`, so nothing in it is an option or reaches a shell.
"""

from __future__ import annotations

import html
import shutil
import subprocess
from collections import deque
from collections.abc import Callable
from typing import Any

import trio

from chatnode.client import Client
from chatnode.concurrency import Signal
from chatnode.errors import ConnectionLost, Refusal
from chatnode.terminal.printable import one_line

PROGRAM = "notify-send"
PATIENCE_SECONDS = 5.0
"""How long the program may take; it hands its notification over and ends."""
MOST_WAITING = 20
"""Further notifications replace the oldest that wait."""
_TITLE_CHARS, _BODY_CHARS = 120, 500


class Notifier:
    """Shows notifications one after the other, while `run` runs. `complain` shows an error.

    `by_node` says whether the node decides what to notify of, because its plugin for notifications runs; None until
    that is known.
    """

    def __init__(self, client: Client, complain: Callable[[str], None]) -> None:
        self._client = client
        self._complain = complain
        self._waiting: deque[tuple[str, str]] = deque(maxlen=MOST_WAITING)
        self._changed = Signal()
        self._early: deque[tuple[str, str]] = deque(maxlen=MOST_WAITING)
        self.by_node: bool | None = None

    async def run(self) -> None:
        """Until cancelled; returns if there is no such program."""
        program = shutil.which(PROGRAM)
        if program is None:
            self._complain(f"no notifications: {PROGRAM} is not installed")
            return
        self.by_node = await self._register()
        while self._early:
            self.notify_of_message(*self._early.popleft())
        while True:
            while not self._waiting:
                await self._changed.wait()
            await self._show(program, *self._waiting.popleft())

    async def _register(self) -> bool:
        """Ask the node to notify this device, as often as it takes; returns whether it will."""
        while True:
            try:
                await self._client.call("notifications.register", transport="desktop", label="chatnode chat")
            except ConnectionLost:
                continue
            except Refusal as refusal:
                if refusal.code == "unauthenticated":
                    raise
                return False
            return True

    def notify(self, title: str, body: str) -> None:
        """Show this soon. Never waits."""
        self._waiting.append((one_line(title, _TITLE_CHARS), one_line(body, _BODY_CHARS)))
        self._changed.notify()

    def notify_of_message(self, title: str, body: str) -> None:
        """Show what the terminal thinks is for the user, unless the node decides that."""
        if self.by_node is None:
            self._early.append((title, body))
        elif not self.by_node:
            self.notify(title, body)

    def notify_of_event(self, fields: dict[str, Any]) -> None:
        """Show the event `notification` of the node's plugin, which may leave out all that it is about."""
        if self.by_node:
            self.notify(str(fields.get("title") or "New messages"), str(fields.get("body") or ""))

    async def _show(self, program: str, title: str, body: str) -> None:
        # Servers may read the body as markup, but not the title.
        command = [program, "--app-name=chatnode", "--", title, html.escape(body, quote=False)]
        try:
            with trio.move_on_after(PATIENCE_SECONDS):
                await trio.run_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        except OSError as error:
            self._complain(f"no notification: {PROGRAM}: {error.strerror}")
