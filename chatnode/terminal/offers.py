"""The slash commands of the node: those that plugins and bots offer in the open conversation."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.client import Client
from chatnode.errors import Refusal
from chatnode.model.bots import OfferedCommand
from chatnode.model.slash import parse_slash
from chatnode.terminal.printable import one_line


class Offers:
    """What the open conversation offers. `note` shows a line."""

    def __init__(self, client: Client, note: Callable[[str], None]) -> None:
        self._client = client
        self._note = note
        self._conversation: str | None = None
        self._commands: tuple[OfferedCommand, ...] = ()

    @property
    def commands(self) -> tuple[OfferedCommand, ...]:
        """A tuple that is replaced as a whole, so that another thread may look through it."""
        return self._commands

    def clear(self) -> None:
        """Nothing is open."""
        self._conversation, self._commands = None, ()

    async def load(self, conversation: str) -> None:
        """Ask what the conversation that is open now offers; a node of an earlier version offers nothing."""
        self._conversation, self._commands = conversation, ()
        try:
            offered = await self._client.slash_commands(conversation)
        except Refusal as refusal:
            if refusal.code == "unauthenticated":
                raise  # else the user has left the conversation since
        else:
            self._commands = tuple(each for each in offered if _is_command(each.command))

    async def run(self, line: str) -> bool:
        """Run a line, such as `/deploy main`, if the open conversation offers that; returns whether it does. A bot may
        have learnt a command since it was opened. Raises `Refusal`."""
        spoken = parse_slash(line)
        if spoken is None or self._conversation is None:
            return False
        if spoken.plugin is None and spoken.bot is None and not self._offers(spoken.name):
            await self.load(self._conversation)
            if not self._offers(spoken.name):
                return False
        ran = await self._client.run_slash(self._conversation, line)
        if ran.bot is not None:
            self._note(f"asked {one_line(ran.bot.handle, 80)}")
        return True

    def _offers(self, name: str) -> bool:
        """Whether there is a command with this name; where several have it, the node says how each is written."""
        found = (parse_slash(each.command) for each in self._commands)
        return any(spoken is not None and spoken.name == name for spoken in found)


def _is_command(text: str) -> bool:
    """Whether it is what its user types, and nothing else: it is put into the line that they edit."""
    spoken = parse_slash(text)
    return spoken is not None and not spoken.rest and not any(each.isspace() for each in text)
