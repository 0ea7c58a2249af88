"""The rows of exports: `waiting` until their work opens a snapshot, and `writing` until the file is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import attrs

from chatnode.api import DAY_MS, Account, Querying, Refusal, Transaction, counted, record
from chatnode_crm.exports.keys import KeySet, any_in, by_part
from chatnode_crm.files.writing.formats import FORMATS, FormatName

ExportStatus = Literal["waiting", "writing", "done", "removed"]


@record(frozen=True)
class ExportRow:
    """Times are in milliseconds, `owner` is a key; None: the operator's."""

    key: int
    id: str
    owner: int | None
    status: ExportStatus
    format: FormatName
    choice: str | None
    work: str
    name: str
    rows: int | None
    bytes: int | None
    sha256: str | None
    error: str | None
    created_at: int
    finished_at: int | None
    downloaded_at: int | None
    removed_at: int | None

    @property
    def file(self) -> str:
        """The name of its file in the directory of exports."""
        return f"{self.id}.{FORMATS[self.format].suffix}"


_COLUMNS = ", ".join(each.name for each in attrs.fields(ExportRow))


# ---- finding


def find(reader: Querying, id: str, owner: int | None, *, all: bool = False) -> ExportRow:
    """The owner's export; with `all`, anybody's. Raises `Refusal("not_found")`."""
    row = reader.execute(f"SELECT {_COLUMNS} FROM crm_exports WHERE id = ?", (id,)).fetchone()  # noqa: S608
    if row is None or not (all or (owner is not None and row[2] == owner)):
        raise Refusal("not_found", "no such export, or it is not yours", path="export")
    return ExportRow(*row)


def by_id(reader: Querying, id: str) -> ExportRow | None:
    row = reader.execute(f"SELECT {_COLUMNS} FROM crm_exports WHERE id = ?", (id,)).fetchone()  # noqa: S608
    return ExportRow(*row) if row is not None else None


def page(reader: Querying, owner: int | None, before: int | None, limit: int, *, all: bool) -> list[ExportRow]:
    """The owner's exports, or with `all` everybody's, newest first."""
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM crm_exports WHERE (:all OR owner = :owner) AND key < :before "  # noqa: S608
        "ORDER BY key DESC LIMIT :limit",
        {"all": all, "owner": owner, "before": before or 1 << 62, "limit": limit},
    )
    return [ExportRow(*row) for row in rows.fetchall()]


def refuse_too_many(tx: Querying, account: Account, most: int, now: int) -> None:
    """Raises `Refusal("rate_limited")` if the user made `most` exports within a day (0: no limit)."""
    rows = tx.execute(
        "SELECT created_at FROM crm_exports WHERE owner = ? AND created_at > ? ORDER BY created_at DESC LIMIT ?",
        (account.key, now - DAY_MS, most or 1),
    ).fetchall()
    if most and len(rows) >= most:
        wait = (rows[-1][0] + DAY_MS - now) / 1000
        raise Refusal(
            "rate_limited",
            f"you made {counted(most, 'export')} within a day, which is the maximum (plugins.crm.exports_per_day)",
            retry_after=max(1.0, wait),
        )


def refuse_unless_done(row: ExportRow) -> None:
    """Raises `Refusal`: `gone` for an export whose file was deleted, `conflict` for one that is not done."""
    if row.status == "removed":
        raise Refusal("gone", row.error or "the export was deleted", path="export")
    if row.status != "done":
        raise Refusal("conflict", "the export is not done yet", path="export")


# ---- changing


def insert(tx: Transaction, id: str, owner: int | None, format: FormatName, choice: str, work: str, name: str) -> None:
    tx.execute(
        "INSERT INTO crm_exports (id, owner, status, format, choice, work, name, created_at) "
        "VALUES (?, ?, 'waiting', ?, ?, ?, ?, ?)",
        (id, owner, format, choice, work, name, tx.now),
    )


