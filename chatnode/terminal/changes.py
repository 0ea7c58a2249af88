"""The /commands that change something: messages, reactions, status, blocks, muting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatnode.errors import Refusal
from chatnode.model.messages import Message
from chatnode.terminal.room import Room
from chatnode.terminal.session import NOWHERE, ChatSession

_LONGEST_HOURS = 100 * 366 * 24
"""Muting for longer than this means until it is undone."""


def here(session: ChatSession) -> Room:
    """The open conversation. Raises `Refusal` when none is."""
    if session.room is None:
        raise Refusal("invalid", NOWHERE)
    return session.room


def last_of_mine(session: ChatSession) -> Message:
    """The last message of one's own on the screen. Raises `Refusal`."""
    me = session.client.me.id
    message = here(session).newest(lambda each: each.sender.id == me and each.deleted_at is None)
    if message is None:
        raise Refusal("not_found", "no message of yours is on the screen; /more shows older ones")
    return message


def last_of_others(session: ChatSession) -> Message:
    """The last message by another user on the screen. Raises `Refusal`."""
    me = session.client.me.id
    message = here(session).newest(lambda each: each.sender.id != me and each.deleted_at is None)
    if message is None:
        raise Refusal("not_found", "no message by anyone else is on the screen")
    return message


class Changes:
    """What each /command of these does. Raises `Refusal`."""

    def __init__(self, session: ChatSession) -> None:
        self._session = session
        self._client = session.client

    async def edit(self, rest: str) -> None:
        if not rest:
            raise Refusal("invalid", "/edit TEXT")
        await self._client.edit(last_of_mine(self._session).message, rest)

    async def delete(self, rest: str) -> None:
        if rest:
            raise Refusal("invalid", "/delete has no arguments; it deletes your last message here")
        await self._client.delete(last_of_mine(self._session).message)

    async def react(self, rest: str) -> None:
        if not rest:
            raise Refusal("invalid", "/react EMOJI")
        await self._reactions("reactions.add", message=last_of_others(self._session).message, emoji=rest)

    async def unreact(self, rest: str) -> None:
        fields = {"emoji": rest} if rest else {}
        await self._reactions("reactions.remove", message=last_of_others(self._session).message, **fields)

    async def _reactions(self, command: str, **fields: str) -> None:
        try:
            await self._client.call(command, **fields)
        except Refusal as refusal:
            if refusal.code == "unknown_command":
                raise Refusal("not_found", "this node has no reactions; the plugin for them is not running") from None
            raise

    async def status(self, rest: str) -> None:
        await self._client.set_status(rest or None)
        self._session.note(f"status set: {rest}" if rest else "status cleared")

    async def mute(self, rest: str) -> None:
        hours = _hours(rest)
        until = datetime.now(UTC) + timedelta(hours=hours or _LONGEST_HOURS)
        await self._client.settings(here(self._session).conversation, muted_until=f"{until:%Y-%m-%dT%H:%M:%SZ}")
        self._session.note(f"muted until {until.astimezone():%Y-%m-%d %H:%M}" if hours else "muted until /unmute")

    async def unmute(self, rest: str) -> None:
        room = here(self._session)
        settings = await self._client.settings(room.conversation, muted_until="")
        if settings.notify == "none":
            await self._client.settings(room.conversation, notify="all")
        self._session.note("no longer muted")

    async def block(self, rest: str) -> None:
        if rest:
            await self._client.block(rest.removeprefix("@"))
            return
        blocked = await self._client.blocked()
        self._session.note("you block " + (", ".join(person.handle for person in blocked) or "nobody"))

    async def unblock(self, rest: str) -> None:
        if not rest:
            raise Refusal("invalid", "/unblock HANDLE")
        await self._client.unblock(rest.removeprefix("@"))


def _hours(text: str) -> float | None:
    """How long to mute; None for until it is taken back. Raises `Refusal`."""
    if not text:
        return None
    try:
        hours = float(text.removesuffix("h"))
    except ValueError:
        hours = 0
    if not 0 < hours <= _LONGEST_HOURS:
        raise Refusal("invalid", "/mute [HOURS]: a number of hours, such as 8")
    return hours
