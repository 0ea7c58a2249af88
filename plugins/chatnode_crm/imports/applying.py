"""Applying rows: contacts, their list and their tags, with what is needed to undo it, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from chatnode.api import Transaction, record
from chatnode_crm.contacts.numbered import bare_number
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.contacts.writing import create_many, update_many
from chatnode_crm.imports.attempts import attempt_write
from chatnode_crm.imports.deciding import OPTED_OUT, OPTED_OUT_AT, Claims, Decision
from chatnode_crm.imports.judging import COUNTED, Judged, judge, list_groups, tags_of, wanted_tags
from chatnode_crm.imports.list_warnings import passed_over
from chatnode_crm.imports.options import ImportPolicies
from chatnode_crm.imports.staged import READY, StagedRow
from chatnode_crm.lists.changing import make_list
from chatnode_crm.lists.membership import add_many
from chatnode_crm.tags.changing import make_tag
from chatnode_crm.tags.finding import tag_by_name
from chatnode_crm.tags.tagging import tag_many, untag_many


@record(frozen=True)
class ApplySetup:
    """What an import does with its rows. `tags` are those that all contacts get, by folded name; `since` is when it
    began."""

    import_key: int
    policies: ImportPolicies
    list_key: int | None
    tags: Mapping[str, str]
    actor: int | None
    since: int


@record
class Applied:
    """What a batch has become."""

    letters: str = ""
    counts: Counter[str] = attrs.field(factory=Counter[str])
    faults: list[tuple[int, FieldFault]] = attrs.field(factory=list[tuple[int, FieldFault]])
    images: list[tuple[int, int, str]] = attrs.field(factory=list[tuple[int, int, str]])
    created: list[int] = attrs.field(factory=list[int])
    listed: dict[int, list[int]] = attrs.field(factory=dict[int, list[int]])
    tagged: dict[int, list[int]] = attrs.field(factory=dict[int, list[int]])
    untagged: dict[int, list[int]] = attrs.field(factory=dict[int, list[int]])
    new_lists: list[int] = attrs.field(factory=list[int])
    new_tags: list[int] = attrs.field(factory=list[int])

    def extend(self, other: Applied) -> None:
        self.letters += other.letters
        self.counts.update(other.counts)
        self.faults += other.faults
        self.images += other.images
        self.created += other.created
        self.new_lists += other.new_lists
        self.new_tags += other.new_tags
        for own, more in (
            (self.listed, other.listed), (self.tagged, other.tagged), (self.untagged, other.untagged)
        ):  # fmt: skip
            for key, contacts in more.items():
                own.setdefault(key, []).extend(contacts)

    def added(self) -> dict[str, Any]:
        """What undoing needs, as JSON has it: lists in the order of rows."""
        return {
            "created": self.created,
            "listed": _pairs(self.listed),
            "tagged": _pairs(self.tagged),
            "untagged": _pairs(self.untagged),
            "new_lists": self.new_lists,
            "new_tags": self.new_tags,
        }


def _pairs(contacts_by_key: Mapping[int, list[int]]) -> list[tuple[int, list[int]]]:
    return [(key, contacts) for key, contacts in contacts_by_key.items() if contacts]


def apply_rows(tx: Transaction, setup: ApplySetup, rows: Sequence[StagedRow]) -> Applied:
    """Apply rows that follow each other, and store what they became. If the batch fails, its rows are tried one by
    one, so that a row costs nothing but itself."""
    applied = Applied()
    if attempt_write(tx, lambda: applied.extend(_apply(tx, setup, rows))) is not None:
        applied = Applied()
        for row in rows:
            applied.extend(_apply_alone(tx, setup, row))
    _store(tx, setup, rows[0].number, applied)
    return applied


def _apply_alone(tx: Transaction, setup: ApplySetup, row: StagedRow) -> Applied:
    applied = Applied()
    failure = attempt_write(tx, lambda: applied.extend(_apply(tx, setup, [row])))
    if failure is None:
        return applied
    field = failure.path or ""
    fault = FieldFault(
        field, f"{field}_taken" if field else failure.code, f"another contact has this {field or 'value'}"
    )
    return Applied("i", Counter(invalid=1), [(row.number, fault)])


def _apply(tx: Transaction, setup: ApplySetup, rows: Sequence[StagedRow]) -> Applied:
    claims = Claims({}, notes_numbers=any(bare_number(row.values) for row in rows))
    judged = judge(tx, rows, setup.policies, claims, setup.since)
    applied = Applied("".join(each.letter for each in judged))
    applied.counts.update(COUNTED[letter] for letter in applied.letters)
    applied.faults = [
        (each.row.number, each.decision.fault)
        for each in judged
        if each.row.letter == READY and each.decision.fault is not None
    ]
    warnings = passed_over(tx, judged, setup.policies)
    applied.faults += warnings
    applied.counts["passed_over"] += len(warnings)
    keys = _write_contacts(tx, setup, judged, applied)
    _write_lists(tx, setup, judged, keys, applied)
    _write_tags(tx, setup, judged, keys, applied)
    return applied


def _write_contacts(tx: Transaction, setup: ApplySetup, judged: Sequence[Judged], applied: Applied) -> dict[int, int]:
    """Create and change contacts; returns the key of each row's contact by the row's number."""
    keys = {each.row.number: key for each in judged if (key := each.decision.contact) is not None}
    creates = [each for each in judged if each.decision.verdict == "create"]
    if creates:
        values = [_written(each.decision, tx.now) for each in creates]
        applied.created = create_many(tx, values, source="import", actor=setup.actor)
        keys.update((each.row.number, key) for each, key in zip(creates, applied.created, strict=True))
    updates = [each for each in judged if each.decision.verdict == "update"]
    if updates:
        changes = [(_contact_of(each.decision), _written(each.decision, tx.now)) for each in updates]
        update_many(tx, changes, actor=setup.actor)
        applied.images = [
            (each.row.number, _contact_of(each.decision), orjson.dumps(each.decision.before).decode())
            for each in updates
        ]
    return keys


def _written(decision: Decision, now: int) -> Mapping[str, Any]:
    """The values by column."""
    if OPTED_OUT not in decision.changes:
        return decision.changes
    values = dict(decision.changes)
    at = min(values.get(OPTED_OUT_AT, now), now)
    values[OPTED_OUT_AT] = at if values.pop(OPTED_OUT) else None
    return values


def _contact_of(decision: Decision) -> int:
    assert decision.contact is not None
    return decision.contact


def _write_lists(
    tx: Transaction, setup: ApplySetup, judged: Sequence[Judged], keys: Mapping[int, int], applied: Applied
) -> None:
    for group in list_groups(tx, judged, setup.policies, setup.list_key):
        if not group.rows:
            continue
        key = group.key
        if key is None:
            key = make_list(tx, group.name, kind="static", actor=setup.actor).key
            applied.new_lists.append(key)
        added = add_many(tx, key, [keys[each.row.number] for each in group.rows], actor=setup.actor)
        applied.listed[key] = added
        applied.counts["listed"] += len(added)


def _write_tags(
    tx: Transaction, setup: ApplySetup, judged: Sequence[Judged], keys: Mapping[int, int], applied: Applied
) -> None:
    adding: dict[str, tuple[str, list[int]]] = {}
    replaced: dict[int, set[str]] = {}
    for each in judged:
        wanted = wanted_tags(each, setup.policies, setup.tags)
        if wanted is None:
            continue
        contact = keys[each.row.number]
        for folded, name in wanted.names.items():
            if folded not in adding:
                adding[folded] = (name, [])
            adding[folded][1].append(contact)
        if wanted.only:
            replaced[contact] = set(wanted.names)
    _take_others(tx, setup, replaced, applied)
    for name, contacts in adding.values():
        tag = tag_by_name(tx, name)
        if tag is None:
            tag = make_tag(tx, name, actor=setup.actor)
            applied.new_tags.append(tag.key)
        applied.tagged[tag.key] = tag_many(tx, tag.key, contacts, actor=setup.actor)
        applied.counts["tagged"] += len(applied.tagged[tag.key])


def _take_others(tx: Transaction, setup: ApplySetup, replaced: Mapping[int, set[str]], applied: Applied) -> None:
    """Take from contacts the tags that they are not to keep."""
    removing: dict[str, list[int]] = {}
    for contact, has in tags_of(tx, list(replaced)).items():
        for folded in sorted(has - replaced[contact]):
            removing.setdefault(folded, []).append(contact)
    for folded, contacts in removing.items():
        tag = tag_by_name(tx, folded)
        if tag is not None:
            applied.untagged[tag.key] = untag_many(tx, tag.key, contacts, actor=setup.actor)
            applied.counts["untagged"] += len(applied.untagged[tag.key])


def _store(tx: Transaction, setup: ApplySetup, first: int, applied: Applied) -> None:
    gid, added = tx.next_gid - 1, applied.added()
    tx.execute(
        "INSERT INTO crm_import_slices (import, first, verdicts, gid, at, added) VALUES (?, ?, ?, ?, ?, ?)",
        (
            setup.import_key,
            first,
            applied.letters,
            gid,
            tx.now,
            orjson.dumps(added).decode() if any(added.values()) else "",
        ),
    )
    if applied.images:
        tx.executemany(
            "INSERT INTO crm_import_images (import, row, contact, gid, before) VALUES (?, ?, ?, ?, ?)",
            [(setup.import_key, row, contact, gid, before) for row, contact, before in applied.images],
        )
    if applied.faults:
        tx.executemany(
            "INSERT INTO crm_import_faults (import, row, field, code, message) VALUES (?, ?, ?, ?, ?)",
            [(setup.import_key, number, fault.field, fault.code, fault.message) for number, fault in applied.faults],
        )
