"""What is asked of contacts and lists all the time goes by an index, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatnode.api import Reader
from chatnode.node import Node
from chatnode.testing import User
from tests.filters.test_plans import steps
from tests.plugins.crm.making import make_contacts

LATELY = {"created_at": {"_in_last": "30 days"}}

#: What is asked with `items.query`, and how its rows are found.
ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("crm_contacts", {"filter": LATELY, "sort": "-created_at"}, "crm_contacts_created (created_at>?"),
    ("crm_contacts", {"filter": {"external_id": {"_eq": "7"}}}, "crm_contacts_external (external_id=?"),
    ("crm_contacts", {"filter": {"email": {"_eq": "Ada@mail.org"}}}, "crm_contacts_email (email_key=?"),
    ("crm_contacts", {"filter": {"email": {"_in": ["ada@mail.org", "b"]}}}, "crm_contacts_email (email_key=?"),
    ("contact_lists", {"filter": {"is_active": {"_eq": True}}, "sort": "name"}, "crm_lists_active (is_active=?"),
    ("contact_lists", {"filter": LATELY, "sort": "-created_at"}, "crm_lists_created (created_at>?"),
    ("contact_tags", {"filter": LATELY, "sort": "-created_at"}, "crm_tags_created (created_at>?"),
]

#: Commands, and the indexes that they use. None of them may scan a table of contacts or of who is on lists.
COMMANDS: list[tuple[str, dict[str, Any], str]] = [
    ("crm.contacts.search", {"query": "ada@mail.org"}, "SCAN crm_words VIRTUAL TABLE INDEX"),
    ("crm.contacts.upsert", {"contacts": [{"email": "ADA@mail.org"}]}, "crm_contacts_email (email_key=?)"),
    (
        "crm.contacts.upsert",
        {"contacts": [{"first_name": "Ada", "phone": "+33612345678"}]},
        "crm_contacts_numbers (phone_key=? AND words>? AND words<?)",
    ),
    ("crm.lists.members", {"list": "all"}, "crm_members_joined (list=?)"),
    ("crm.lists.members", {"list": "all", "days": 7}, "crm_members_joined (list=? AND added_at>?)"),
    ("crm.lists.members", {"days": 7}, "crm_members_added (added_at>?)"),
    ("crm.lists.of", {"contact": "ada"}, "crm_members_contact (contact=?)"),
    ("crm.tags.of", {"contact": "ada"}, "crm_taggings_contact (contact=?)"),
]


@pytest.mark.parametrize(("collection", "fields", "index"), ASKED)
async def test_a_query_goes_by_an_index(
    node: Node, vic: User, collection: str, fields: dict[str, Any], index: str
) -> None:
    planned = await steps(node, vic, collection, fields)
    assert any(step.startswith(f"SEARCH item USING INDEX {index}") for step in planned), planned


def tracing(run: Callable[..., Any], asked: list[str]) -> Callable[..., Any]:
    """A method of the database whose functions' statements are written down."""

    def traced(function: Callable[[Any], Any], *rest: Any, **named: Any) -> Any:
        def within(reader: Any) -> Any:
            connection = getattr(reader, "connection", reader)
            connection.set_trace_callback(asked.append)
            try:
                return function(reader)
            finally:
                connection.set_trace_callback(None)

        return run(within, *rest, **named)

    return traced


@pytest.mark.parametrize(("command", "fields", "index"), COMMANDS)
async def test_a_command_goes_by_an_index(
    node: Node, mara: User, monkeypatch: pytest.MonkeyPatch, command: str, fields: dict[str, Any], index: str
) -> None:
    ids = await make_contacts(node, "ada", "bob")
    await mara.call("crm.lists.create", name="all")
    await mara.call("crm.lists.add", list="all", contacts=list(ids.values()))
    fields = {**fields, "contact": ids["ada"]} if "contact" in fields else fields
    asked: list[str] = []
    read = node.core.db.read
    for name in ("read", "write"):
        monkeypatch.setattr(node.core.db, name, tracing(getattr(node.core.db, name), asked))
    await mara.call(command, **fields)

    def plans(reader: Reader) -> list[str]:
        about = [sql for sql in asked if sql.lstrip().startswith(("SELECT", "WITH")) and "crm_" in sql]
        return [row[3] for sql in about for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}")]

    found = await read(plans)
    assert any(index in step for step in found), found
    scanned = {step.split()[1] for step in found if step.startswith("SCAN") and "VIRTUAL" not in step}
    assert scanned.isdisjoint({"crm_contacts", "crm_members", "crm_taggings", "item", "m", "c"}), found
