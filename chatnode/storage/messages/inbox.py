"""The inbox: each conversation of a person with its last message and what is unread in it."""

from __future__ import annotations

from typing import Any, NamedTuple

from chatnode.model.commands.messages import InboxPage
from chatnode.model.conversations import InboxEntry, Kind, MemberRole, Visibility
from chatnode.model.people import Account, PersonRef
from chatnode.model.times import rfc3339_or_none
from chatnode.storage.conversations import conversations, settings
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.dialect import greatest
from chatnode.storage.messages import mentions, messages


class _Found(NamedTuple):
    """The columns of `_ENTRY` before those of the settings, in its order."""

    key: int
    id: str
    kind: Kind
    title: str
    visibility: Visibility
    head: int
    activity: int
    role: MemberRole
    first: int
    read: int
    delivered: int
    mentions: int
    members: int
    closed_at: int | None
    avatar: str | None


_ENTRY = f"""
  SELECT c.key, c.id, c.kind, c.title, c.visibility, c.head, c.activity,
    m.role, {conversations.FIRST_SEEN}, m.read_seq, {greatest("m.delivered_seq", "m.read_seq")},
    {mentions.UNREAD},
    (SELECT count(*) FROM members o WHERE o.conversation = c.key AND o.left_gid IS NULL),
    c.closed_at, c.avatar, {settings.COLUMNS}
  FROM members m JOIN conversations c ON c.key = m.conversation
  LEFT JOIN conversation_settings s ON s.person = m.person AND s.conversation = m.conversation
  WHERE m.person = ? AND m.left_gid IS NULL
"""  # noqa: S608 -- made of constants


def page(
    reader: Reader,
    account: Account,
    after: int | None,
    limit: int,
    *,
    unread: bool = False,
    archived: bool | None = None,
    starred: bool | None = None,
) -> InboxPage:
    """Latest activity first. `after` is the `next` of the page before.

    `unread`: only what has unread messages; `archived`, `starred`: only what is, or is not; None takes both.
    """
    rows = reader.execute(
        _ENTRY + "AND c.inactive_at IS NULL AND c.activity < ? AND c.head - m.read_seq >= ? "
        "AND coalesce(s.archived, 0) = coalesce(?, s.archived, 0) "
        "AND coalesce(s.starred, 0) = coalesce(?, s.starred, 0) ORDER BY c.activity DESC LIMIT ?",
        (account.key, 2**62 if after is None else after, int(unread), archived, starred, limit + 1),
    ).fetchall()
    entries = [_entry(reader, account, row) for row in rows[:limit]]
    messages.enrich(reader, [entry.last for entry in entries if entry.last is not None], account)
    return InboxPage(entries, entries[-1].activity if len(rows) > limit else None)


def entry(reader: Reader, account: Account, place: Place) -> InboxEntry:
    row = reader.execute(_ENTRY + "AND c.key = ?", (account.key, place.key)).fetchone()
    found = _entry(reader, account, row)
    messages.enrich(reader, [found.last] if found.last is not None else [], account)
    return found


def _entry(reader: Reader, account: Account, row: tuple[Any, ...]) -> InboxEntry:
    width = len(_Found._fields)
    found = _Found(*row[:width])
    last = messages.at_seq(reader, found.key, found.head) if found.head >= found.first else None
    peer = _peer(reader, found.key, account) if found.kind == "direct" else None
    return InboxEntry(
        conversation=found.id, kind=found.kind, title=found.title or (peer.handle if peer else ""),
        visibility=found.visibility, role=found.role, head=found.head, first=found.first, read_seq=found.read,
        delivered_seq=found.delivered, unread=found.head - found.read, mentions=found.mentions, members=found.members,
        activity=found.activity, last=last, peer=peer,
        closed_at=rfc3339_or_none(found.closed_at),
        settings=settings.from_row(row[width:]), avatar=found.avatar,
    )  # fmt: skip


def _peer(reader: Reader, conversation: int, account: Account) -> PersonRef:
    """The other person of a direct conversation; oneself in notes to self."""
    row = reader.execute(
        "SELECT p.id, p.handle FROM members m JOIN people p ON p.key = m.person "
        "WHERE m.conversation = ? AND m.person <> ?",
        (conversation, account.key),
    ).fetchone()
    return PersonRef(*row) if row else account.ref
