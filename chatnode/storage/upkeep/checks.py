"""Is the database sound: SQLite's own checks, and what chatnode promises about its tables."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.model.commands.operations import Check, Checked, NodeStatistics
from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.connection import DatabaseError, Reader
from chatnode.storage.log import log
from chatnode.storage.people import owners
from chatnode.storage.search import checks as search_checks
from chatnode.storage.upkeep.derived import DERIVED

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
    "sequence numbers": _query(
        "SELECT c.id, count(*), c.floor + 1, max(m.seq) FROM messages m JOIN conversations c ON c.key = m.conversation "
        "GROUP BY c.key HAVING count(*) <> max(m.seq) - c.floor OR min(m.seq) <> c.floor + 1",
        "conversation {0} has {1} messages, which should be those from {2} to {3}",
    ),
    "log of messages": _query(
        "SELECT m.id, m.gid FROM messages m LEFT JOIN log l ON l.gid = m.gid "
        "WHERE l.gid IS NULL OR l.conversation <> m.conversation "
        "OR (l.kind = 'message.posted' AND l.subject <> m.seq)",
        "message {0} has no row {1} in the log",
    ),
    "messages of the log": _query(
        "SELECT l.gid FROM log l LEFT JOIN messages m ON m.conversation = l.conversation AND m.seq = l.subject "
        "LEFT JOIN conversations c ON c.key = l.conversation "
        "WHERE l.kind = 'message.posted' AND m.key IS NULL AND l.subject > coalesce(c.floor, 0)",
        "row {0} of the log names a message that is not there",
    ),
    "threads": _query(
        "SELECT m.id FROM messages m JOIN conversations c ON c.key = m.conversation "
        "LEFT JOIN messages r ON r.conversation = m.conversation AND r.seq = m.thread "
        "WHERE m.thread > c.floor AND (m.thread >= m.seq OR r.key IS NULL OR r.thread IS NOT NULL)",
        "message {0} is in a thread that hangs on none that can have one",
    ),
    "replies in their conversation": _query(
        "SELECT m.id, r.id FROM messages m JOIN messages r ON r.id = m.reply_to WHERE r.conversation <> m.conversation",
        "message {0} replies to {1}, which is in another conversation",
    ),
    "owners": _query(
        owners.WRONG_FOR_GOOD,
        "group {1} has several owners, or none who can act though others can",
    ),
    "search": search_checks.problems,
    **{name: _query(each.wrong, each.problem) for name, each in DERIVED.items()},
}


def run(reader: Reader) -> Checked:
    """Every check; `clean` when none found a problem."""
    checks = [Check(name, _problems(check, reader)) for name, check in {**CHECKS, **additions(reader).checks}.items()]
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
