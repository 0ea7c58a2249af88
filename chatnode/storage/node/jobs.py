"""How the node's own jobs went."""

from __future__ import annotations

import attrs

from chatnode.model.records import record
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction


@record(frozen=True)
class LastRun:
    """`at` is when it began, in milliseconds; `result` what it did, or why it failed."""

    at: int
    seconds: float
    ok: bool
    result: str
    runs: int
    failures: int


def last_runs(reader: Reader) -> dict[str, LastRun]:
    """By name of the job; one that never ran is not in it."""
    rows = reader.execute("SELECT name, at, seconds, ok, result, runs, failures FROM jobs")
    return {
        name: LastRun(at, seconds, bool(ok), result, runs, failures)
        for name, at, seconds, ok, result, runs, failures in rows
    }


def record_run(tx: Transaction, name: str, went: LastRun, runs: int) -> LastRun:
    """Write how a job went the last time, and that it ran `runs` times since that was written."""
    all_runs, failures = tx.execute(
        "INSERT INTO jobs (name, at, seconds, ok, result, runs, failures) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET at = excluded.at, seconds = excluded.seconds, ok = excluded.ok, "
        "result = excluded.result, runs = jobs.runs + excluded.runs, failures = jobs.failures + excluded.failures "
        "RETURNING runs, failures",
        (name, went.at, went.seconds, went.ok, went.result, runs, not went.ok),
    ).fetchone()
    return attrs.evolve(went, runs=all_runs, failures=failures)


TABLES = (CoreTable("jobs", left_out="how the node's own jobs went"),)
