"""Reading the log: the events that a user missed, rebuilt from the tables as each event's `EventKind` says."""

from __future__ import annotations

from collections.abc import Iterator

from chatnode.model.events import Event
from chatnode.model.people import Account
from chatnode.storage.engine.additions import CoreTable, EventKind, additions
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.dialect import greatest
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction


def epoch(reader: Querying) -> str:
    """Changes when a backup is restored; a cursor of another epoch is invalid."""
    return reader.execute("SELECT value FROM node WHERE key = 'epoch'").fetchone()[0]


def head(reader: Querying) -> int:
    """The gid of the newest row, 0 on a new node."""
    return reader.execute("SELECT coalesce(max(gid), 0) FROM log").fetchone()[0]


def newest_at(reader: Reader) -> int:
    """When the newest row was written, in milliseconds; 0 on a new node."""
    row = reader.execute("SELECT at FROM log ORDER BY gid DESC LIMIT 1").fetchone()
    return row[0] if row is not None else 0


def rewrite_epoch(tx: Transaction) -> None:
    """A write that takes space and changes nothing."""
    tx.execute("UPDATE node SET value = value WHERE key = 'epoch'")


def gids_since(reader: Reader, account: Account, since: int, most: int) -> list[int] | None:
    """The gids above `since` that a person may see, in order; None when there are more than `most`.

    That is: events of each conversation from joining to leaving, and those that concern the person.
    """
    found = {
        gid
        for (gid,) in reader.execute(
            "SELECT gid FROM log WHERE person = :person AND gid > :since "
            "UNION ALL SELECT gid FROM log_audience WHERE person = :person AND gid > :since",
            {"person": account.key, "since": since},
        )
    }
    for conversation, above, until in memberships_since(reader, account, since):
        if len(found) > most:
            break
        found.update(_gids_of_conversation(reader, conversation, above, until))
    return sorted(found) if len(found) <= most else None


def memberships_since(reader: Reader, account: Account, since: int) -> Iterator[tuple[int, int, int]]:
    """Conversation, gid above which and gid until which the person took part, as often as they came and went."""
    began = {
        conversation: since
        for (conversation,) in reader.execute(
            "SELECT conversation FROM members WHERE person = ? AND coalesce(left_gid, ?) > ?",
            (account.key, _NEVER, since),
        )
    }
    changes = reader.execute(
        "SELECT gid, conversation, kind FROM log WHERE person = ? AND gid > ? "
        "AND kind IN ('member.joined', 'member.left') ORDER BY gid",
        (account.key, since),
    ).fetchall()
    for gid, conversation, kind in changes:
        if kind == "member.joined":
            began[conversation] = gid - 1
        elif conversation in began:
            yield conversation, began.pop(conversation), gid
    for conversation, above in began.items():
        yield conversation, above, _NEVER


_NEVER = 2**62


def _gids_of_conversation(reader: Reader, conversation: int, above: int, until: int) -> Iterator[int]:
    """What happened in a conversation: posts by way of its messages, newest first, then everything else."""
    for (gid,) in reader.execute("SELECT gid FROM messages WHERE conversation = ? ORDER BY seq DESC", (conversation,)):
        if gid <= above:
            break
        if gid <= until:
            yield gid
    for (gid,) in reader.execute(
        "SELECT gid FROM log WHERE conversation = ? AND kind <> 'message.posted' AND gid > ? AND gid <= ? "
        "AND (person IS NULL OR kind IN ('member.joined', 'member.left'))",  # what else names a person is only theirs
        (conversation, above, until),
    ):
        yield gid


def events_of(reader: Reader, account: Account, gids: list[int]) -> Iterator[tuple[int, Event]]:
    """The events at `gids`, as they would be sent now. What is not there any more is left out."""
    kinds = additions(reader).events
    for gid in gids:
        row = reader.execute(
            "SELECT l.gid, l.conversation, coalesce(c.id, ''), l.kind, l.subject, l.actor, l.at "
            "FROM log l LEFT JOIN conversations c ON c.key = l.conversation WHERE l.gid = ?",
            (gid,),
        ).fetchone()
        if row is None:
            continue
        row = Row(*row)
        kind = kinds.get(row.kind)
        event = _made_again(reader, account.key, kind, row) if kind is not None else None
        if event is not None:
            yield gid, event


def event_of(reader: Reader, row: Row) -> Event | None:
    """Rebuild the event of a row with the current state, for any reader; None if there is nothing left to send."""
    kind = additions(reader).events.get(row.kind)
    return kind.make(reader, row) if kind is not None else None


def event_for(reader: Reader, person: int, row: Row) -> Event | None:
    """Rebuild the event of a row that a user heard then, as that user may be shown it today; None if not at all."""
    kind = additions(reader).events.get(row.kind)
    return _made_again(reader, person, kind, row) if kind is not None else None


def _made_again(reader: Reader, person: int, kind: EventKind, row: Row) -> Event | None:
    if kind.show is not None:
        event = kind.make(reader, row)
        return kind.show(reader, person, row, event) if event is not None else None
    if row.conversation_key is not None and not kind.after_leaving:
        first = first_seen(reader, row.conversation_key, person)
        if first is None or (kind.of_message and row.subject < first):
            return None
    return kind.make(reader, row)


def first_seen(reader: Querying, conversation: int, person: int) -> int | None:
    """The lowest seq that a current member may see; None for others."""
    row = reader.execute(
        f"SELECT {greatest('m.first', 'c.floor + 1')} FROM members m "  # noqa: S608
        "JOIN conversations c ON c.key = m.conversation "
        "WHERE m.conversation = ? AND m.person = ? AND m.left_gid IS NULL",
        (conversation, person),
    ).fetchone()
    return row[0] if row else None


TABLES = (
    CoreTable("node", left_out="the epoch is in the first line"),
    CoreTable(
        "log",
        left_out="the order of changes; means nothing elsewhere",
        removed=(
            "DELETE FROM log WHERE kind = 'message.posted' AND gid < (SELECT max(gid) FROM log) "
            "AND gid IN (SELECT gid FROM messages WHERE conversation = :conversation AND seq <= :upto)"
        ),
    ),
    CoreTable("log_audience", left_out="part of the log"),
)
