"""What becomes of a batch of rows, by what the tables hold now: for previews, dry runs and imports alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs

from chatnode.api import Querying, json_array, record
from chatnode_crm.contacts.custom import read_custom
from chatnode_crm.contacts.numbered import PHONE, Numbered, bare_at, find_numbered, not_enough
from chatnode_crm.contacts.values import FIELDS, FieldFault
from chatnode_crm.imports.deciding import Claims, Decision, decide, key_of, unique_fields
from chatnode_crm.imports.options import ImportPolicies
from chatnode_crm.imports.staged import DUPLICATE, READY, REMOVED, StagedRow
from chatnode_crm.imports.suppression import ERASED, Suppressed, find_suppressed
from chatnode_crm.lists.finding import OPEN
from chatnode_crm.naming import name_key

LETTERS = {"create": "c", "update": "u", "unchanged": "=", "duplicate": "d", "suppressed": "s", "invalid": "i"}
COUNTED = {"c": "created", "u": "updated", "=": "unchanged", "d": "duplicates", "s": "suppressed", "i": "invalid"}
"""Under which name the rows of a letter are counted."""
APPLIED = frozenset(("create", "update", "unchanged"))

_Key = tuple[str, str]
"""A column and a value, by which a contact is found."""
_COLUMNS: tuple[str, ...] = ("key", *FIELDS, "email_key", "phone_key", "opted_out_at", "custom")
_REMOVED = Decision("suppressed")


@record
class Judged:
    """A row and what becomes of it."""

    row: StagedRow
    decision: Decision

    @property
    def letter(self) -> str:
        return LETTERS[self.decision.verdict]


def judge(
    reader: Querying, rows: Sequence[StagedRow], policies: ImportPolicies, claims: Claims, since: int
) -> list[Judged]:
    """Decide about rows of an import that began at `since`, in their order. `claims` has what the rows before them
    claimed; its holders are replaced."""
    ready = [row for row in rows if row.letter == READY]
    other = unique_fields(policies)[1]
    keys = [key for row in ready if (key := key_of(row.values, policies))]
    contacts = _contacts_of(reader, keys)
    claims.holders = _holders_of(reader, other, [value for row in ready if (value := row.values.get(other))])
    suppressed = find_suppressed(reader, [row.values for row in ready], since)
    return [Judged(row, _decide(row, contacts, claims, policies, suppressed)) for row in rows]


@record
class _Contacts:
    """Those that rows may be about: by column and value, of those with a phone number by key."""

    found: Mapping[_Key, Mapping[str, Any]]
    by_number: Mapping[str, Sequence[Numbered]]
    bare: Mapping[int, Mapping[str, Any]]


def _decide(
    row: StagedRow, contacts: _Contacts, claims: Claims, policies: ImportPolicies, suppressed: Suppressed
) -> Decision:
    if row.letter == READY:
        reason = ERASED if suppressed.has(row.values) else None
        contact = _contact_of(row, contacts, claims, policies)
        if isinstance(contact, Decision):
            return contact
        return decide(row.values, contact, claims, policies, reason, row.more)
    if row.letter == REMOVED:
        return _REMOVED
    fault = next((fault for fault in row.faults if not fault.warning), None)
    return Decision("duplicate" if row.letter == DUPLICATE else "invalid", fault=fault)


def _contact_of(
    row: StagedRow, contacts: _Contacts, claims: Claims, policies: ImportPolicies
) -> Mapping[str, Any] | Decision | None:
    """The contact that a row is about. One without an address is found by its external id, but not if the contact has
    an address: another row may be about it. The same holds the other way round."""
    match, other = unique_fields(policies)
    key = key_of(row.values, policies)
    assert key is not None
    if key[0] == PHONE:
        return _contact_at(key[1], contacts, claims)
    contact = contacts.found.get(key)
    if contact is None or key[0] == match or contact[match] is None:
        return contact
    if key[1] in claims.released:
        return None
    field, by = other.removesuffix("_key"), policies.match
    message = f"a contact with this {field} exists; the row needs its {by}, or must be matched by {field}"
    return Decision("invalid", contact["key"], fault=FieldFault(field, "exists", message))


def _contact_at(number: str, contacts: _Contacts, claims: Claims) -> Mapping[str, Any] | Decision | None:
    """The contact that a row with nothing but a phone number is about: one that has nothing else either, and the same
    name. If another contact may be meant, nothing is written: a row of the file may be about that one, too."""
    there = [each for each in contacts.by_number.get(number, ()) if each.key not in claims.moved]
    if (key := bare_at(number, there)) is not None:
        return contacts.bare[key]
    if not there and number not in claims.reached:
        return None
    return Decision("invalid", there[0].key if there else None, fault=not_enough(number))


def _contacts_of(reader: Querying, keys: Collection[_Key]) -> _Contacts:
    found: dict[_Key, dict[str, Any]] = {}
    for column in ("email_key", "external_id"):
        values = [value for by, value in keys if by == column]
        found.update(((column, contact[column]), contact) for contact in _contacts_with(reader, column, values))
    numbers = [value for by, value in keys if by == PHONE]
    by_number = find_numbered(reader, numbers)
    bare = {each.key for number in numbers for each in by_number.get(number, ()) if each.is_found_by(number)}
    return _Contacts(found, by_number, {each["key"]: each for each in _contacts_with(reader, "key", list(bare))})


def _contacts_with(reader: Querying, column: str, values: Sequence[str] | Sequence[int]) -> list[dict[str, Any]]:
    if not values:
        return []
    rows = reader.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM crm_contacts "  # noqa: S608 -- constants
        f"WHERE {column} IN (SELECT value FROM json_each(?)) ORDER BY key",
        (json_array(values),),
    )
    contacts = [dict(zip(_COLUMNS, row, strict=True)) for row in rows.fetchall()]
    for contact in contacts:
        contact["custom"] = read_custom(contact["custom"])
    return contacts


def _holders_of(reader: Querying, column: str, values: Sequence[str]) -> dict[str, int]:
    if not values:
        return {}
    rows = reader.execute(
        f"SELECT {column}, key FROM crm_contacts WHERE {column} IN (SELECT value FROM json_each(?))",  # noqa: S608
        (json_array(values),),
    )
    return dict(rows.fetchall())


def count_verdicts(judged: Iterable[Judged]) -> Counter[str]:
    """How many rows there are of each verdict."""
    return Counter(COUNTED[each.letter] for each in judged)


# ---- lists and tags


@record
class ListGroup:
    """The rows whose contacts go onto one list, which is yet to be made if it has no key."""

    key: int | None
    name: str
    rows: list[Judged] = attrs.field(factory=list[Judged])


def list_groups(
    reader: Querying, judged: Sequence[Judged], policies: ImportPolicies, list_key: int | None
) -> list[ListGroup]:
    """By list: the one of the import, and those that rows name. Lists that users cannot change now are passed over."""
    wanted = ("create",) if policies.lists == "ignore" else APPLIED
    ones = [each for each in judged if each.decision.verdict in wanted]
    groups: dict[int | str, ListGroup] = {}
    if list_key is not None:
        groups[list_key] = ListGroup(list_key, "", list(ones))
    naming = [(each, {name_key(name): name for name in each.row.lists}) for each in ones if each.row.lists]
    keys = _lists_by_name(reader, {folded for _, names in naming for folded in names})
    for each, names in naming:
        for folded, name in names.items():
            key = keys.get(folded, folded)
            if key is not None and key != list_key:
                known = key if isinstance(key, int) else None
                groups.setdefault(key, ListGroup(known, name)).rows.append(each)
    return list(groups.values())


def _lists_by_name(reader: Querying, names: Collection[str]) -> dict[str, int | None]:
    """The keys of the lists that there are; None for one that users cannot change now."""
    if not names:
        return {}
    rows = reader.execute(
        f"SELECT name_key, key, {OPEN} FROM crm_lists "  # noqa: S608 -- a constant
        "WHERE name_key IN (SELECT value FROM json_each(?))",
        (json_array(sorted(names)),),
    )
    return {name: key if is_open else None for name, key, is_open in rows.fetchall()}


@record
class WantedTags:
    """Tags for the contact of a row, by folded name; with `only`, all others are taken from it."""

    names: Mapping[str, str]
    only: bool


def wanted_tags(each: Judged, policies: ImportPolicies, everywhere: Mapping[str, str]) -> WantedTags | None:
    """`everywhere` are the tags that all contacts of the import get. None: the contact's tags stay as they are."""
    decision = each.decision
    if decision.verdict not in APPLIED:
        return None
    is_new = decision.verdict == "create"
    if policies.tags == "ignore" and not is_new:
        return None
    own = each.row.tags
    names = {**everywhere, **{name_key(name): name for name in own}} if own else everywhere
    asked = own is not None and (bool(own) or policies.empty == "erase")
    only = policies.tags == "replace" and not is_new and (asked or (own is None and bool(everywhere)))
    return WantedTags(names, only) if names or only else None


