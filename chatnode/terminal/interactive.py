"""The terminal client: prompt, events and commands together."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import trio

from chatnode.client import Client, connect
from chatnode.concurrency import raise_single
from chatnode.terminal.attaching import FileCommands
from chatnode.terminal.buttons import ButtonCommands, ShownButtons
from chatnode.terminal.lines import Lines, ShownFiles
from chatnode.terminal.notifier import Notifier
from chatnode.terminal.printable import one_line
from chatnode.terminal.prompt import Prompt, Words
from chatnode.terminal.session import ChatSession
from chatnode.terminal.slash import TerminalCommands
from chatnode.terminal.style import Style
from chatnode.terminal.tokens import state_directory
from chatnode.terminal.transfers import TransferQueue
from chatnode.terminal.unfinished import UnfinishedUploads

_LAST_SECONDS = 3.0
"""How long leaving waits for what was entered last."""


async def chat_at_terminal(url: str, token: str, who: str | None, *, notify: bool = False) -> None:
    """Until the person leaves. With `notify`, the desktop tells of messages that are for them. Raises `SignedOut`,
    `Unreachable` or a `Refusal` of the hello."""
    async with connect(url, token) as client:
        chat = _Chat(client, url, notify=notify)
        chat.greet(url)
        if who is not None:
            chat.open_first(who)
        try:
            await chat.run()
        except BaseExceptionGroup as group:
            raise_single(group)


class _Chat:
    """The parts, and what goes between them."""

    def __init__(self, client: Client, url: str, *, notify: bool) -> None:
        files, buttons = ShownFiles(), ShownButtons()
        self._lines = Lines(Style.of_terminal(), client.me, files, buttons)
        self.session = ChatSession(client, self._lines, _write, lambda: self._prompt.refresh())
        unfinished = UnfinishedUploads(state_directory(), url, client.me.id)
        self._transfers = TransferQueue(
            client, unfinished, self.session.note, self.session.complain, lambda: self._prompt.refresh()
        )
        if notify:
            self.session.notifier = Notifier(client, self.session.complain)
        self._slash = TerminalCommands(
            self.session,
            FileCommands(self.session, self._transfers, files),
            ButtonCommands(client, buttons, self.session.note),
        )
        words = Words(self._slash.commands, self.session.desk.names, self._handles, self._offered)
        self._prompt = Prompt(lambda: self.session.title, self._status, words, self._transfers.cancel)

    def greet(self, url: str) -> None:
        style = self._lines.style
        _write(f"{style.bold('chatnode')} at {one_line(url, 200)} — you are {style.handle(self._lines.me.handle)}")
        _write(style.dim("  /help lists the commands, /quit quits"))

    def open_first(self, who: str) -> None:
        """Go to a conversation at once. A number is no place in a list that nobody has seen."""
        self.session.enter(f"/open {'@' if who.isdecimal() else ''}{' '.join(who.split())}")

    async def run(self) -> None:
        """Until the person leaves or the session ends; says what was not done by then."""
        try:
            await self._run()
        finally:
            self._say_undone()

    async def _run(self) -> None:
        left = trio.Event()

        async def edit(task_status: trio.TaskStatus[None]) -> None:
            await self._prompt.run(self._handle_line, task_status)
            left.set()

        async with trio.open_nursery() as nursery:
            await nursery.start(edit)  # first: what is printed while the prompt is being drawn is mixed with it
            nursery.start_soon(self.session.follow)
            nursery.start_soon(self.session.work, self._slash.run)
            nursery.start_soon(self.session.mark)
            nursery.start_soon(self.session.catch_up)
            nursery.start_soon(self._transfers.run)
            if self.session.notifier is not None:
                nursery.start_soon(self.session.notifier.run)
            nursery.start_soon(_call_on_signals, self._prompt.leave, signal.SIGTERM, signal.SIGHUP)
            nursery.start_soon(_call_on_signals, self._transfers.cancel, signal.SIGINT)
            await left.wait()
            with trio.move_on_after(_LAST_SECONDS):
                await self.session.wait_done()
            nursery.cancel_scope.cancel()

    def _handle_line(self, line: str) -> None:
        """A line from the prompt. Leaving does not wait for what is under way."""
        if self._slash.says_quit(line):
            self._prompt.leave()
        else:
            self.session.enter(line)
            self._prompt.refresh()

    def _say_undone(self) -> None:
        for line in self.session.unsent():
            self.session.complain(f"not sent: {one_line(line, 200)}")
        for what in self._transfers.unfinished:
            self.session.complain(f"not done: {what}")

    def _status(self) -> str:
        return " · ".join(each for each in (self.session.status, self._transfers.status) if each)

    def _offered(self) -> tuple[str, ...]:
        return tuple(each.command for each in self.session.offers.commands)

    def _handles(self) -> tuple[str, ...]:
        heard = self.session.room.handles() if self.session.room else ()
        return tuple(dict.fromkeys((*heard, *self.session.desk.handles())))


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")


async def _call_on_signals(handle: Callable[[], object], *which: signal.Signals) -> None:
    """Leaving gives the terminal back as it was. Ctrl-C is a signal in the moments when the editor prints something,
    and does the same then as at any other time."""
    with trio.open_signal_receiver(*which) as signals:
        async for _ in signals:
            handle()
