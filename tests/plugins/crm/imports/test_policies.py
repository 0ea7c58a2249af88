"""For every policy: a dry run counts what the import counts, however it is sliced; and undoing restores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args

import attrs
import chatnode_crm
import pytest
import trio
from chatnode_crm.contacts.identified import is_identified
from chatnode_crm.contacts.writing import create_many
from chatnode_crm.imports import options
from chatnode_crm.imports.applying import ApplySetup, apply_rows
from chatnode_crm.imports.deciding import Claims, key_of
from chatnode_crm.imports.judging import count_memberships, count_verdicts, judge
from chatnode_crm.imports.list_warnings import passed_over
from chatnode_crm.imports.options import ImportPolicies
from chatnode_crm.imports.staged import DUPLICATE, READY, StagedRow
from chatnode_crm.imports.undoing import UndoSetup, undo_some
from chatnode_crm.lists.changing import archive_list, make_list
from chatnode_crm.lists.membership import add_many
from chatnode_crm.naming import name_key
from chatnode_crm.tags.tagging import tag_many
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.config import Config
from chatnode.node import open_node
from chatnode.storage.engine.connection import Reader, connect_writer
from chatnode.storage.engine.transaction import Transaction
from tests.plugins.crm.making import tag_called
from tests.quick import examples

EMAILS = [f"{name}@example.com" for name in "abcdef"]
EXTERNAL = ["x1", "x2", "x3", None, None, None]
PHONES = ["+33612345678", "+33698765432", None]
TAGS = ["vip", "new", "Été"]


def policies() -> st.SearchStrategy[ImportPolicies]:
    kinds = {
        "match": options.MatchField, "fields": options.FieldsPolicy, "empty": options.EmptyPolicy,
        "tags": options.TagsPolicy, "lists": options.ListsPolicy, "consent": options.ConsentPolicy,
    }  # fmt: skip
    return st.builds(ImportPolicies, **{name: st.sampled_from(get_args(kind)) for name, kind in kinds.items()})


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """Of a row: all fields, or only some."""
    email = draw(st.sampled_from([*EMAILS, *[None] * 6]))
    found: dict[str, Any] = {"email": email, "email_key": email, "external_id": draw(st.sampled_from(EXTERNAL))}
    if draw(st.booleans()):
        found["phone"] = found["phone_key"] = draw(st.sampled_from(PHONES))
    for field in ("first_name", "last_name", "city"):
        if draw(st.integers(0, 4)):
            found[field] = draw(st.sampled_from(["A", "B", "A", "B", None]))
    if draw(st.booleans()):
        found["opted_out"] = draw(st.booleans())
    return found


@attrs.frozen
class Case:
    """Contacts that exist, with whether they are on the list and their tags; then an import."""

    contacts: list[tuple[dict[str, Any], bool, list[str]]]
    rows: list[tuple[dict[str, Any], list[str] | None, list[str] | None]]
    policies: ImportPolicies
    listed: bool
    tags: list[str]
    sizes: list[int]


def cases() -> st.SearchStrategy[Case]:
    some_tags = st.lists(st.sampled_from(TAGS), max_size=2, unique=True)
    some_lists = st.lists(st.sampled_from(["A List", "other", "closed"]), max_size=2)
    return st.builds(
        Case,
        st.lists(st.tuples(values(), st.booleans(), some_tags), max_size=4),
        st.lists(st.tuples(values(), st.none() | some_tags, st.none() | some_lists), min_size=1, max_size=8),
        policies(), st.booleans(), some_tags, st.lists(st.integers(1, 4), min_size=8, max_size=8),
    )  # fmt: skip


def staged(case: Case) -> list[StagedRow]:
    seen: set[tuple[str, str]] = set()
    rows: list[StagedRow] = []
    for number, (given_values, tags, lists) in enumerate(case.rows, 1):
        key = key_of(given_values, case.policies)
        letter = "i" if key is None else DUPLICATE if key in seen else READY
        if letter == READY:
            seen |= {(name, value) for name in ("email_key", "external_id") if (value := given_values[name])}
            seen |= {key} if key is not None else set()
        rows.append(StagedRow(number + 1, [], given_values, tags, [], letter, number, lists))
    return rows


def prepare(tx: Transaction, case: Case) -> ApplySetup:
    listed = make_list(tx, "a list", kind="static", actor=None)
    archive_list(tx, make_list(tx, "closed", kind="static", actor=None), actor=None)
    for contact, on_list, tags in case.contacts:
        names = {"first_name": contact.get("first_name") or "N", "last_name": contact.get("last_name") or "N"}
        new = {**contact, **names, "opted_out_at": 5 if contact.get("opted_out") else None}
        new.pop("opted_out", None)
        keys: list[int] = []
        if is_identified(contact):
            tx.attempt(lambda new=new, keys=keys: keys.extend(create_many(tx, [new], source="manual", actor=None)))
        add_many(tx, listed.key, keys if on_list else [], actor=None)
        for tag in tags:
            tag_many(tx, tag_called(tx, tag), keys, actor=None)
    tags = {name_key(tag): tag for tag in case.tags}
    return ApplySetup(1, case.policies, listed.key if case.listed else None, tags, None, 0)


def plan(tx: Transaction, setup: ApplySetup, rows: list[StagedRow], size: int) -> Counter[str]:
    claims, counts = Claims({}), Counter[str]()
    for first in range(0, len(rows), size):
        judged = judge(tx, rows[first : first + size], setup.policies, claims, 0)
        counts.update(count_verdicts(judged))
        counts.update(count_memberships(tx, judged, setup.policies, setup.list_key, setup.tags))
        counts["passed_over"] += len(passed_over(tx, judged, setup.policies))
    return counts


def parts(rows: list[StagedRow], sizes: list[int]) -> Iterator[list[StagedRow]]:
    at = 0
    for size in sizes:
        if at < len(rows):
            yield rows[at : at + size]
            at += size


def state(tx: Transaction) -> list[list[tuple[Any, ...]]]:
    """Contacts, members and tags, without keys and times."""
    queries = (
        "SELECT email, email_key, external_id, phone_key, first_name, last_name, city, opted_out_at IS NULL, words "
        "FROM crm_contacts ORDER BY email_key, external_id, phone_key, first_name, last_name, key",
        "SELECT c.email_key, l.name FROM crm_members m JOIN crm_contacts c ON c.key = m.contact "
        "JOIN crm_lists l ON l.key = m.list ORDER BY 1, 2",
        "SELECT c.email_key, t.name_key FROM crm_taggings g JOIN crm_contacts c ON c.key = g.contact "
        "JOIN crm_tags t ON t.key = g.tag ORDER BY 1, 2",
    )
    return [tx.execute(sql).fetchall() for sql in queries]


def check(tx: Transaction, case: Case) -> None:
    setup, rows = prepare(tx, case), staged(case)
    before = state(tx)
    planned = plan(tx, setup, rows, case.sizes[0])
    assert planned == plan(tx, setup, rows, 100)
    counts, letters = Counter[str](), ""
    for part in parts(rows, case.sizes):
        applied = apply_rows(tx, setup, part)
        counts.update(applied.counts)
        letters += applied.letters
    assert +counts == +planned
    assert len(letters) == len(rows)
    again = plan(tx, setup, rows, 100)
    if not planned["invalid"]:  # else a value may be free now that a row could not have
        assert (again["created"], again["listed"]) == (0, 0)
    undo = UndoSetup(1, None)
    undone = Counter[str]()
    while (some := undo_some(tx, undo, case.sizes[1])) is not None:
        undone.update(some)
    assert undone["kept"] == 0
    assert state(tx) == before


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A connection to a database with the plugin's tables."""
    data = tmp_path_factory.mktemp("policies") / "data"

    async def create() -> None:
        async with open_node(data, Config(), only=[chatnode_crm]):
            pass

    trio.run(create)
    connection = connect_writer(data / "chatnode.sqlite3", Config().storage)
    yield connection
    connection.close()


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_a_dry_run_counts_what_the_import_counts_and_undoing_restores(writer: Reader, case: Case) -> None:
    writer.execute("BEGIN")
    try:
        check(Transaction(writer, 1), case)
    finally:
        writer.execute("ROLLBACK")
