"""Creating or changing contacts by email address or external id, in one transaction: each row has its own verdict."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from chatnode.api import Transaction, record
from chatnode_crm.contacts import finding, writing
from chatnode_crm.contacts.completing import filling
from chatnode_crm.contacts.consenting import suppressed_emails
from chatnode_crm.contacts.finding import ContactRow
from chatnode_crm.contacts.preparing import PreparedContact, opted
from chatnode_crm.contacts.values import FieldFault

Verdict = Literal["created", "updated", "unchanged", "invalid"]


@record(frozen=True)
class Candidate:
    """A row that is to be written: what was sent, and what plugins know besides."""

    prepared: PreparedContact
    more: dict[str, Any]

    @property
    def email_key(self) -> str | None:
        return self.prepared.values.get("email_key")

    @property
    def external_id(self) -> str | None:
        return self.prepared.values.get("external_id")

    @property
    def names(self) -> set[tuple[str, str | None]]:
        """What no two contacts have in common."""
        return {name for name in (("email", self.email_key), ("external_id", self.external_id)) if name[1]}


@record(frozen=True)
class Decided:
    """What became of a row. `contact` is the key of the contact, if there is one."""

    verdict: Verdict
    contact: int | None = None
    faults: Sequence[FieldFault] = ()


def upsert(tx: Transaction, rows: Sequence[Candidate], *, source: str, actor: int | None) -> list[Decided]:
    """Write rows in order; returns what became of each. A row about the same contact as an earlier one changes what
    that one left."""
    decided: dict[int, Decided] = {}
    waiting = list(range(len(rows)))
    while waiting:
        batch, later = _distinct(rows, waiting)
        later += _write(tx, rows, batch, decided, source, actor)
        waiting = sorted(later)
    return [decided[number] for number in range(len(rows))]


def _distinct(rows: Sequence[Candidate], waiting: Sequence[int]) -> tuple[list[int], list[int]]:
    """The rows that name different contacts, and those that have a name of an earlier one."""
    seen: set[tuple[str, str | None]] = set()
    batch: list[int] = []
    later: list[int] = []
    for number in waiting:
        names = rows[number].names
        (batch if seen.isdisjoint(names) else later).append(number)
        seen |= names
    return batch, later


def _write(
    tx: Transaction, rows: Sequence[Candidate], batch: Sequence[int], decided: dict[int, Decided], source: str,
    actor: int | None,
) -> list[int]:  # fmt: skip
    """Write rows; returns those that are about the same contact as one before, and must be decided afterwards."""
    by_email = finding.keys_by_email(tx, [key for number in batch if (key := rows[number].email_key)])
    by_external = finding.keys_by_external(tx, [id for number in batch if (id := rows[number].external_id)])
    erased = suppressed_emails(tx, [key for number in batch if (key := rows[number].email_key) and key not in by_email])
    there = {row.key: row for row in finding.rows(tx, [*{*by_email.values(), *by_external.values()}])}
    new: list[int] = []
    changed: dict[int, int] = {}
    later: list[int] = []
    for number in batch:
        row = rows[number]
        email, external = by_email.get(row.email_key or ""), by_external.get(row.external_id or "")
        key = email if external is None else external
        if fault := _fault(row, email, external, there, erased):
            decided[number] = Decided("invalid", faults=[fault])
        elif key is None:
            new.append(number)
        elif key in changed:
            later.append(number)
        else:
            changed[key] = number
    values = [rows[number].more | opted(rows[number].prepared, None, tx.now) for number in new]
    for number, key in zip(new, writing.create_many(tx, values, source=source, actor=actor), strict=True):
        decided[number] = Decided("created", key)
    changes = [(key, _changes(rows[number], there[key], tx.now)) for key, number in changed.items()]
    updated = set(writing.update_many(tx, changes, actor=actor))
    decided |= {number: Decided("updated" if key in updated else "unchanged", key) for key, number in changed.items()}
    return later


def _changes(row: Candidate, there: ContactRow, now: int) -> dict[str, Any]:
    given = opted(row.prepared, there.opted_out_at, now)
    return {**filling(there, given, row.more), **given}


def _fault(
    row: Candidate, email: int | None, external: int | None, there: dict[int, ContactRow], erased: Collection[str]
) -> FieldFault | None:
    """Why a row cannot be written."""
    if row.email_key in erased:
        return FieldFault(
            "email",
            "suppressed",
            "the contact with this address was erased; a user can create it again by hand",
        )
    if not row.names:
        return FieldFault("email", "required", "give an email address or an external id, by which the contact is found")
    if email is not None and external is not None and email != external:
        return FieldFault("external_id", "conflict", "belongs to another contact than the email address does")
    if email is not None and external is None and row.external_id and there[email].external_id is not None:
        return FieldFault("external_id", "conflict", "the contact with this email address has another external id")
    return None
