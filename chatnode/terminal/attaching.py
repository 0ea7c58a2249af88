"""The /commands for files."""

from __future__ import annotations

from pathlib import Path

from chatnode.errors import Refusal
from chatnode.terminal.changes import here
from chatnode.terminal.lines import ShownFiles
from chatnode.terminal.naming import read_number
from chatnode.terminal.paths import split_path
from chatnode.terminal.session import ChatSession
from chatnode.terminal.transfers import TransferQueue


class FileCommands:
    """What each of them does. They return at once; the file is transferred meanwhile. Raises `Refusal`."""

    def __init__(self, session: ChatSession, transfers: TransferQueue, files: ShownFiles) -> None:
        self._session = session
        self._transfers = transfers
        self._files = files

    async def attach(self, rest: str) -> None:
        conversation = here(self._session).conversation
        path, text = split_path(rest)
        await self._transfers.attach(conversation, path, text)

    async def save(self, rest: str) -> None:
        number, target = _numbered(rest)
        file = self._files.get(number)
        if file is None:
            raise Refusal("not_found", f"no file {number} is on the screen" if number else "no file is on the screen")
        await self._transfers.save(file, split_path(target)[0] if target else Path())


def _numbered(text: str) -> tuple[int | None, str]:
    first, _, rest = text.partition(" ")
    number = read_number(first)
    return (None, text) if number is None else (number, rest.strip())
