"""All the SQL, in functions that get a transaction or a reader and run in a database thread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chatnode.api import (
    Account,
    Querying,
    Reader,
    Refusal,
    Row,
    Step,
    Table,
    Transaction,
    access_message,
    access_to_post,
    may_see_message,
    record_about_message,
)

from .model import Poll, PollChanged, PollVoted, StartPoll

STEPS = (
    Step(
        "0001_polls",
        "CREATE TABLE polls_polls (message INTEGER PRIMARY KEY REFERENCES messages (key), question TEXT NOT NULL, "
        "options TEXT NOT NULL);"
        "CREATE TABLE polls_votes (key INTEGER PRIMARY KEY, message INTEGER NOT NULL REFERENCES messages (key), "
        "person INTEGER NOT NULL REFERENCES people (key), option INTEGER NOT NULL, UNIQUE (message, person));"
        "CREATE INDEX polls_votes_person ON polls_votes (person);",
    ),
)
POLLS = Table("polls_polls", message="message")
VOTES = Table(
    "polls_votes",
    people=("person",),
    message="message",
    export="SELECT v.key, m.id AS message, v.option FROM polls_votes v JOIN messages m ON m.key = v.message "
    "WHERE v.person = :person AND v.key > :after ORDER BY v.key LIMIT :limit",
)


def add(tx: Transaction, asked: StartPoll, message: str) -> None:
    """Make the message a poll; a repeat changes nothing."""
    tx.execute(
        "INSERT INTO polls_polls (message, question, options) SELECT key, ?, ? FROM messages "
        "WHERE id = ? AND deleted_at IS NULL ON CONFLICT (message) DO NOTHING",
        (asked.question, json.dumps(asked.options), message),
    )


def vote(tx: Transaction, account: Account, message: str, option: int | None) -> Poll:
    """Vote, change the vote or withdraw it, and record the events; voting for the same option again records none."""
    place, shown = access_message(tx, account, message)
    access_to_post(tx, account, place.id)  # closed conversations accept no votes either
    key, poll = _find(tx, account, message)
    if option is not None and option >= len(poll.options):
        raise Refusal("invalid", f"expected an option from 0 to {len(poll.options) - 1}", path="option")
    if option == poll.mine:
        return poll
    if option is None:
        tx.execute("DELETE FROM polls_votes WHERE message = ? AND person = ?", (key, account.key))
    else:
        tx.execute(
            "INSERT INTO polls_votes (message, person, option) VALUES (?, ?, ?) "
            "ON CONFLICT (message, person) DO UPDATE SET option = excluded.option",
            (key, account.key, option),
        )
    votes = _votes(tx, key, len(poll.options))
    record_about_message(tx, place, shown.seq, PollChanged(place.id, message, votes), account)
    tx.record(PollVoted(message, option), people=[account.key], subject=key, actor=account.key)
    return Poll(message, poll.question, poll.options, votes, option)


def _find(tx: Transaction, account: Account, message: str) -> tuple[int, Poll]:
    (key,) = tx.execute("SELECT key FROM messages WHERE id = ?", (message,)).fetchone()
    found = polls(tx, account, [message])
    if not found:
        raise Refusal("not_found", "this message is not a poll", path="message")
    return key, found[0]


def polls(reader: Querying, account: Account, messages: Sequence[str]) -> list[Poll]:
    """Those of the messages that are polls and that the user may see, each with the user's vote."""
    rows = reader.execute(
        "SELECT m.key, m.id, p.question, p.options, (SELECT v.option FROM polls_votes v WHERE v.message = m.key "  # noqa: S608
        "AND v.person = :me) FROM json_each(:ids) i JOIN messages m ON m.id = i.value "
        f"JOIN polls_polls p ON p.message = m.key WHERE {may_see_message('m')} ORDER BY m.key",
        {"ids": json.dumps(sorted(set(messages))), "me": account.key},
    ).fetchall()
    return [_poll(reader, *row) for row in rows]


def _poll(reader: Querying, key: int, message: str, question: str, options: str, mine: int | None) -> Poll:
    names = json.loads(options)
    return Poll(message, question, names, _votes(reader, key, len(names)), mine)


def _votes(reader: Querying, message: int, options: int) -> list[int]:
    votes = [0] * options
    rows = reader.execute("SELECT option, count(*) FROM polls_votes WHERE message = ? GROUP BY option", (message,))
    for option, count in rows:
        votes[option] = count
    return votes


def shown(reader: Querying, messages: Sequence[str], viewer: Account | None) -> dict[str, Any]:
    """The polls by message id. Without a viewer, only what every user who can see the messages may know."""
    rows = reader.execute(
        "SELECT m.id, m.key, p.question, p.options, (SELECT v.option FROM polls_votes v WHERE v.message = m.key "
        "AND v.person = :viewer) FROM json_each(:ids) i JOIN messages m ON m.id = i.value "
        "JOIN polls_polls p ON p.message = m.key",
        {"ids": json.dumps(list(messages)), "viewer": viewer.key if viewer is not None else None},
    ).fetchall()
    found: dict[str, Any] = {}
    for id, key, question, options, mine in rows:
        names = json.loads(options)
        found[id] = {"question": question, "options": names, "votes": _votes(reader, key, len(names))}
        if mine is not None:
            found[id]["mine"] = mine
    return found


# ---- events, rebuilt for clients that missed them


def make_changed(reader: Reader, row: Row) -> PollChanged | None:
    """None when the message is deleted or removed."""
    found = reader.execute(
        "SELECT m.id, m.key, p.options FROM messages m JOIN polls_polls p ON p.message = m.key "
        "WHERE m.conversation = ? AND m.seq = ?",
        (row.conversation_key, row.subject),
    ).fetchone()
    if found is None:
        return None
    id, key, options = found
    return PollChanged(row.conversation, id, _votes(reader, key, len(json.loads(options))))


def make_voted(reader: Reader, row: Row) -> PollVoted | None:
    """None when the message is deleted or removed."""
    found = reader.execute(
        "SELECT m.id, v.option FROM polls_polls p JOIN messages m ON m.key = p.message "
        "LEFT JOIN polls_votes v ON v.message = p.message AND v.person = ? WHERE p.message = ?",
        (row.actor, row.subject),
    ).fetchone()
    return PollVoted(*found) if found is not None else None