def count_memberships(
    reader: Querying, judged: Sequence[Judged], policies: ImportPolicies, list_key: int | None, tags: Mapping[str, str]
) -> Counter[str]:
    """How many memberships and tags the import will really change."""
    counts = Counter[str]()
    for group in list_groups(reader, judged, policies, list_key):
        keys = [key for each in group.rows if (key := each.decision.contact) is not None]
        known = 0 if group.key is None else _members_among(reader, group.key, keys)
        counts["listed"] += len(group.rows) - known
    wanted = [(each.decision.contact, found) for each in judged if (found := wanted_tags(each, policies, tags))]
    has = tags_of(reader, [key for key, _ in wanted if key is not None])
    for key, found in wanted:
        current = has.get(key, set[str]()) if key is not None else set[str]()
        counts["tagged"] += len(found.names.keys() - current)
        counts["untagged"] += len(current - found.names.keys()) if found.only else 0
    return counts


def _members_among(reader: Querying, list_key: int, keys: Sequence[int]) -> int:
    if not keys:
        return 0
    sql = "SELECT count(*) FROM crm_members WHERE list = ? AND contact IN (SELECT value FROM json_each(?))"
    return reader.execute(sql, (list_key, json_array(keys))).fetchone()[0]


def tags_of(reader: Querying, keys: Sequence[int]) -> dict[int, set[str]]:
    """The folded names of the tags of contacts."""
    found: dict[int, set[str]] = {}
    if keys:
        rows = reader.execute(
            "SELECT g.contact, t.name_key FROM crm_taggings g JOIN crm_tags t ON t.key = g.tag "
            "WHERE g.contact IN (SELECT value FROM json_each(?))",
            (json_array(keys),),
        )
        for key, name in rows.fetchall():
            found.setdefault(key, set()).add(name)
    return found
