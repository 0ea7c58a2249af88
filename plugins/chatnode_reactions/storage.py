"""Storage of reactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from chatnode.api import (
    Account,
    Event,
    PersonRef,
    Querying,
    Reader,
    Refusal,
    Row,
    Transaction,
    access_message,
    access_to_post,
    json_array,
    may_see_message,
    person_by_key,
    record_about_message,
    rfc3339,
)
from chatnode_reactions.emoji import type_of
from chatnode_reactions.model import Counted, Mine, Reaction, ReactionChanged, ReactionPage, ReactionsListed

Decide = Callable[[list[str]], list[str]]
"""Takes the emoji that a user has on a message, in order, and returns those that they should have."""
Fits = Callable[[str], bool]
"""Whether an emoji is meant."""


# ---- changing


def change(tx: Transaction, account: Account, id: str, decide: Decide, most: int, path: str) -> ReactionPage:
    """Set a user's reactions to a message to what `decide` returns; no change does nothing.

    A user can remove reactions wherever they see the message, and add them only where they could post. `most` is the
    maximum number of different emoji on a message, 0 for no limit; `path` names the field to blame when there are more.
    Raises `Refusal`: `not_found` for a user who cannot see the message, `gone` when it was deleted, `closed` and
    `forbidden` as for posting, `too_large`.
    """
    place, message = access_message(tx, account, id)
    if message.deleted_at is not None:
        raise Refusal("gone", "this message was deleted", path="message")
    key = _key(tx, id)
    before = _of_person(tx, key, account.key)
    wanted = list(dict.fromkeys(decide(before)))
    taken, added = [each for each in before if each not in wanted], [each for each in wanted if each not in before]
    if added:
        access_to_post(tx, account, place.id)
    _remove(tx, key, account.key, taken)
    _add(tx, key, account.key, added, most, path)
    mine = _of_person(tx, key, account.key)
    if taken or added:
        event = ReactionChanged(place.id, id, account.ref, mine, _counts(tx, key), rfc3339(tx.now))
        record_about_message(tx, place, message.seq, event, account)
    return ReactionPage(id, mine, _counted(tx, id))


def _key(reader: Querying, id: str) -> int:
    return reader.execute("SELECT key FROM messages WHERE id = ?", (id,)).fetchone()[0]


def _remove(tx: Transaction, message: int, person: int, emojis: Iterable[str]) -> None:
    for emoji in emojis:
        tx.execute(
            "DELETE FROM reactions_given WHERE message = ? AND person = ? AND emoji = ?", (message, person, emoji)
        )


def _add(tx: Transaction, message: int, person: int, emojis: Sequence[str], most: int, path: str) -> None:
    there = _counts(tx, message)
    if most and len(there.keys() | set(emojis)) > max(most, len(there)):
        raise Refusal("too_large", f"a message has at most {most} different emoji; use one of them", path=path)
    for emoji in emojis:
        tx.execute(
            "INSERT INTO reactions_given (message, person, emoji, at) VALUES (?, ?, ?, ?)",
            (message, person, emoji, tx.now),
        )


# ---- what is told


def make_changed(reader: Reader, row: Row) -> Event | None:
    """The event of a row, as things are now; None when the message is deleted or removed."""
    found = reader.execute(
        "SELECT key, id FROM messages WHERE conversation = ? AND seq = ? AND deleted_at IS NULL",
        (row.conversation_key, row.subject),
    ).fetchone()
    if found is None or row.actor is None:
        return None
    key, id = found
    person = person_by_key(reader, row.actor).ref
    emojis = _of_person(reader, key, row.actor)
    return ReactionChanged(row.conversation, id, person, emojis, _counts(reader, key), rfc3339(row.at))


# ---- reading


def _of_person(reader: Querying, message: int, person: int) -> list[str]:
    rows = reader.execute(
        "SELECT emoji FROM reactions_given WHERE message = ? AND person = ? ORDER BY key", (message, person)
    )
    return [emoji for (emoji,) in rows.fetchall()]


def _counts(reader: Querying, message: int) -> dict[str, int]:
    rows = reader.execute("SELECT emoji, count FROM reactions_counted WHERE message = ? ORDER BY first", (message,))
    return dict(rows.fetchall())


def shown(reader: Querying, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """What is shown with messages, as JSON has it (`Counted`): by their ids, those without reactions left out.

    Two queries whatever the number of messages; one when none of them has a reaction.
    """
    rows: list[tuple[int, str, int, str]] = reader.execute(
        "SELECT i.key, c.emoji, c.count, c.people FROM json_each(?) i JOIN messages m ON m.id = i.value "
        "JOIN reactions_counted c ON c.message = m.key ORDER BY c.first",
        (json_array(ids),),
    ).fetchall()
    if not rows:
        return {}
    firsts: list[list[int]] = orjson.loads(f"[{','.join([people for *_, people in rows])}]")
    person = _people(reader, set(chain.from_iterable(firsts))).__getitem__
    found: dict[str, list[dict[str, Any]]] = {}
    for (place, emoji, count, _), first in zip(rows, firsts, strict=True):
        here = {"emoji": emoji, "type": type_of(emoji), "count": count, "people": list(map(person, first))}
        found.setdefault(ids[place], []).append(here)
    return found


def _people(reader: Querying, keys: Iterable[int]) -> dict[int, dict[str, str]]:
    """References to people by their keys, as JSON has them."""
    rows = reader.execute(
        "SELECT key, id, handle FROM people WHERE key IN (SELECT value FROM json_each(?))",
        (json_array(keys),),
    )
    return {key: {"id": id, "handle": handle} for key, id, handle in rows.fetchall()}


def _counted(reader: Querying, id: str) -> list[Counted]:
    return [
        Counted(each["emoji"], each["type"], each["count"], [PersonRef(**person) for person in each["people"]])
        for each in shown(reader, [id]).get(id, [])
    ]


def page(reader: Reader, account: Account, id: str, fits: Fits, after: int, limit: int) -> ReactionsListed:
    """Who reacted to a message, and when, from the first to the last; with emoji that fit.

    Raises `Refusal("not_found")` if the user may not see the message.
    """
    access_message(reader, account, id)
    message = _key(reader, id)
    counts = _counts(reader, message)
    wanted = [emoji for emoji in counts if fits(emoji)]
    rows = reader.execute(
        "SELECT g.key, p.id, p.handle, g.emoji, g.at FROM reactions_given g JOIN people p ON p.key = g.person "
        "WHERE g.message = ? AND g.emoji IN (SELECT value FROM json_each(?)) AND g.key > ? ORDER BY g.key LIMIT ?",
        (message, orjson.dumps(wanted).decode(), after, limit),
    ).fetchall()
    listed = [
        Reaction(key, PersonRef(person, handle), emoji, type_of(emoji), rfc3339(at))
        for key, person, handle, emoji, at in rows
    ]
    return ReactionsListed(listed, counts, listed[-1].reaction if len(listed) == limit else None)


def mine(reader: Reader, account: Account, ids: Sequence[str]) -> list[Mine]:
    """A person's own reactions to those of the messages that they may see now."""
    rows = reader.execute(
        "SELECT m.id, g.emoji FROM json_each(:ids) i "  # noqa: S608 -- constants
        f"JOIN messages m ON m.id = i.value AND {may_see_message('m')} "
        "JOIN reactions_given g ON g.message = m.key AND g.person = :me ORDER BY g.key",
        {"ids": json_array(set(ids)), "me": account.key},
    )
    found: dict[str, Mine] = {}
    for id, emoji in rows.fetchall():
        found.setdefault(id, Mine(id, [])).emojis.append(emoji)
    return list(found.values())


