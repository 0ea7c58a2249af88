"""What the tables know of the rows of an import: how many were applied, and what each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chatnode.api import Querying, Transaction, json_array
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.imports.list_warnings import WARNINGS
from chatnode_crm.imports.rows import ImportRow
from chatnode_crm.imports.staged import DUPLICATE, INVALID, READY, REMOVED


def applied_rows(reader: Querying, import_key: int) -> int:
    """How many rows were applied: those before are never applied again."""
    row = reader.execute(
        "SELECT first + length(verdicts) - 1 FROM crm_import_slices WHERE import = ? ORDER BY first DESC LIMIT 1",
        (import_key,),
    ).fetchone()
    return row[0] if row is not None else 0


def letters_of(reader: Querying, row: ImportRow, staged: str) -> str:
    """The letter of each row: what it became; what the plan says, where it was not applied; or what its file says."""
    rows = reader.execute("SELECT verdicts FROM crm_import_slices WHERE import = ? ORDER BY first", (row.key,))
    applied = "".join(verdicts for (verdicts,) in rows.fetchall())
    letters = planned_letters(reader, row.key) or staged
    if REMOVED in staged:
        letters = "".join(REMOVED if now == REMOVED else then for then, now in zip(letters, staged, strict=True))
    return applied + letters[len(applied) :]


def planned_letters(reader: Querying, import_key: int) -> str:
    """Empty without a plan."""
    row = reader.execute("SELECT letters FROM crm_import_plans WHERE import = ?", (import_key,)).fetchone()
    return row[0] if row is not None else ""


def save_plan(tx: Transaction, import_key: int, letters: str) -> None:
    tx.execute(
        "INSERT INTO crm_import_plans (import, letters) VALUES (?, ?) "
        "ON CONFLICT (import) DO UPDATE SET letters = excluded.letters",
        (import_key, letters),
    )


def forget_results(tx: Transaction, import_key: int) -> None:
    """Remove what is known of rows, as they are staged again."""
    tx.execute("DELETE FROM crm_import_plans WHERE import = ?", (import_key,))
    tx.execute("DELETE FROM crm_import_faults WHERE import = ?", (import_key,))


def faults_of(reader: Querying, import_key: int, numbers: Sequence[int], *, undoing: bool) -> dict[int, FieldFault]:
    """Why rows were refused when they were applied, or left alone by undoing."""
    rows = reader.execute(
        "SELECT row, field, code, message FROM crm_import_faults WHERE import = ? AND undoing = ? "
        "AND row IN (SELECT value FROM json_each(?))",
        (import_key, int(undoing), json_array(numbers)),
    )
    return {
        number: FieldFault(field, code, message, warning=code in WARNINGS)
        for number, field, code, message in rows.fetchall()
    }


def kept_rows(reader: Querying, import_key: int, after: int, limit: int) -> list[int]:
    """The numbers of rows whose contacts undoing left alone."""
    rows = reader.execute(
        "SELECT row FROM crm_import_faults WHERE import = ? AND undoing = 1 AND row > ? ORDER BY row LIMIT ?",
        (import_key, after, limit),
    )
    return [number for (number,) in rows.fetchall()]


ShownVerdict = Literal["ready", "create", "update", "unchanged", "duplicate", "suppressed", "invalid"]

MEANING: dict[str, ShownVerdict] = {
    "c": "create", "u": "update", "=": "unchanged", DUPLICATE: "duplicate", "s": "suppressed", REMOVED: "suppressed",
    INVALID: "invalid", READY: "ready",
}  # fmt: skip
"""The verdict that a letter stands for."""
