"""The list: its orders, pages, filters, and finding somebody in it."""

from __future__ import annotations

import base64
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio
from chatnode_contacts import chatnode_plugin, listing
from chatnode_contacts.listing import ORDERS
from chatnode_contacts.model import ListContacts, Sort

from chatnode.config import Config
from chatnode.node import Node
from chatnode.storage.engine.connection import Reader, connect_writer
from chatnode.storage.engine.migrations import Migration
from chatnode.storage.node.plugins import prepare
from chatnode.testing import User, refused
from tests.plugins.contacts.keeping import contact, listed, set_back
from tests.services.dialogue import assert_sound

NAMES = ("Zoë", "ängstlich", "Émile", "bernd", "Åsa", "ŠAŠA", "Bernd", "zoë", "李雷")


@pytest.fixture
async def keeper(node: Node, ann: User) -> User:
    """Ann, with a contact for each name."""
    for number, name in enumerate(NAMES):
        person = await User.new(node, f"p{number}")
        await person.call("people.update", name=name)
        await ann.call("contacts.add", person=f"p{number}")
    return ann


async def names(who: User, **fields: Any) -> list[str]:
    page = await who.call("contacts.list", **fields)
    return [each.get("nickname", each["person"]["name"]) for each in page["contacts"]]


async def test_by_name_it_is_the_name_that_the_owner_gave(keeper: User) -> None:
    in_order = ["ängstlich", "Åsa", "bernd", "Bernd", "Émile", "ŠAŠA", "Zoë", "zoë", "李雷"]
    assert await names(keeper, sort="name") == in_order
    await keeper.call("contacts.update", person="p8", nickname="aaron")
    assert await names(keeper, sort="name") == ["aaron", *in_order[:-1]]
    await keeper.call("contacts.update", person="p8", nickname="")
    assert await names(keeper, sort="name") == in_order


async def test_a_new_name_has_a_new_place(node: Node, keeper: User) -> None:
    person = await User.of(node, "p3")
    await person.call("people.update", name="Quentin")
    assert await names(keeper, sort="name") == [
        "ängstlich", "Åsa", "Bernd", "Émile", "Quentin", "ŠAŠA", "Zoë", "zoë", "李雷",
    ]  # fmt: skip
    assert await names(keeper, query="QUENT") == ["Quentin"]
    await keeper.call("contacts.update", person="p3", nickname="Zzz")
    await person.call("people.update", name="Aaa")
    assert await names(keeper, sort="name") == [
        "ängstlich",
        "Åsa",
        "Bernd",
        "Émile",
        "ŠAŠA",
        "Zoë",
        "zoë",
        "Zzz",
        "李雷",
    ]
    assert await names(keeper, query="aaa") == await names(keeper, query="zzz") == ["Zzz"]
    await assert_sound(node)


async def test_recent_ones_first(ann: User, bob: User, cay: User, eve: User) -> None:
    """Whom one talked with before they were a contact counts too; who was never talked with comes last."""
    for who in (eve, cay):
        await ann.says(await ann.direct(who), "hello")
        await trio.sleep(0.002)  # in a later millisecond: within one, nobody talked last
    for who in (bob, cay, eve):
        await ann.call("contacts.add", person=who.handle)
    assert await listed(ann) == await listed(ann, sort="recent") == ["cay", "eve", "bob"]
    assert "last_interacted_at" not in await contact(ann, bob)


async def test_those_added_last_first(node: Node, ann: User, bob: User, cay: User) -> None:
    await ann.call("contacts.add", person="bob")
    await set_back(node, "contacts_entries", "added_at", 1)
    await ann.call("contacts.add", person="cay")
    assert await listed(ann, sort="added") == ["cay", "bob"]


