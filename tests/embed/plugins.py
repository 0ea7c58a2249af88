"""Plugins of the embedded nodes."""

from __future__ import annotations

import attrs
import trio

from chatnode.api import CHAT, Context, Plugin, command, hookimpl


@attrs.define
class Ask:
    """Nothing is asked."""


@attrs.define
class Word:
    """A word."""

    word: str


class Words:
    """A plugin `words` whose command gives its word."""

    def __init__(self, word: str) -> None:
        @command("words.get", permission=CHAT, reads=True)
        async def get(ctx: Context, asked: Ask) -> Word:
            """Return the word."""
            return Word(word)

        self._commands = (get,)

    @hookimpl
    def chatnode_plugin(self) -> Plugin:
        """The declaration."""
        return Plugin(name="words", version="1.0", api="2.0", about="Gives a word.", commands=self._commands)


class Waiting:
    """A plugin `waiting` whose command waits until it is cancelled."""

    def __init__(self) -> None:
        self.under_way = 0

        @command("waiting.wait", permission=CHAT)
        async def wait(ctx: Context, asked: Ask) -> Ask:
            """Wait."""
            self.under_way += 1
            try:
                await trio.sleep_forever()
            finally:
                self.under_way -= 1

        self._commands = (wait,)

    @hookimpl
    def chatnode_plugin(self) -> Plugin:
        """The declaration."""
        return Plugin(name="waiting", version="1.0", api="2.0", about="Waits.", commands=self._commands)
