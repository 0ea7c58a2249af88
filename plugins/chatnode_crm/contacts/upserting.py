"""Creating or changing contacts by email address, external id or phone number, in one transaction: each row has its own
verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from chatnode.api import Transaction, record
from chatnode_crm.contacts import finding, writing
from chatnode_crm.contacts.completing import filling
from chatnode_crm.contacts.consenting import suppressed_emails
from chatnode_crm.contacts.finding import ContactRow
from chatnode_crm.contacts.numbered import (
    PHONE,
    Numbered,
    bare_at,
    bare_number,
    find_numbered,
    not_enough,
    ways_to_name,
)
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
    def number(self) -> str | None:
        """The phone number with the name, by which the contact is found if the row has nothing else."""
        return bare_number(self.prepared.values)

    @property
    def names(self) -> set[tuple[str, str | None]]:
        """By what the contact is found."""
        given = ("email", self.email_key), ("external_id", self.external_id), (PHONE, self.number)
        return {name for name in given if name[1]}

    @property
    def reached(self) -> set[tuple[str, str | None]]:
        """By what later rows may mean the contact: its number, too, with the name and alone."""
        return self.names | {(PHONE, number) for number in ways_to_name(self.prepared.values)}


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
        seen |= rows[number].reached
    return batch, later


def _write(
    tx: Transaction, rows: Sequence[Candidate], batch: Sequence[int], decided: dict[int, Decided], source: str,
    actor: int | None,
) -> list[int]:  # fmt: skip
    """Write rows; returns those that must be decided afterwards: they are about the same contact as one before, or may
    be."""
    there = _find(tx, [rows[number] for number in batch])
    new: list[int] = []
    changed: dict[int, int] = {}
    later: list[int] = []
    for number in batch:
        meant = there.meant_by(rows[number])
        if not changed.keys().isdisjoint(meant):
            later.append(number)
        elif fault := there.fault_of(rows[number]):
            decided[number] = Decided("invalid", faults=[fault])
        elif meant:
            changed[meant[0]] = number
        else:
            new.append(number)
    values = [rows[number].more | opted(rows[number].prepared, None, tx.now) for number in new]
    for number, key in zip(new, writing.create_many(tx, values, source=source, actor=actor), strict=True):
        decided[number] = Decided("created", key)
    changes = [(key, _changes(rows[number], there.contacts[key], tx.now)) for key, number in changed.items()]
    updated = set(writing.update_many(tx, changes, actor=actor))
    decided |= {number: Decided("updated" if key in updated else "unchanged", key) for key, number in changed.items()}
    return later


def _changes(row: Candidate, there: ContactRow, now: int) -> dict[str, Any]:
    given = opted(row.prepared, there.opted_out_at, now)
    return {**filling(there, given, row.more), **given}


@record(frozen=True)
class _There:
    """The contacts that rows of a batch may be about; `erased` are addresses of contacts that were erased."""

    by_email: Mapping[str, int]
    by_external: Mapping[str, int]
    by_number: Mapping[str, Sequence[Numbered]]
    contacts: Mapping[int, ContactRow]
    erased: Collection[str]

    def meant_by(self, row: Candidate) -> list[int]:
        """The keys of the contacts that a row may be about; if it has no fault, it is about the first."""
        if row.number is not None:
            same = self.by_number.get(row.number, ())
            key = bare_at(row.number, same)
            return [key] if key is not None else [each.key for each in same]
        found = self.by_external.get(row.external_id or ""), self.by_email.get(row.email_key or "")
        return [key for key in found if key is not None]

    def fault_of(self, row: Candidate) -> FieldFault | None:
        """Why a row cannot be written."""
        if not row.names:
            needs = "give an email address, an external id or a valid phone number, by which the contact is found"
            return FieldFault("email", "required", needs)
        if row.number is not None:
            same = self.by_number.get(row.number, ())
            return not_enough(row.number) if same and bare_at(row.number, same) is None else None
        return self._fault_of_names(row)

    def _fault_of_names(self, row: Candidate) -> FieldFault | None:
        if row.email_key in self.erased:
            why = "the contact with this address was erased; a user can create it again by hand"
            return FieldFault("email", "suppressed", why)
        email, external = self.by_email.get(row.email_key or ""), self.by_external.get(row.external_id or "")
        if email is not None and external is not None and email != external:
            return FieldFault("external_id", "conflict", "belongs to another contact than the email address does")
        has_another = email is not None and external is None and self.contacts[email].external_id is not None
        if has_another and row.external_id:
            return FieldFault("external_id", "conflict", "the contact with this email address has another external id")
        return None


def _find(tx: Transaction, rows: Sequence[Candidate]) -> _There:
    by_email = finding.keys_by_email(tx, [row.email_key for row in rows if row.email_key])
    by_external = finding.keys_by_external(tx, [row.external_id for row in rows if row.external_id])
    numbers = [row.number for row in rows if row.number is not None]
    by_number = find_numbered(tx, numbers)
    bare = {key for number in numbers if (key := bare_at(number, by_number.get(number, ()))) is not None}
    return _There(
        by_email,
        by_external,
        by_number,
        {row.key: row for row in finding.rows(tx, [*{*by_email.values(), *by_external.values(), *bare}])},
        suppressed_emails(tx, [row.email_key for row in rows if row.email_key and row.email_key not in by_email]),
    )