@pytest.mark.parametrize("sort", ["recent", "most_used", "name", "added"])
async def test_pages_together_are_the_list(node: Node, keeper: User, sort: str) -> None:
    """Also among those who are alike in what is sorted by."""
    draw = random.Random(sort)

    def spread(tx: Any) -> None:
        for (key,) in tx.execute("SELECT key FROM contacts_entries").fetchall():
            values = [draw.randrange(3) for _ in range(3)]
            sql = "UPDATE contacts_entries SET interacted_at = ?, rank = ?, added_at = ? WHERE key = ?"
            tx.execute(sql, (*values, key))

    await node.core.db.write(spread)
    whole = await listed(keeper, sort=sort)
    assert len(whole) == len(set(whole)) == len(NAMES)
    for size in (1, 2, 4, 9, 10):
        found: list[str] = []
        page = await keeper.call("contacts.list", sort=sort, limit=size)
        while True:
            assert len(page["contacts"]) <= size
            found += [each["person"]["handle"] for each in page["contacts"]]
            if "next" not in page:
                break
            page = await keeper.call("contacts.list", sort=sort, limit=size, after=page["next"])
        assert found == whole


async def test_a_cursor_that_was_made_up_is_refused(keeper: User) -> None:
    def cursor(*values: Any) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")

    page = await keeper.call("contacts.list", sort="name", limit=2)
    id = page["contacts"][0]["person"]["id"]
    for after in (
        "x", "é", "AAAA", "!!!!", cursor(), cursor("recent", 1), cursor("recent", "1", id), cursor("recent", 2**63, id),
        cursor("recent", None, id), cursor("recent", 1, "0" * 32), cursor("recent", 1, 7),
        cursor("name", 1, id), page["next"],
    ):  # fmt: skip
        with refused("invalid", "after"):
            await keeper.call("contacts.list", sort="recent", after=after)


async def test_somebody_is_found_by_what_they_are_called_anywhere(node: Node, ann: User) -> None:
    for handle, name in (("grace", "Grace Hopper"), ("hopper2", "Édouard"), ("x", "Ada")):
        await (await User.new(node, handle)).call("people.update", name=name)
        await ann.call("contacts.add", person=handle)
    await ann.call("contacts.update", person="x", nickname="Straße am HOF", number="+49 (170) 123-45")
    for query, found in (
        ("hopper", ["grace", "hopper2"]), ("HOPPER grace", ["grace"]), ("éDOUARD", ["hopper2"]),
        ("edouard", ["hopper2"]), ("ada", ["x"]),
        ("strasse", ["x"]), ("hof strasse", ["x"]), ("hof grace", []), ("49170", ["x"]), ("+49 170", ["x"]),
        ("0170", ["x"]), ("17012345", ["x"]), ("(170)", ["x"]), ("%", []), ("_", []), ("  ", ["grace", "hopper2", "x"]),
        ("2", ["hopper2", "x"]),
    ):  # fmt: skip
        assert sorted(await listed(ann, query=query)) == found, query


async def test_favourites(keeper: User) -> None:
    for handle in ("p1", "p4"):
        await keeper.call("contacts.update", person=handle, favourite=True)
    assert await listed(keeper, favourite=True, sort="name") == ["p1", "p4"]
    assert len(await listed(keeper, favourite=False)) == len(NAMES) - 2
    assert await listed(keeper, favourite=True, query="åsa") == ["p4"]


@pytest.mark.parametrize("sort", ORDERS)
async def test_every_order_is_read_from_its_index(node: Node, keeper: User, sort: Sort) -> None:
    """A page reads as many rows as it shows: nothing is sorted, on the first page and on later ones."""
    first = await keeper.call("contacts.list", sort=sort, limit=2)
    for after in (None, first["next"]):
        asked = ListContacts(sort=sort, limit=2, after=after)
        (plan,) = [plan for sql, plan in await queries(node, keeper, asked) if "presence" in sql]
        assert "SEARCH e USING INDEX contacts_entries_" in plan
        assert "TEMP B-TREE" not in plan


