"""What an alert says: made from the tables when it is sent, so that it never tells what was deleted meanwhile."""

# ruff: noqa: S608 - the pieces are the constants below

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from chatnode.api import PersonRef, Querying, Transaction, acting, json_array, now_ms, record

MOST_BODY = 500
"""Characters of a body."""


@record(frozen=True)
class Note:
    """An item in words. `key` is that of the item and `id` its public id; `message` and `conversation` are public ids,
    None for a note of the node itself. `body` is at most 500 characters. `silent`: the user wants no sound for this
    conversation. Times are in milliseconds."""

    key: int
    id: str
    person: int
    kind: str
    personal: bool
    silent: bool
    conversation: str | None
    message: str | None
    seq: int | None
    count: int
    title: str
    body: str
    sender: PersonRef | None
    url: str
    created_at: int


@record(frozen=True)
class NewItem:
    """An item that was just closed; keys are those of the tables."""

    key: int
    person: int
    conversation: int | None
    personal: bool
    created_at: int


Follower = Callable[[Transaction, Sequence[NewItem]], None]
"""Called in the transaction that adds items, to say how they are to be delivered."""


# ---- SQL about `notifications_items item`

_PERSONAL = "('mention', 'reply', 'thread', 'direct')"
_LISTED = """coalesce(item.messages, '{"' || item.reason || '":[' || item.last_seq || ']}')"""


@record(frozen=True)
class Left:
    """What is left of the messages that an item tells of. `which` is a condition on `messages told`, each of them,
    `why.key`, why it matters, and `members mine`, the item's user.

    The properties are expressions: the key of the newest message, the number of messages, and why the weightiest
    matters, with what follows from that.
    """

    which: str

    @property
    def found(self) -> str:
        """What follows SELECT in a subquery: nothing is found of an item of the node itself."""
        return (
            f"FROM members mine CROSS JOIN json_each({_LISTED}) why CROSS JOIN json_each(why.value) place "
            "CROSS JOIN messages told ON told.conversation = mine.conversation "
            "AND told.seq = CAST(place.value AS INTEGER) "
            "WHERE mine.conversation = item.conversation AND mine.person = item.person AND mine.left_gid IS NULL "
            "AND told.seq >= mine.first AND told.deleted_at IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.person = item.person AND b.blocked = told.sender) "
            f"AND {self.which}"
        )

    def source(self, joined: str = "") -> str:
        """What follows FROM for the expressions: `m` is the newest message. `joined` are tables that `which` needs."""
        return (
            f"notifications_items item JOIN people owner ON owner.key = item.person {joined}"
            "LEFT JOIN conversations conv ON conv.key = item.conversation "
            f"LEFT JOIN messages m ON m.key = {self.newest} LEFT JOIN people sender ON sender.key = m.sender"
        )

    @property
    def newest(self) -> str:
        return f"(SELECT told.key {self.found} ORDER BY told.seq DESC LIMIT 1)"

    @property
    def count(self) -> str:
        """With those of very many that are not listed."""
        listed = f"(SELECT count(*) FROM json_each({_LISTED}) why CROSS JOIN json_each(why.value))"
        left = f"(SELECT count(*) {self.found})"
        return f"(CASE WHEN item.messages IS NULL THEN item.count ELSE item.count - {listed} + {left} END)"

    @property
    def reason(self) -> str:
        weight = "CASE why.key WHEN 'ordinary' THEN 1 WHEN 'system' THEN 2 WHEN 'everyone' THEN 3 ELSE 4 END"
        weightiest = f"(SELECT why.key {self.found} ORDER BY {weight} DESC, told.seq DESC LIMIT 1)"
        return f"(CASE WHEN item.messages IS NULL THEN item.reason ELSE {weightiest} END)"

    @property
    def kind(self) -> str:
        return (
            f"(CASE WHEN item.messages IS NULL THEN item.kind ELSE (CASE {self.reason} WHEN 'mention' THEN 'mention' "
            "WHEN 'everyone' THEN 'mention' WHEN 'reply' THEN 'reply' WHEN 'thread' THEN 'thread' "
            "WHEN 'system' THEN 'system' ELSE 'message' END) END)"
        )

    @property
    def personal(self) -> str:
        return f"(CASE WHEN item.messages IS NULL THEN item.personal ELSE {self.reason} IN {_PERSONAL} END)"


