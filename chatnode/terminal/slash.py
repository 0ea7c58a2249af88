"""The /commands of the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from shutil import get_terminal_size

import attrs

from chatnode.client import Client
from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.terminal.attaching import FileCommands
from chatnode.terminal.buttons import ButtonCommands
from chatnode.terminal.changes import Changes, here, last_of_mine, last_of_others
from chatnode.terminal.naming import find, has_title, read_number
from chatnode.terminal.printable import one_line
from chatnode.terminal.room import PAGE
from chatnode.terminal.session import ChatSession


@attrs.frozen
class TerminalCommand:
    """`usage` is how it is written, `help` what it does. `moves`: what is typed behind it is for where it leads."""

    usage: str
    help: str
    run: Callable[[str], Awaitable[None]]
    moves: bool = False

    @property
    def name(self) -> str:
        return self.usage.split()[0]


class TerminalCommands:
    """Carries out /commands on a session: the terminal's own, and then those that the node offers in the open
    conversation. What it cannot, it says in a line."""

    def __init__(self, session: ChatSession, files: FileCommands, buttons: ButtonCommands) -> None:
        self._session = session
        self._client: Client = session.client
        self._public: list[str] = []
        changes = Changes(session)
        all_commands = (
            TerminalCommand("/help", "list the commands", self._help),
            TerminalCommand("/inbox", "list your conversations and unread messages", self._inbox),
            TerminalCommand("/open N, HANDLE or #TITLE", "open a conversation by number or name", self._open, True),
            TerminalCommand("/dm HANDLE", "direct message", self._direct, True),
            TerminalCommand("/group TITLE [HANDLE …]", "create a group; quote a title with spaces", self._group, True),
            TerminalCommand("/invite HANDLE …", "add users to this group", self._invite),
            TerminalCommand("/members", "list members", self._members),
            TerminalCommand("/public [WORDS]", "list public groups", self._list_public),
            TerminalCommand("/join N or TITLE", "join a public group", self._join, True),
            TerminalCommand("/leave", "leave this group", self._leave),
            TerminalCommand("/more", "show older messages", self._more),
            TerminalCommand("/search WORDS", "find messages; in:#TITLE, from:HANDLE, has:link, …", self._search),
            TerminalCommand("/reply TEXT", "reply to the last message by someone else", self._reply),
            TerminalCommand("/edit TEXT", "change your last message here", changes.edit),
            TerminalCommand("/delete", "delete your last message here for everyone", changes.delete),
            TerminalCommand("/react EMOJI", "react to the last message by someone else", changes.react),
            TerminalCommand("/unreact [EMOJI]", "remove your reactions to it", changes.unreact),
            TerminalCommand("/attach FILE [TEXT]", "send a file; quote a name with spaces", files.attach),
            TerminalCommand("/save [N] [TARGET]", "save file N, or the last one, here or to TARGET", files.save),
            TerminalCommand("/press N", "press button N; one that asks needs /press N yes", buttons.press),
            TerminalCommand("/who-read", "show who received and read your last message here", self._who_read),
            TerminalCommand("/status [TEXT]", "set your status; without TEXT, clear it", changes.status),
            TerminalCommand("/mute [HOURS]", "mute this conversation, until /unmute by default", changes.mute),
            TerminalCommand("/unmute", "unmute this conversation", changes.unmute),
            TerminalCommand("/block [HANDLE]", "block a user; without HANDLE, list blocked users", changes.block),
            TerminalCommand("/unblock HANDLE", "unblock a user", changes.unblock),
            TerminalCommand("/quit", "quit (or Ctrl-D)", self._quit),
        )
        self.commands = {command.name: command for command in all_commands}

    async def run(self, line: str) -> None:
        """A line without its slash. Raises `Refusal`."""
        word, rest = _split(line)
        found = self.commands.get(f"/{word.lower()}")
        if found is None:
            if not await self._session.offers.run(f"/{line}"):
                word = one_line(word, 80)
                self._session.complain(f"unknown command /{word}; see /help; //{word} sends it as text")
            return
        try:
            await found.run(rest)
        except Exception:
            if found.moves:
                self._session.leave_room()
            raise

    def says_quit(self, line: str) -> bool:
        return _split(line)[0].lower() == "/quit"

    # ---- finding conversations

    async def go_to(self, text: str) -> None:
        """Open a conversation by number, handle, title or id. Raises `Refusal`."""
        session = self._session
        async with session.turn:
            numbered = session.desk.numbered(text)
            entry = await (session.entry_of(numbered) if numbered is not None else find(self._client, text))
            session.desk.put(entry)
            await session.open(entry)

    # ---- commands

    async def _help(self, rest: str) -> None:
        width = max(len(command.usage) for command in self.commands.values())
        for command in self.commands.values():
            self._session.write(f"  {command.usage:{width}}  {self._session.lines.style.dim(command.help)}")
        for offer in self._session.offers.commands:
            self._session.write(self._session.lines.offer(offer, width))
        for line in (
            "HANDLE or @HANDLE is a user, #TITLE a group; a title that could not be a handle needs no #",
            "any other line starting with / is refused; //me sends “/me” as text",
            "Alt-Enter starts a new line; Tab completes commands, handles, titles and files to attach",
        ):
            self._session.write(self._session.lines.note(line))

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
            raise Refusal("invalid", "/dm HANDLE")
        await self.go_to("@" + rest.removeprefix("@"))

    async def _group(self, rest: str) -> None:
        try:
            title, *members = shlex.split(rest)
        except ValueError:
            raise Refusal("invalid", '/group TITLE [HANDLE …]; "quote a title" that has spaces') from None
        conversation = await self._client.create_group(title, [member.removeprefix("@") for member in members])
        async with self._session.turn:
            await self._session.open(await self._session.entry_of(conversation))

    async def _invite(self, rest: str) -> None:
        if not rest:
            raise Refusal("invalid", "/invite HANDLE")
        room = here(self._session)
        for handle in rest.split():
            await self._client.add_member(room.conversation, handle.removeprefix("@"))

    async def _members(self, rest: str) -> None:
        for line in self._session.lines.members(await self._client.members(here(self._session).conversation)):
            self._session.write(line)

    async def _list_public(self, rest: str) -> None:
        found = await self._client.public(rest)
        self._public = [conversation.conversation for conversation in found]
        for number, conversation in enumerate(found, 1):
            about = f"  {one_line(conversation.description, 60)}" if conversation.description else ""
            members = f"  {counted(conversation.members, 'member')}"
            self._session.write(
                f"{number:>3}  {one_line(conversation.title, 60)}{self._session.lines.style.dim(members + about)}"
            )
        self._session.write(self._session.lines.note("/join N to join one" if found else "no such group"))

    async def _join(self, rest: str) -> None:
        conversation = await self._public_group(rest)
        await self._client.join(conversation)
        async with self._session.turn:
            await self._session.open(await self._session.entry_of(conversation))

    async def _public_group(self, text: str) -> str:
        if (number := read_number(text)) is not None and 0 < number <= len(self._public):
            return self._public[number - 1]
        title = text.removeprefix("#")
        pages = [await self._client.public(title)]
        while pages[-1]:
            pages.append(await self._client.public(title, after=pages[-1][-1].conversation))
        alike = [each.conversation for page in pages for each in page if has_title(each.title, text, title)]
        if not alike:
            raise Refusal("not_found", "no such public group; /public lists them")
        if len(alike) > 1:
            raise Refusal("conflict", f"{len(alike)} public groups have this title; use /public {title}, then /join N")
        return alike[0]

    async def _leave(self, rest: str) -> None:
        await self._client.leave(here(self._session).conversation)

    async def _more(self, rest: str) -> None:
        room = here(self._session)
        async with self._session.turn:
            if not await room.show_older():
                self._session.write(self._session.lines.note("this is the beginning of the conversation"))

    async def _search(self, rest: str) -> None:
        if not rest:
            raise Refusal("invalid", "/search WORDS")
        given = await self._client.search(rest, limit=PAGE)
        session = self._session
        session.desk.number(hit.message.conversation for hit in given.results)
        for number, hit in enumerate(given.results, 1):
            entry = session.desk.get(hit.message.conversation)
            session.write(session.lines.found(hit.message, entry, number, get_terminal_size().columns))
        if not given.results:
            session.write(session.lines.note("nothing found"))
        elif given.next is not None or given.partial:
            session.write(session.lines.note("only the newest are shown; add words or before:DATE to find others"))

    async def _reply(self, rest: str) -> None:
        if not rest:
            raise Refusal("invalid", "/reply TEXT")
        message = last_of_others(self._session)
        await self._session.say(rest, reply_to=message.message)

    async def _who_read(self, rest: str) -> None:
        message = last_of_mine(self._session)
        for line in self._session.lines.receipts(message, await self._client.receipts(message.message)):
            self._session.write(line)

    async def _quit(self, rest: str) -> None:
        """Seen by the prompt already, as it does not wait for what is under way."""


def _split(line: str) -> tuple[str, str]:
    """The word that a line begins with, and what follows."""
    word, *rest = line.split(None, 1) if line[:1].strip() else ["", line]
    return word, rest[0].strip() if rest else ""
