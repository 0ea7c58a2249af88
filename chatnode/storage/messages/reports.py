"""Messages reported to the moderators."""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.commands.messages import Report
from chatnode.model.people import Account
from chatnode.model.times import rfc3339, rfc3339_or_none
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import messages
from chatnode.storage.people import audit, people


def add(tx: Transaction, account: Account, id: str, reason: str, note: str) -> int:
    """Report a message that one may see; returns the report's number. Reporting again changes reason and note; an open
    report keeps the text that was reported first."""
    _, message = messages.access(tx, account, id)
    if message.sender.id == account.id:
        raise Refusal("invalid", "this is your own message; you can delete it", path="message")
    key, text = tx.execute(
        "SELECT m.key, CASE WHEN p.erased_at IS NULL THEN m.text ELSE '' END FROM messages m "
        "JOIN people p ON p.key = m.sender WHERE m.id = ?",
        (id,),
    ).fetchone()
    return tx.execute(
        "INSERT INTO reports (message, reporter, reason, note, text, at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (message, reporter) DO UPDATE SET reason = excluded.reason, note = excluded.note, "
        "text = coalesce(nullif(reports.text, ''), excluded.text), at = excluded.at, "
        "resolved_at = NULL, resolved_by = NULL, resolution = NULL RETURNING key",
        (key, account.key, reason, note, text, tx.now),
    ).fetchone()[0]


def page(reader: Reader, *, resolved: bool, after: int | None, limit: int) -> list[Report]:
    """Newest first; `after` is the number of the last one of the page before."""
    rows = reader.execute(
        "SELECT key, message, reporter, reason, note, at, resolved_at, resolved_by, resolution, text FROM reports "
        "WHERE (resolved_at IS NOT NULL) = ? AND key < ? ORDER BY key DESC LIMIT ?",
        (resolved, 2**62 if after is None else after, limit),
    ).fetchall()
    found: list[Report] = []
    for key, message, reporter, reason, note, at, resolved_at, resolved_by, resolution, text in rows:
        who = people.ref(reader, reporter)
        assert who is not None
        found.append(
            Report(
                key, messages.by_key(reader, message), who, reason, note, rfc3339(at),
                rfc3339_or_none(resolved_at), people.ref(reader, resolved_by), resolution, text or None,
            )
        )  # fmt: skip
    messages.enrich(reader, [report.message for report in found], None)
    return found


def resolve(tx: Transaction, account: Account | None, report: int, resolution: str) -> None:
    """Resolve a report; raises `Refusal("not_found")`, or `gone` if it is already resolved."""
    row = tx.execute(
        "SELECT m.id, r.resolved_at FROM reports r JOIN messages m ON m.key = r.message WHERE r.key = ?", (report,)
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "no such report", path="report")
    message, resolved_at = row
    if resolved_at is not None:
        raise Refusal("gone", "this report is already resolved", path="report")
    tx.execute(
        "UPDATE reports SET resolved_at = ?, resolved_by = ?, resolution = ?, text = '' WHERE key = ?",
        (tx.now, account.key if account else None, resolution, report),
    )
    audit.record(tx, account, "reports.resolve", message, report=report)


def empty(tx: Transaction, account: Account) -> int:
    """Erase what a user wrote in their reports, and what of theirs was reported; returns the number of reports."""
    notes = tx.execute("UPDATE reports SET note = '' WHERE reporter = ? AND note <> ''", (account.key,)).rowcount
    texts = tx.execute(
        "UPDATE reports SET text = '' WHERE text <> '' AND (SELECT sender FROM messages WHERE key = message) = ?",
        (account.key,),
    ).rowcount
    return notes + texts


TABLES = (
    CoreTable(
        "reports",
        lines=(
            "report",
            "SELECT m.id AS message, p.id AS reporter, r.reason, r.note, r.text, r.at, r.resolved_at, "
            "o.id AS resolved_by, r.resolution FROM reports r JOIN messages m ON m.key = r.message JOIN people p ON "
            "p.key = r.reporter LEFT JOIN people o ON o.key = r.resolved_by ORDER BY r.key",
        ),
        entry="report",
        export="SELECT r.key, m.id AS message, r.reason, r.note, r.at, r.resolved_at, r.resolution FROM reports r "
        "JOIN messages m ON m.key = r.message WHERE r.reporter = :person AND r.key > :after ORDER BY r.key "
        "LIMIT :limit",
        at_once=empty,
        removed="DELETE FROM reports WHERE message IN "
        "(SELECT key FROM messages WHERE conversation = :conversation AND seq <= :upto)",
    ),
)
