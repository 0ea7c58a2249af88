"""From what a person typed to a conversation. Nothing is guessed: what is typed for a user never goes to a group.

`ann` and `@ann` are the user of that handle and nothing else, `#tea` is the group with the whole title "tea" or
"#tea", and so is any title that could not be a handle, such as `Road trip`. Case and how letters are composed do not
matter. An id is itself. Several groups with the title are listed with their ids.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatnode.client import Client
from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.model.conversations import InboxEntry
from chatnode.model.fields import HANDLE_FORM
from chatnode.model.folding import caseless
from chatnode.terminal.printable import one_line

_PAGE = 500
_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9]{1,9}")


def read_number(text: str) -> int | None:
    """The number by which a line of the screen is picked; None for any other text."""
    return int(text) if _NUMBER.fullmatch(text) else None


async def find(client: Client, text: str) -> InboxEntry:
    """The conversation that `text` names; the one with a user is opened if need be.

    Raises `Refusal`: `not_found`, `conflict` when there are several, or why there is none with this user.
    """
    name = text.strip()
    if name.startswith("@"):
        return await _direct(client, name[1:])
    if name.startswith("#"):
        return _only(await _groups(client, name, name[1:]), name)
    if _ID.fullmatch(name):
        return await _by_id(client, name)
    if not re.fullmatch(HANDLE_FORM, caseless(name)):
        return _only(await _groups(client, name), name)
    try:
        return await _direct(client, name)
    except Refusal as refusal:
        if refusal.code not in ("not_found", "invalid"):
            raise
    known = one_line(name, 80)
    if await _groups(client, name):
        raise Refusal("not_found", f"no such user: {known}; the group of that title is written '#{known}'")
    raise Refusal("not_found", f"no such user or conversation: {known}")


def has_title(title: str, *wanted: str) -> bool:
    """Whether one of `wanted` is the whole title, but for case, the composition of letters, and spaces."""
    return _comparable(title) in {_comparable(each) for each in wanted if each}


def _comparable(title: str) -> str:
    return " ".join(caseless(title).split())


async def _direct(client: Client, who: str) -> InboxEntry:
    try:
        conversation = await client.direct(who)
    except Refusal as refusal:
        if refusal.code in ("not_found", "invalid"):
            raise Refusal("not_found", f"no such user: {one_line(who, 80)}") from None
        raise
    return (await client.conversation(conversation)).you


async def _by_id(client: Client, id: str) -> InboxEntry:
    try:
        return (await client.conversation(id)).you
    except Refusal as refusal:
        if refusal.code not in ("not_found", "not_member"):
            raise
    return await _direct(client, id)


async def _groups(client: Client, *titles: str) -> list[InboxEntry]:
    found: list[InboxEntry] = []
    after: int | None = None
    while True:
        page = await client.inbox(limit=_PAGE, after=after)
        found += [entry for entry in page.conversations if entry.kind == "group" and has_title(entry.title, *titles)]
        if page.next is None:
            return found
        after = page.next


def _only(groups: Sequence[InboxEntry], name: str) -> InboxEntry:
    known = one_line(name, 80)
    if not groups:
        raise Refusal("not_found", f"no such conversation: {known}")
    if len(groups) > 1:
        listed = "\n".join(f"  {_told_apart(entry)}" for entry in groups)
        raise Refusal("conflict", f"{len(groups)} groups are called {known}; use an id:\n{listed}")
    return groups[0]


def _told_apart(entry: InboxEntry) -> str:
    parts = [entry.conversation, entry.visibility, counted(entry.members, "member"), f"you are {entry.role}"]
    if entry.last is not None:
        parts.append(f"last message by {entry.last.sender.handle}, {entry.last.at[:16].replace('T', ' ')} UTC")
    return ", ".join(parts)
