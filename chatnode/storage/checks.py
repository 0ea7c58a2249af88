"""Is the database sound: SQLite's own checks, and what chatnode promises about its tables."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.model.commands.operations import Check, Checked, NodeStatistics
from chatnode.storage import log, search_checks
from chatnode.storage.database import DatabaseError, Reader

MOST_PROBLEMS = 20
"""Of each check, so that a broken table does not flood the terminal."""


def integrity(reader: Reader) -> list[str]:
    """SQLite's own check of the whole file."""
    rows = [row[0] for row in reader.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})")]
    return [] if rows == ["ok"] else rows


def _foreign_keys(reader: Reader) -> list[str]:
    return [
        f"row {rowid} of {table} refers to a row of {parent} that is not there"
        for table, rowid, parent, _ in reader.execute("PRAGMA foreign_key_check").fetchmany(MOST_PROBLEMS)
    ]


def _query(sql: str, problem: str) -> Callable[[Reader], list[str]]:
    """A check whose query returns a row per problem."""

    def run(reader: Reader) -> list[str]:
        return [problem.format(*row) for row in reader.execute(sql).fetchmany(MOST_PROBLEMS)]

    return run


CHECKS: dict[str, Callable[[Reader], list[str]]] = {
    "integrity": integrity,
    "foreign keys": _foreign_keys,
    "heads": _query(
        "SELECT c.id, c.head, coalesce(max(m.seq), 0) FROM conversations c LEFT JOIN messages m "
        "ON m.conversation = c.key GROUP BY c.key HAVING c.head <> coalesce(max(m.seq), c.floor)",
        "conversation {0} says its newest message is {1}, it is {2}",
    ),
    "sequence numbers": _query(
        "SELECT c.id, count(*), max(m.seq) FROM messages m JOIN conversations c ON c.key = m.conversation "
        "GROUP BY c.key HAVING count(*) <> max(m.seq) - c.floor OR min(m.seq) <> c.floor + 1",
        "conversation {0} has {1} messages but its newest is number {2}",
    ),
    "log of messages": _query(
        "SELECT m.id, m.gid FROM messages m LEFT JOIN log l ON l.gid = m.gid "
        "WHERE l.gid IS NULL OR l.conversation <> m.conversation "
        "OR (l.kind = 'message.posted' AND l.subject <> m.seq)",
        "message {0} has no row {1} in the log",
    ),
    "messages of the log": _query(
        "SELECT l.gid FROM log l LEFT JOIN messages m ON m.conversation = l.conversation AND m.seq = l.subject "
        "JOIN conversations c ON c.key = l.conversation "
        "WHERE l.kind = 'message.posted' AND l.subject > c.floor AND m.key IS NULL",
        "row {0} of the log names a message that is not there",
    ),
    "marks": _query(
        "SELECT p.handle, c.id, m.read_seq, c.head FROM members m JOIN conversations c ON c.key = m.conversation "
        "JOIN people p ON p.key = m.person WHERE max(m.read_seq, m.delivered_seq) > c.head",
        "{0} has read conversation {1} up to {2}, it ends at {3}",
    ),
    "mentions": _query(
        "SELECT p.handle, n.seq, c.id FROM mentions n JOIN people p ON p.key = n.person "
        "JOIN conversations c ON c.key = n.conversation LEFT JOIN messages m "
        "ON m.conversation = n.conversation AND m.seq = n.seq "
        "WHERE m.key IS NULL OR instr(coalesce(m.mentions, ''), p.id) = 0",
        "{0} is counted as named in message {1} of conversation {2}, and is not",
    ),
    "owners": _query(
        "SELECT c.id, sum(m.role = 'owner') FROM conversations c JOIN members m ON m.conversation = c.key "
        "WHERE c.kind = 'group' AND c.source IS NULL AND m.left_gid IS NULL "
        "GROUP BY c.key HAVING sum(m.role = 'owner') <> 1",
        "group {0} has {1} owners",
    ),
    "search": search_checks.problems,
}


def run(reader: Reader) -> Checked:
    """Every check; `clean` when none found a problem."""
    checks = [Check(name, _problems(check, reader)) for name, check in CHECKS.items()]
    return Checked(not any(check.problems for check in checks), checks)


def _problems(check: Callable[[Reader], list[str]], reader: Reader) -> list[str]:
    try:
        return check(reader)
    except DatabaseError as error:  # so damaged that it cannot even be read
        return [str(error)]


def statistics(reader: Reader, live_sessions: int, uptime_seconds: float) -> NodeStatistics:
    def count(table: str) -> int:
        return reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608

    return NodeStatistics(
        count("people"), count("conversations"), count("messages"), log.head(reader), log.epoch(reader),
        live_sessions, uptime_seconds,
    )  # fmt: skip
