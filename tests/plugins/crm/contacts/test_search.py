"""Contacts are found by the beginnings of words, as they read and as they are dialled."""

from __future__ import annotations

import pytest

from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.crm.contacts.keeping import catch_up, contact, created, found

PEOPLE = (
    {"email": "jose.munoz@example.org", "first_name": "José", "last_name": "Muñoz", "company": "Niña & Söhne GmbH"},
    {"email": "ann@acme.example", "first_name": "Ann", "last_name": "O'Brien", "phone": "+33 6 12 34 56 78"},
    {"email": "lukasz@example.net", "first_name": "Łukasz", "last_name": "Żak-Nowak", "phone": "+1 212 555 0123"},
    {"email": "anna@example.org", "first_name": "Anna", "last_name": "Annesley", "company": "Acme"},
    {"external_id": "4", "first_name": "山田", "last_name": "太郎"},
)


@pytest.fixture
async def mara(mara: User) -> User:
    for fields in PEOPLE:
        await created(mara, **fields)
    return mara


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("jose", ["jose.munoz@example.org"]),
        ("MUÑ jos", ["jose.munoz@example.org"]),
        ("sohne", ["jose.munoz@example.org"]),
        ("jose.m", ["jose.munoz@example.org"]),
        ("lukasz", ["lukasz@example.net"]),
        ("nowak", ["lukasz@example.net"]),
        ("zak-n", ["lukasz@example.net"]),
        ("o'brien", ["ann@acme.example"]),
        ("brien", ["ann@acme.example"]),
        ("obrien", ["ann@acme.example"]),
        ("山", ["太郎"]),
        ("example.net", ["lukasz@example.net"]),
        ("@acme.example", ["ann@acme.example"]),
        ("06 12 34", ["ann@acme.example"]),
        ("+33612", ["ann@acme.example"]),
        ("0033 612", ["ann@acme.example"]),
        ("212-555", ["lukasz@example.net"]),
        ("(212) 555-0123", ["lukasz@example.net"]),
        ("ann nobody", []),
        ("unoz", []),
        ("", []),
        (" '\" * - ", []),
        ('" OR words:"', []),
        ("NEAR(ann)", []),
        (" ".join(["an"] * 50), ["anna@example.org", "ann@acme.example"]),
        (" ".join(f"jose.m{'-' * number}" for number in range(12)), ["jose.munoz@example.org"]),
    ],
)
async def test_words_are_found_by_how_they_begin(mara: User, query: str, who: list[str]) -> None:
    assert await found(mara, query) == who


async def test_whole_words_come_first_and_names_before_the_rest(mara: User) -> None:
    assert await found(mara, "ann") == ["ann@acme.example", "anna@example.org"]
    assert await found(mara, "acme") == ["anna@example.org", "ann@acme.example"]
    page = await mara.call("crm.contacts.search", query="ann", limit=1)
    assert (len(page["contacts"]), page["more"]) == (1, True)


async def test_what_changes_is_found_by_what_it_is_now(mara: User) -> None:
    (jose,) = (await mara.call("crm.contacts.search", query="jose"))["contacts"]
    await mara.call("crm.contacts.update", contact=jose["id"], first_name="Pepe", email="pepe@example.org")
    assert (await found(mara, "jose"), await found(mara, "pepe")) == ([], ["pepe@example.org"])
    await mara.call("crm.contacts.delete", contact=jose["id"])
    assert await found(mara, "pepe") == []
    assert (await contact(mara, (await created(mara, email="pepe@example.org"))["id"]))["email"] == "pepe@example.org"


async def test_words_of_the_deleted_leave_the_index(node: Node, mara: User) -> None:
    """FTS5 only marks what is deleted: the upkeep removes it."""
    gone = await created(mara, email="x@y.example", last_name="Qwertz")
    await mara.call("crm.contacts.delete", contact=gone["id"])

    def stored(reader: object) -> str:
        return str(reader.execute("SELECT block FROM crm_words_data").fetchall())  # type: ignore[attr-defined]

    assert "qwertz" in await node.core.db.read(stored)
    await catch_up(node)
    assert "qwertz" not in await node.core.db.read(stored)
    assert await found(mara, "munoz") == ["jose.munoz@example.org"]