# ---- checking


def check(reader: Reader, _: Path) -> list[str]:
    """What is wrong with the tables, a line each."""
    return [line for sql, line in _CHECKS for (found,) in [reader.execute(sql).fetchone()] if found]


_CHECKS = (
    (
        "SELECT count(*) FROM reactions_given g LEFT JOIN messages m ON m.key = g.message "
        "WHERE m.key IS NULL OR m.deleted_at IS NOT NULL",
        "some reactions belong to messages that were deleted or removed",
    ),
    (
        "SELECT count(*) FROM reactions_given g LEFT JOIN people p ON p.key = g.person WHERE p.key IS NULL",
        "some reactions belong to users who do not exist",
    ),
    (
        "SELECT count(*) FROM (SELECT message, emoji, min(key), count(*) FROM reactions_given GROUP BY message, emoji "
        "EXCEPT SELECT message, emoji, first, count FROM reactions_counted) d",
        "some reactions are counted wrongly",
    ),
    (
        "SELECT count(*) FROM (SELECT message, emoji, first, count FROM reactions_counted "
        "EXCEPT SELECT message, emoji, min(key), count(*) FROM reactions_given GROUP BY message, emoji) d",
        "some counted reactions do not exist",
    ),
    (
        "SELECT count(*) FROM reactions_counted c WHERE people <> (SELECT json_group_array(person) FROM "
        "(SELECT person FROM reactions_given g WHERE g.message = c.message AND g.emoji = c.emoji "
        "ORDER BY g.key LIMIT 3) d)",
        "the users shown with some reactions are not the first who reacted",
    ),
)
