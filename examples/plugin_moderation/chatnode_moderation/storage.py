"""Held messages: the SQL, in functions that get a transaction or a reader."""

from __future__ import annotations

import json

import attrs

from chatnode.api import (
    Account,
    Draft,
    Event,
    PersonRef,
    Reader,
    Refusal,
    Row,
    Transaction,
    holders_of,
    new_id,
    person_by_key,
    rfc3339,
)

REVIEW = "moderation.review"
"""The permission of those who are told what is held, and decide."""

_COLUMNS = "id, sender, conversation, cid, edits, text, more, rule, at"
EXPORT = (
    "SELECT key, conversation, text, rule, at FROM moderation_held "
    "WHERE sender = :person AND key > :after ORDER BY key LIMIT :limit"
)


@attrs.define
class Held:
    """A message, or an edit of the message `edits`, that is waiting for a moderator."""

    held: str
    sender: PersonRef
    conversation: str
    text: str
    rule: str
    at: str
    edits: str | None = None


@attrs.define
class MessageHeld(Event):
    """A message is held; for moderators."""

    name = "moderation.held"
    held: str
    sender: PersonRef
    conversation: str
    rule: str


@attrs.define
class Waiting:
    """What is needed to post a held message."""

    sender: str
    command: str
    fields: dict[str, object]


def is_released(reader: Reader, sender: Account, draft: Draft) -> bool:
    """Whether a moderator released exactly this text."""
    found = reader.execute(
        "SELECT 1 FROM moderation_held "
        "WHERE sender = ? AND cid = ? AND edits = ? AND text = ? AND released_at IS NOT NULL",
        (sender.key, draft.cid, draft.edits or "", draft.text),
    )
    return found.fetchone() is not None


def hold(tx: Transaction, sender: Account, draft: Draft, rule: str) -> None:
    """Store a draft and notify moderators. The same draft again changes nothing; a different text replaces the held
    one.
    """
    # Keys with a dot may belong to other plugins, and this plugin may not write those.
    metadata = {key: value for key, value in (draft.metadata or {}).items() if "." not in key}
    more = {"reply_to": draft.reply_to, "thread": draft.thread, "metadata": metadata or None}
    row = tx.execute(
        "INSERT INTO moderation_held (id, sender, conversation, cid, edits, text, more, rule, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sender, cid, edits) DO UPDATE SET text = excluded.text, "
        "rule = excluded.rule, at = excluded.at, released_at = NULL WHERE text <> excluded.text RETURNING key, id",
        (
            new_id(), sender.key, draft.conversation, draft.cid, draft.edits or "", draft.text, json.dumps(more), rule,
            tx.now,
        ),
    ).fetchone()  # fmt: skip
    if row is None:
        return
    key, held = row
    if moderators := [each.key for each in holders_of(tx, REVIEW)]:
        event = MessageHeld(held, sender.ref, draft.conversation, rule)
        tx.record(event, people=moderators, subject=key, actor=sender.key)


def make_held(reader: Reader, row: Row) -> MessageHeld | None:
    """The rebuilt event; None if the message is no longer held."""
    found = reader.execute(
        "SELECT id, sender, conversation, rule FROM moderation_held WHERE key = ?", (row.subject,)
    ).fetchone()
    if found is None:
        return None
    held, sender, conversation, rule = found
    return MessageHeld(held, person_by_key(reader, sender).ref, conversation, rule)


def listed(reader: Reader, limit: int) -> list[Held]:
    """What waits, the oldest first."""
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM moderation_held ORDER BY key LIMIT ?",  # noqa: S608 -- columns of our own
        (limit,),
    )
    return [
        Held(held, person_by_key(reader, sender).ref, conversation, text, rule, rfc3339(at), edits or None)
        for held, sender, conversation, _, edits, text, _, rule, at in rows.fetchall()
    ]


def release(tx: Transaction, held: str) -> Waiting:
    """Release the draft, and return what is needed to post it. Raises `Refusal("not_found")`."""
    row = tx.execute(
        "UPDATE moderation_held SET released_at = ? WHERE id = ? "
        "RETURNING sender, conversation, cid, edits, text, more",
        (tx.now, held),
    ).fetchone()
    if row is None:
        raise _no_such()
    sender, conversation, cid, edits, text, more = row
    who = person_by_key(tx, sender).id
    if edits:
        return Waiting(who, "messages.edit", {"message": edits, "text": text})
    given = {key: value for key, value in json.loads(more).items() if value is not None}
    return Waiting(who, "messages.post", {"conversation": conversation, "cid": cid, "text": text, **given})


def discard(tx: Transaction, held: str) -> None:
    """Delete a draft. Raises `Refusal("not_found")`."""
    if not tx.execute("DELETE FROM moderation_held WHERE id = ?", (held,)).rowcount:
        raise _no_such()


def _no_such() -> Refusal:
    return Refusal("not_found", "nothing of this id is held", path="held")