def begin(tx: Transaction, id: str) -> ExportRow | None:
    """From now on contacts that are deleted are noted, as the file may have them. None if it is not to be written."""
    row = by_id(tx, id)
    if row is None or row.status not in ("waiting", "writing"):
        return None
    tx.execute("UPDATE crm_exports SET status = 'writing' WHERE key = ?", (row.key,))
    tx.execute("DELETE FROM crm_export_deleted WHERE export = ?", (row.key,))
    return row


def finish(tx: Transaction, key: int, rows: int, size: int, sha256: str, contacts: KeySet) -> bool:
    """The export is done. False if it is not: it is unwanted by now, or has a contact that was deleted meanwhile."""
    if tx.execute("SELECT 1 FROM crm_exports WHERE key = ? AND status = 'writing'", (key,)).fetchone() is None:
        return False
    deleted = tx.execute("SELECT contact FROM crm_export_deleted WHERE export = ?", (key,)).fetchall()
    if contacts.has_any(contact for (contact,) in deleted):
        return False
    tx.executemany(
        "INSERT INTO crm_export_contacts (part, export, bits) VALUES (?, ?, ?)",
        [(part, key, bits) for part, bits in contacts.parts()],
    )
    tx.execute("DELETE FROM crm_export_deleted WHERE export = ?", (key,))
    tx.execute(
        "UPDATE crm_exports SET status = 'done', rows = ?, bytes = ?, sha256 = ?, finished_at = ? WHERE key = ?",
        (rows, size, sha256, tx.now, key),
    )
    return True


def note_download(tx: Transaction, key: int) -> None:
    tx.execute("UPDATE crm_exports SET downloaded_at = ? WHERE key = ?", (tx.now, key))


def remove(tx: Transaction, keys: Iterable[int], why: str | None) -> None:
    """The files are unwanted from now on; `upkeep.clean` deletes them. What they were asked for is forgotten."""
    for key in keys:
        tx.execute(
            "UPDATE crm_exports SET status = 'removed', error = ?, choice = NULL, removed_at = ? "
            "WHERE key = ? AND status != 'removed'",
            (why, tx.now, key),
        )
        tx.execute("DELETE FROM crm_export_contacts WHERE export = ?", (key,))
        tx.execute("DELETE FROM crm_export_deleted WHERE export = ?", (key,))


def any_old(reader: Querying, before: int) -> bool:
    """Whether `remove_old` would find anything; every row gets that old before it goes."""
    return reader.execute("SELECT 1 FROM crm_exports WHERE created_at < ? LIMIT 1", (before,)).fetchone() is not None


def remove_old(tx: Transaction, before: int) -> None:
    """Remove files that were finished before then. Rows go as well, once they no longer count for a user's limit."""
    rows = tx.execute(
        "SELECT key FROM crm_exports WHERE status != 'removed' AND coalesce(finished_at, created_at) < ?", (before,)
    ).fetchall()
    remove(tx, [key for (key,) in rows], "the file has expired")
    tx.execute("DELETE FROM crm_exports WHERE status = 'removed' AND created_at < ?", (min(before, tx.now - DAY_MS),))


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """Remove the files that have one of these contacts, which are deleted."""
    writing = tx.execute("SELECT key FROM crm_exports WHERE status = 'writing'").fetchall()
    tx.executemany(
        "INSERT INTO crm_export_deleted (export, contact) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(export, contact) for (export,) in writing for contact in keys],
    )
    found: set[int] = set()
    for part, some in by_part(keys):
        contacts = list(some)
        rows = tx.execute("SELECT export, bits FROM crm_export_contacts WHERE part = ?", (part,)).fetchall()
        found |= {export for export, bits in rows if any_in(bits, contacts)}
    remove(tx, sorted(found), "a contact in it was deleted")


def with_files(reader: Querying) -> set[str]:
    """The ids of the exports whose files are there, or are being written."""
    rows = reader.execute("SELECT id FROM crm_exports WHERE status != 'removed'")
    return {id for (id,) in rows.fetchall()}