async def test_a_page_is_one_query(node: Node, keeper: User) -> None:
    """Entries, people, presence, and who has blocked whom."""
    assert len(await queries(node, keeper, ListContacts(sort="name", limit=500))) == 1


async def queries(node: Node, keeper: User, asked: ListContacts) -> list[tuple[str, str]]:
    """What the database is asked for a page, and how it carries each out."""

    def read(reader: Reader) -> list[tuple[str, str]]:
        statements: list[str] = []
        reader.set_trace_callback(statements.append)
        listing.page(reader, keeper.account, asked, asked.limit)
        reader.set_trace_callback(None)
        return [(sql, " ".join(row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}"))) for sql in statements]

    return await node.core.db.read(read)


async def test_the_list_as_a_collection(keeper: User) -> None:
    """Filtered, sorted and counted by any field."""
    await keeper.call("contacts.update", person="p1", favourite=True, nickname="Nick", groups=["Work"], tags=["a", "b"])
    await keeper.call("contacts.update", person="p2", favourite=True, number="112", groups=["work"])

    async def query(collection: str, **fields: Any) -> list[dict[str, Any]]:
        return (await keeper.call("items.query", collection=collection, **fields))["data"]

    fields = "handle,contact_name,contact_number"
    assert await query("contacts", filter={"is_favorite": {"_eq": True}}, fields=fields, sort="handle") == [
        {"handle": "p1", "contact_name": "Nick", "contact_number": None},
        {"handle": "p2", "contact_name": None, "contact_number": "112"},
    ]
    assert await query("contacts", group_by="is_favorite") == [
        {"is_favorite": False, "count": 7}, {"is_favorite": True, "count": 2},
    ]  # fmt: skip
    assert await query("contact_labels", group_by="kind,label") == [
        {"kind": "group", "label": "Work", "count": 2},
        {"kind": "tag", "label": "a", "count": 1},
        {"kind": "tag", "label": "b", "count": 1},
    ]
    found = await query("contacts", filter={"name": {"_icontains": "ZOË"}}, sort="-handle", fields="handle,added_at")
    assert [each["handle"] for each in found] == ["p7", "p0"]


async def test_requests_as_a_collection(ann: User, bob: User, eve: User) -> None:
    await ann.call("contacts.request", person="bob", note="hello")
    await eve.call("contacts.request", person="ann")
    page = await ann.call("items.query", collection="contact_requests", fields="direction,person_id,note")
    assert page["data"] == [
        {"direction": "incoming", "person_id": eve.id, "note": ""},
        {"direction": "outgoing", "person_id": bob.id, "note": "hello"},
    ]


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("Łukasz", "lukasz"), ("Søren", "soren"), ("Ægir", "AEGIR"), ("Straße", "strasse"), ("Đinh", "dinh"),
        ("Þór", "thor"), ("Işık", "isik"), ("ＡＮＮＡ", "anna"), ("O’Brien", "o'brien"), ("Jose\u0301", "josé"),
        ("أحمد", "احمد"), ("Jean–Luc", "jean-luc"),
    ],
)  # fmt: skip
async def test_they_are_found_as_one_types_their_names(node: Node, ann: User, bob: User, name: str, query: str) -> None:
    await bob.call("people.update", name=name)
    await ann.call("contacts.add", person="bob")
    for asked in (query, query.upper(), query.lower(), name, name[:3]):
        assert await names(ann, query=asked) == [name]
    await bob.call("people.update", name="Bob")
    await ann.call("contacts.update", person="bob", nickname=name)
    assert await names(ann, query=query) == [name]
    await assert_sound(node)


async def test_letters_of_every_alphabet_stand_beside_the_plain_ones(node: Node, ann: User) -> None:
    for number, name in enumerate(["Agnes", "Lukas", "Ægir", "Sorin", "Łukasz", "Søren", "Ahmed"]):
        person = await User.new(node, f"p{number}")
        await person.call("people.update", name=name)
        await ann.call("contacts.add", person=f"p{number}")
    assert await names(ann, sort="name") == ["Ægir", "Agnes", "Ahmed", "Lukas", "Łukasz", "Søren", "Sorin"]