IS_LEFT = "(item.conversation IS NULL OR m.key IS NOT NULL)"
"""A condition: something is left. For a query whose source is that of a `Left`."""
SEEN = Left("TRUE")
"""Those that the user may see, and whose senders they have not blocked."""
UNREAD = Left("told.seq > mine.read_seq")
_TOLD = Left(
    f"{UNREAD.which} AND coalesce(s.notify, 'all') <> 'none' "
    "AND NOT (coalesce(s.notify, 'all') = 'mentions' AND why.key = 'ordinary') "
    "AND NOT (coalesce(s.muted_until, 0) > :now "
    f"AND NOT (why.key IN {_PERSONAL} AND coalesce(chosen.mentions_through_mute, 0) = 1))"
)
"""Those that the user may be told of now."""
TO_TELL = _TOLD.source(
    "LEFT JOIN conversation_settings s ON s.person = item.person AND s.conversation = item.conversation "
    "LEFT JOIN notifications_people chosen ON chosen.person = item.person "
)
"""What follows FROM; more tables may be joined. It takes `:now`."""
MAY_BE_TOLD = f"(item.read_at IS NULL AND owner.bot = 0 AND {IS_LEFT})"
"""A condition for this source: the item's user may be told of it now."""

MAY_SEE = f"(item.conversation IS NULL OR EXISTS (SELECT 1 {SEEN.found}))"
"""A condition: the item's user may see one of its messages. For a query without these tables."""

TITLE = (
    "(CASE WHEN item.conversation IS NULL THEN coalesce(item.title, '') WHEN conv.kind = 'direct' THEN sender.name "
    "ELSE sender.name || ' · ' || conv.title END)"
)
BODY = (
    "(CASE WHEN item.conversation IS NULL THEN coalesce(item.body, '') "
    f"WHEN m.text <> '' THEN substr(m.text, 1, {MOST_BODY}) WHEN m.kind = 'image' THEN 'Image' "
    "WHEN m.kind = 'file' THEN 'File' WHEN m.kind = 'location' THEN 'Location' ELSE '' END)"
)

_NOTES = (
    f"SELECT item.key, item.id, item.person, {_TOLD.kind}, {_TOLD.personal}, coalesce(s.sounds, 1) = 0, conv.id, m.id, "
    f"m.seq, {_TOLD.count}, {TITLE}, {BODY}, sender.id, sender.handle, item.url, item.created_at "
    f"FROM {TO_TELL} WHERE item.key IN (SELECT value FROM json_each(:items)) AND {MAY_BE_TOLD}"
)


def notes_of(reader: Querying, items: Collection[int], base_url: str) -> dict[int, Note]:
    """The notes of items, by key. An item that must not be told any more is not among them: it was read or deleted, or
    its user left, muted the conversation, blocked the sender, or can no longer use the chat."""
    rows = reader.execute(_NOTES, {"items": json_array(items), "now": now_ms()})
    notes = [_note(row, base_url) for row in rows]
    told = acting(reader, {each.person for each in notes})
    return {each.key: each for each in notes if each.person in told}


def _note(row: Sequence[Any], base_url: str) -> Note:
    (
        key, id, person, kind, personal, silent, conversation, message, seq, count, title, body, sender, handle, url,
        created_at,
    ) = row  # fmt: skip
    return Note(
        key, id, person, kind, bool(personal), bool(silent), conversation, message, seq, count, title, body,
        PersonRef(sender, handle) if sender is not None else None, address_of(base_url, conversation, message, url),
        created_at,
    )  # fmt: skip


def address_of(base_url: str, conversation: str | None, message: str | None, url: str | None) -> str:
    """Where a note leads: to its message, or to what `notifications.send` was given, which may be relative to the
    node."""
    if conversation is not None:
        return f"{base_url}/?conversation={conversation}&message={message}"
    if url is not None and not url.startswith("/"):
        return url
    return base_url + (url or "/")
