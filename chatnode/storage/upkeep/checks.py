"""Checks of the database: SQLite's own, and the invariants of chatnode's tables."""

from __future__ import annotations

from chatnode.errors import StartError
from chatnode.model.commands.operations import Check, Checked, NodeStatistics
from chatnode.storage.engine.additions import MOST_PROBLEMS, Additions, Problems, additions, rows_wrong
from chatnode.storage.engine.connection import DatabaseError, Reader
from chatnode.storage.engine.migrations import core_migrations, pending
from chatnode.storage.log import log


def integrity(reader: Reader) -> list[str]:
    """SQLite's own check of the whole file."""
    rows = [row[0] for row in reader.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})")]
    return [] if rows == ["ok"] else rows


def _foreign_keys(reader: Reader) -> list[str]:
    return [
        f"row {rowid} of {table} refers to a row of {parent} that does not exist"
        for table, rowid, parent, _ in reader.execute("PRAGMA foreign_key_check").fetchmany(MOST_PROBLEMS)
    ]


OF_SQLITE: dict[str, Problems] = {"integrity": integrity, "foreign keys": _foreign_keys}


def declared_problems(reader: Reader, declared: Additions) -> dict[str, list[str]]:
    """Problems that SQLite's checks and the core's find, by the name of the check; checks that find none are left out.

    For a file that no node has open; plugins' own checks are for a node that runs them. The core's checks are for
    tables of this version: a database of another version gets only those of SQLite.
    """
    of_core = {**declared.checks, **_of_derived(declared)} if _is_of_this_version(reader) else {}
    checks = {**OF_SQLITE, **of_core}
    found = {name: _problems(check, reader) for name, check in checks.items()}
    return {name: problems for name, problems in found.items() if problems}


def _is_of_this_version(reader: Reader) -> bool:
    try:
        return not pending(reader, core_migrations())
    except (DatabaseError, StartError):  # damaged, or of a newer version
        return False


def _of_derived(declared: Additions) -> dict[str, Problems]:
    return {name: rows_wrong(each.wrong, each.problem) for name, each in declared.derived.items()}


def run(reader: Reader) -> Checked:
    """Run every check; the result is `clean` if none found a problem."""
    added = additions(reader)
    wanted = {**OF_SQLITE, **added.checks, **_of_derived(added), **added.plugin_checks}
    checks = [Check(name, _problems(check, reader)) for name, check in wanted.items()]
    return Checked(not any(check.problems for check in checks), checks)


def _problems(check: Problems, reader: Reader) -> list[str]:
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
