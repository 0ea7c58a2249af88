"""The inbox: each conversation of a person with its last message and what is unread in it."""

from __future__ import annotations

from typing import Any

from chatnode.model.commands.messages import InboxPage
from chatnode.model.conversations import InboxEntry
from chatnode.model.people import Account, PersonRef
from chatnode.model.times import rfc3339
from chatnode.storage.conversations import conversations, settings
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.dialect import greatest
from chatnode.storage.messages import mentions, messages

_ENTRY = f"""
  SELECT c.key, c.id, c.kind, c.title, c.visibility, c.head, c.activity,
    m.role, {conversations.FIRST_SEEN}, m.read_seq, {greatest("m.delivered_seq", "m.read_seq")},
    {mentions.UNREAD},
    (SELECT count(*) FROM members o WHERE o.conversation = c.key AND o.left_gid IS NULL),
    c.closed_at, {settings.COLUMNS}
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
    key, id, kind, title, visibility, head, activity, role, first, read, delivered, *more = row
    named, members, closed_at, *own = more
    last = messages.at_seq(reader, key, head) if head >= first else None
    peer = _peer(reader, key, account) if kind == "direct" else None
    return InboxEntry(
        conversation=id, kind=kind, title=title or (peer.handle if peer else ""), visibility=visibility, role=role,
        head=head, first=first, read_seq=read, delivered_seq=delivered, unread=head - read, mentions=named,
        members=members, activity=activity, last=last, peer=peer,
        closed_at=rfc3339(closed_at) if closed_at is not None else None, settings=settings.from_row(tuple(own)),
    )  # fmt: skip


def _peer(reader: Reader, conversation: int, account: Account) -> PersonRef:
    """The other person of a direct conversation; oneself in notes to self."""
    row = reader.execute(
        "SELECT p.id, p.handle FROM members m JOIN people p ON p.key = m.person "
        "WHERE m.conversation = ? AND m.person <> ?",
        (conversation, account.key),
    ).fetchone()
    return PersonRef(*row) if row else account.ref
