"""The /commands of the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable

import attrs

from chatnode.cli.chat.printable import one_line
from chatnode.cli.chat.room import Room
from chatnode.cli.chat.session import ChatSession
from chatnode.client import Client
from chatnode.errors import Refusal
from chatnode.model.conversations import InboxEntry


@attrs.frozen
class SlashCommand:
    """`usage` is how it is written, `help` what it does."""

    usage: str
    help: str
    run: Callable[[str], Awaitable[None]]

    @property
    def name(self) -> str:
        return self.usage.split()[0]


class Slash:
    """Carries out /commands on a session. What it cannot, it says in a line."""

    def __init__(self, session: ChatSession) -> None:
        self._session = session
        self._client: Client = session.client
        self._public: list[str] = []
        all_commands = (
            SlashCommand("/help", "this list", self._help),
            SlashCommand("/inbox", "your conversations, with what is new in them", self._inbox),
            SlashCommand("/open N or TITLE", "go to a conversation: its number in the inbox, or its title", self._open),
            SlashCommand("/dm HANDLE", "talk to somebody alone", self._direct),
            SlashCommand("/group TITLE [HANDLE …]", 'open a group; "quote a title" that has spaces', self._group),
            SlashCommand("/invite HANDLE", "bring somebody into this group", self._invite),
            SlashCommand("/members", "who takes part here", self._members),
            SlashCommand("/public [WORDS]", "groups that anybody may join", self._list_public),
            SlashCommand("/join N or TITLE", "join one of them", self._join),
            SlashCommand("/leave", "leave this group", self._leave),
            SlashCommand("/more", "older messages", self._more),
            SlashCommand("/reply TEXT", "answer the last message of somebody else", self._reply),
            SlashCommand("/who-read", "who got and read your last message here", self._who_read),
            SlashCommand("/quit", "leave (or Ctrl-D)", self._quit),
        )
        self.commands = {command.name: command for command in all_commands}

    async def run(self, line: str) -> None:
        """A line without its slash. Raises `Refusal`."""
        word, _, rest = line.partition(" ")
        found = self._find("/" + word.rstrip("?").lower())
        if found is None:
            self._session.complain(f"there is no /{word}; /help lists what there is, and //{word} says it")
            return
        await found.run(rest.strip())

    def says_quit(self, line: str) -> bool:
        found = self._find(line.strip().lower()) if line.startswith("/") else None
        return found is not None and found.name == "/quit"

    def _find(self, name: str) -> SlashCommand | None:
        """By name, or by a beginning that only one has."""
        if name in self.commands:
            return self.commands[name]
        alike = [command for key, command in self.commands.items() if key.startswith(name)]
        return alike[0] if len(alike) == 1 and len(name) > 1 else None

    # ---- finding conversations

    async def go_to(self, text: str) -> None:
        """Open a conversation by number, title or handle. Raises `Refusal`."""
        session = self._session
        async with session.turn:
            entry = await self._conversation(text)
            if entry is not None:
                await session.open(entry)
            else:
                session.complain(f"there is no conversation or person called {one_line(text, 80)}")

    async def _conversation(self, text: str) -> InboxEntry | None:
        session = self._session
        numbered = session.desk.numbered(text)
        if numbered is not None:
            return await session.entry_of(numbered)
        found = None if text.startswith("@") else session.desk.find(text)
        if found is not None:
            return found
        try:
            return await session.entry_of(await self._client.direct(text.removeprefix("@")))
        except Refusal as refusal:
            if refusal.code in ("not_found", "invalid"):
                return None
            raise

    def _here(self) -> Room | None:
        if self._session.room is None:
            self._session.complain("open a conversation first: /inbox, then /open 1; or /dm HANDLE")
        return self._session.room

    # ---- commands

    async def _help(self, rest: str) -> None:
        width = max(len(command.usage) for command in self.commands.values())
        for command in self.commands.values():
            self._session.write(f"  {command.usage:{width}}  {self._session.lines.style.dim(command.help)}")
        self._session.write(
            self._session.lines.note("Alt-Enter begins a new line; Tab completes /commands and @handles")
        )

    async def _inbox(self, rest: str) -> None:
        async with self._session.turn:
            await self._session.list_inbox()

    async def _open(self, rest: str) -> None:
        if rest:
            await self.go_to(rest)
        else:
            await self._inbox("")

    async def _direct(self, rest: str) -> None:
        if not rest:
            self._session.complain("/dm HANDLE: whom do you want to talk to?")
            return
        await self.go_to("@" + rest.removeprefix("@"))

    async def _group(self, rest: str) -> None:
        try:
            title, *members = shlex.split(rest)
        except ValueError:
            self._session.complain('/group TITLE [HANDLE …]; "quote a title" that has spaces')
            return
        conversation = await self._client.create_group(title, [member.removeprefix("@") for member in members])
        async with self._session.turn:
            await self._session.open(await self._session.entry_of(conversation))

    async def _invite(self, rest: str) -> None:
        room = self._here()
        if room is not None:
            for handle in rest.split():
                await self._client.add_member(room.conversation, handle.removeprefix("@"))

    async def _members(self, rest: str) -> None:
        room = self._here()
        if room is not None:
            for line in self._session.lines.members(await self._client.members(room.conversation)):
                self._session.write(line)

    async def _list_public(self, rest: str) -> None:
        found = await self._client.public(rest)
        self._public = [conversation.conversation for conversation in found]
        for number, conversation in enumerate(found, 1):
            about = f"  {one_line(conversation.description, 60)}" if conversation.description else ""
            self._session.write(
                f"{number:>3}  {one_line(conversation.title, 60)}{self._session.lines.style.dim(about)}"
            )
        self._session.write(self._session.lines.note("/join N to join one" if found else "there is no such group"))

    async def _join(self, rest: str) -> None:
        conversation = await self._public_group(rest)
        if conversation is None:
            self._session.complain("there is no such public group; /public lists them")
            return
        await self._client.join(conversation)
        async with self._session.turn:
            await self._session.open(await self._session.entry_of(conversation))

    async def _public_group(self, text: str) -> str | None:
        if text.isdecimal() and 0 < int(text) <= len(self._public):
            return self._public[int(text) - 1]
        alike = [each for each in await self._client.public(text) if each.title.casefold() == text.casefold()]
        return alike[0].conversation if alike else None

    async def _leave(self, rest: str) -> None:
        room = self._here()
        if room is not None:
            await self._client.leave(room.conversation)

    async def _more(self, rest: str) -> None:
        room = self._here()
        if room is not None:
            async with self._session.turn:
                if not await room.show_older():
                    self._session.write(self._session.lines.note("this is where it begins"))

    async def _reply(self, rest: str) -> None:
        room = self._here()
        if room is None or not rest:
            return
        message = room.newest(lambda message: message.sender.id != self._client.me.id)
        if message is None:
            self._session.complain("nobody else has said anything here")
            return
        await self._session.say(rest, reply_to=message.message)

    async def _who_read(self, rest: str) -> None:
        room = self._here()
        if room is None:
            return
        message = room.newest(lambda message: message.sender.id == self._client.me.id)
        if message is None:
            self._session.complain("no message of yours is on the screen; /more shows older ones")
            return
        for line in self._session.lines.receipts(message, await self._client.receipts(message.message)):
            self._session.write(line)

    async def _quit(self, rest: str) -> None:
        """Seen by the prompt already, as it does not wait for what is under way."""