@pytest.mark.parametrize("nickname", ["24/7", "1.5", "+1", "007", "2-4-6", "(0)", "R2 D2", "3"])
async def test_a_nickname_of_digits_is_found_as_it_stands(ann: User, bob: User, nickname: str) -> None:
    await ann.call("contacts.add", person="bob", nickname=nickname)
    assert await listed(ann, query=nickname) == ["bob"]


@pytest.mark.parametrize(
    "number", ["+49 30 901820", "0049 30 901820", "+49 (0)30/90 18-20", "(0049) 30 901820", "＋٤٩ 30 901820"]
)
async def test_a_number_is_found_however_it_is_written(ann: User, bob: User, number: str) -> None:
    await ann.call("contacts.add", person="bob", number=number)
    for query in ("+49 30 901820", "004930901820", "+49-30-90.18.20", "0049 (0)30 901820", "30 90 18", "4930", number):
        assert await listed(ann, query=query) == ["bob"], query
    for query in ("030 901820", "030901820", "(030) 90 18-20", "030"):  # as it is dialled in the country
        assert await listed(ann, query=query) == ["bob"], query
    for query in ("031 901820", "+30", "0030", "+49 31", "+901820"):
        assert await listed(ann, query=query) == [], query


async def test_what_was_derived_by_an_earlier_folding_is_made_anew(
    node: Node, tmp_path: Path, config: Config, ann: User, bob: User, cay: User
) -> None:
    """As a database of the first step has it, with labels that differ only in accents."""
    await bob.call("people.update", name="Łukasz")
    await ann.call("contacts.add", person="bob", groups=["a"], tags=["x", "y"], number="0049 1")
    await ann.call("contacts.add", person="cay", groups=["b"], nickname="Ægir")

    def set_back(tx: Any) -> None:
        tx.execute("DELETE FROM contacts_labels")
        rows = [("bob", "group", "Łódź"), ("bob", "group", "Lodz"), ("bob", "tag", "x"), ("cay", "group", "lódź")]
        for handle, kind, name in rows:
            tx.execute(
                "INSERT INTO contacts_labels SELECT owner, contact, ?, ?, ? FROM contacts_entries JOIN people p "
                "ON p.key = contact WHERE p.handle = ?",
                (kind, name, name.lower(), handle),
            )
        tx.execute("UPDATE contacts_entries SET called = '', sort_name = '', words = ''")
        tx.execute("""UPDATE contacts_entries SET groups = '["Łódź","Lodz"]', tags = '["x"]' WHERE tags IS NOT NULL""")
        tx.execute("""UPDATE contacts_entries SET groups = '["lódź"]' WHERE tags IS NULL""")
        tx.execute("""DELETE FROM migrations WHERE "set" = 'contacts' AND name = '0002_folding'""")

    await node.core.db.write(set_back)
    with closing(connect_writer(tmp_path / "data" / "chatnode.sqlite3", config.storage)) as connection:
        plugin = chatnode_plugin()
        steps = [Migration("contacts", each.name, each.sql, each.functions) for each in plugin.steps]
        prepare(connection, "contacts", plugin.version, steps, plugin.tables, {}, {}, {})
    await assert_sound(node)
    assert await names(ann, query="lukasz") == await names(ann, query="+49") == ["Łukasz"]
    assert await names(ann, sort="name", group="ŁODZ") == ["Ægir", "Łukasz"]
    assert [(each["name"], each["contacts"]) for each in (await ann.call("contacts.labels.list"))["labels"]] == [
        ("Lodz", 2), ("x", 1),
    ]  # fmt: skip
    assert (await contact(ann, bob))["groups"] == ["Lodz"]
