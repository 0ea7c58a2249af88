"""The filter engine in a plugin's hands: fields that users define, fields for few, conditions for its own SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.api import (
    CHAT,
    Asker,
    Collection,
    Context,
    Field,
    ItemsPage,
    Nothing,
    Permission,
    Querying,
    Reader,
    Step,
    Task,
    Transaction,
    command,
    filter_sql,
    kinds,
    plan_query,
    run_query,
)
from chatnode.config import Config, Limits
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.surface.making import made, node_with, states
from tests.services.dialogue import outcome

SCHEMA = """
CREATE TABLE demo_cards (key INTEGER PRIMARY KEY, name TEXT NOT NULL, salary INTEGER NOT NULL);
CREATE TABLE demo_fields (key INTEGER PRIMARY KEY, name TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE demo_values (card INTEGER NOT NULL, field INTEGER NOT NULL, value, PRIMARY KEY (card, field));
"""


def learned(source: Querying, asker: Asker) -> Iterator[Field]:
    """The fields that this node's users have defined."""
    for key, name, number in source.execute("SELECT key, name, number FROM demo_fields ORDER BY key").fetchall():
        if name == "broken":
            raise ValueError("a fault of the plugin's")
        sql = f"(SELECT value FROM demo_values WHERE card = item.key AND field = {key:d})"
        kind = kinds.Integer() if number else kinds.String()
        yield Field(f"custom.{name}", kind, sql, nullable=True, groups=True)


CARDS = Collection(
    "demo_cards",
    "Cards, with the fields that users give them.",
    "demo_cards item",
    "1",
    (
        Field("name", kinds.String(), "item.name"),
        Field("salary", kinds.Integer(), "item.salary", permission="demo.salaries"),
    ),
    key=("name",), order="name", permission=CHAT, personal=False, learn=learned,
)  # fmt: skip


@attrs.define
class Names:
    names: list[str]


@attrs.define
class Find:
    filter: dict[str, Any]


def matching(tx: Transaction, asker: Asker, condition: dict[str, Any]) -> list[str]:
    found = filter_sql(tx, asker, CARDS, condition)
    sql = f"SELECT item.name FROM demo_cards item WHERE {found.sql} AND item.key < :most ORDER BY item.name"
    return [name for (name,) in tx.execute(sql, found.values | {"most": 100})]


@command("demo.find", permission=CHAT)
async def find(ctx: Context, asked: Find) -> Names:
    """Names of the cards that a filter holds of, found in a transaction."""
    asker = ctx.asker(CARDS)
    return Names(await ctx.write(lambda tx: matching(tx, asker, asked.filter)))


@command("demo.page", permission=CHAT)
async def page(ctx: Context, asked: Nothing) -> Names:
    """A page of the cards, from a handler."""
    found = await ctx.query_items(CARDS, sort="-name", limit=10)
    return Names([row["name"] for row in found.data])


async def raise_salaries(ctx: Context) -> str:
    """A job: it asks for nobody, and knows every field."""
    asker = ctx.asker(CARDS)
    return ", ".join(await ctx.write(lambda tx: matching(tx, asker, {"salary": {"_lt": 1500}})))


PLUGIN = made(
    "demo",
    steps=(Step("0001", SCHEMA),),
    permissions=(Permission("demo.salaries", "see salaries", roles=("moderator",)),),
    collections=(CARDS,),
    commands=(find, page),
    tasks=(Task("raise_salaries", raise_salaries, every=0),),
)


async def fill(node: Node, *fields: tuple[str, bool]) -> None:
    """Three cards; each field holds, of card 1 to 3, 30, 20 and nothing, as a number or a text."""

    def write(tx: Transaction) -> None:
        tx.executemany(
            "INSERT INTO demo_cards (name, salary) VALUES (?, ?)", [("ada", 1000), ("bea", 2000), ("cem", 3000)]
        )
        for name, number in fields:
            field = tx.execute("INSERT INTO demo_fields (name, number) VALUES (?, ?)", (name, number)).lastrowid
            values = [(1, field, 30 if number else "30"), (2, field, 20 if number else "20")]
            tx.executemany("INSERT INTO demo_values VALUES (?, ?, ?)", values)

    await node.core.db.write(write)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with node_with(tmp_path, PLUGIN) as node:
        await fill(node, ("age", True), ("size", False))
        yield node


@pytest.fixture
async def ann(node: Node) -> User:
    return await User.new(node, "ann")


async def ask(who: User, **asked: Any) -> Any:
    return await who.call("items.query", collection="demo_cards", **asked)


async def test_fields_that_users_define_are_filtered_sorted_grouped_and_paged_like_any_other(ann: User) -> None:
    assert (await ask(ann))["data"][0] == {"name": "ada", "custom.age": 30, "custom.size": "30"}
    found = await ask(ann, filter={"custom.age": {"_lt": 25}}, fields="name,custom.age")
    assert found["data"] == [{"name": "bea", "custom.age": 20}]
    first = await ask(ann, sort="custom.age", fields="name", limit=2)
    assert first["data"] == [{"name": "cem"}, {"name": "bea"}]  # without the field first
    assert (await ask(ann, sort="custom.age", fields="name", limit=2, after=first["next"]))["data"] == [{"name": "ada"}]
    groups = (await ask(ann, group_by="custom.size", sort="-custom.size"))["data"]
    assert groups[0] == {"custom.size": "30", "count": 1}


async def test_a_learned_field_takes_what_its_kind_takes(ann: User) -> None:
    with refused("invalid", "filter.custom.age._eq") as caught:
        await ask(ann, filter={"custom.age": {"_eq": "old"}})
    assert "an integer" in caught.value.message


async def test_each_node_has_the_fields_of_its_own_users(node: Node, ann: User, tmp_path: Path) -> None:
    async with node_with(tmp_path / "other", PLUGIN) as other:
        await fill(other, ("shoe", True))
        bob = await User.new(other, "bob")
        assert set((await ask(bob))["data"][0]) == {"name", "custom.shoe"}
        with refused("invalid", "sort"):
            await ask(bob, sort="custom.age")
    assert set((await ask(ann))["data"][0]) == {"name", "custom.age", "custom.size"}


async def test_a_field_is_there_from_when_it_is_defined(node: Node, ann: User) -> None:
    await ask(ann)
    await node.core.db.write(lambda tx: tx.execute("INSERT INTO demo_fields (name, number) VALUES ('town', 0)"))
    assert "custom.town" in (await ask(ann))["data"][0]


async def test_an_unknown_field_is_named_with_the_nearest(ann: User) -> None:
    with refused("invalid", "filter.custom.ages") as caught:
        await ask(ann, filter={"custom.ages": {"_eq": 1}})
    assert "no field 'custom.ages' (did you mean custom.age?); it has name, custom.age" in caught.value.message
    with refused("invalid", "sort") as caught:
        await ask(ann, sort="zzzzzzzz")
    assert "did you mean" not in caught.value.message


async def test_a_field_with_a_permission_does_not_exist_for_others(node: Node, ann: User) -> None:
    for asked in ({"filter": {"salary": {"_gt": 1}}}, {"sort": "salary"}, {"fields": "salary"}):
        with refused("invalid") as caught:
            await ask(ann, **asked)
        assert "has no field 'salary'; it has name, custom.age, custom.size" in caught.value.message
    await node.call("people.role", person="ann", role="moderator")
    found = await ask(ann, filter={"salary": {"_gt": 1}}, sort="-salary", fields="salary")
    assert [row["salary"] for row in found["data"]] == [3000, 2000, 1000]


async def test_a_condition_is_sql_with_bound_values_for_a_query_of_the_plugins(node: Node, ann: User) -> None:
    hostile = "x') OR 1=1 --"
    assert await ann.call("demo.find", filter={"name": {"_in": ["ada", "cem", hostile]}}) == {"names": ["ada", "cem"]}
    assert await ann.call("demo.find", filter={"_not": {"custom.age": {"_gte": 30}}}) == {"names": ["bea", "cem"]}
    with refused("invalid", "filter.salary"):
        await ann.call("demo.find", filter={"salary": {"_eq": 1}})
    found = await node.core.db.read(
        lambda reader: filter_sql(reader, Asker(None, None, 0), CARDS, {"name": {"_eq": hostile}})
    )
    assert hostile in found.values.values()
    assert hostile not in found.sql


async def test_a_page_is_read_together_with_other_things_in_one_transaction(node: Node) -> None:
    """Planned first, which says what is wrong with a query, and then run."""
    asker = Asker(None, None, 0)

    def read(reader: Reader, after: str | None = None) -> tuple[int, ItemsPage]:
        plan = plan_query(reader, asker, CARDS, sort="-name", fields="name", limit=2, after=after)
        (count,) = reader.execute("SELECT count(*) FROM demo_cards").fetchone()
        return count, run_query(reader, asker, plan)

    count, first = await node.core.db.read(read)
    assert (count, first.data) == (3, [{"name": "cem"}, {"name": "bea"}])
    _, rest = await node.core.db.read(lambda reader: read(reader, first.next))
    assert (rest.data, rest.next) == ([{"name": "ada"}], None)
    with refused("invalid", "sort"):
        await node.core.db.read(lambda reader: plan_query(reader, asker, CARDS, sort="shoe"))


async def test_what_a_filter_may_see_is_part_of_its_condition(node: Node) -> None:
    own = attrs.evolve(CARDS, visible="item.key = :me", learn=None)
    for me, names in ((2, ["bea"]), (None, [])):
        found = await node.core.db.read(
            lambda reader, me=me: filter_sql(reader, Asker(me, None, 0), own, {"_or": [{}, {}]})
        )
        sql = f"SELECT item.name FROM {own.source} WHERE {found.sql}"
        rows = await node.core.db.read(
            lambda reader, sql=sql, found=found: reader.execute(sql, found.values).fetchall()
        )
        assert [name for (name,) in rows] == names


async def test_a_handler_asks_a_collection_as_its_user(ann: User) -> None:
    assert await ann.call("demo.page") == {"names": ["cem", "bea", "ada"]}


async def test_a_job_asks_for_nobody_and_knows_every_field(node: Node) -> None:
    await node.call("jobs.run", job="demo.raise_salaries")
    jobs = (await node.call("jobs.list"))["jobs"]
    assert [job["result"] for job in jobs if job["name"] == "demo.raise_salaries"] == ["ada"]


async def test_the_limits_of_a_plugins_queries_are_those_of_the_node(tmp_path: Path) -> None:
    config = Config(limits=Limits(page_items=2, filter_terms=1))
    async with node_with(tmp_path, PLUGIN, config=config) as node:
        await fill(node)
        ann = await User.new(node, "ann")
        assert await ann.call("demo.page") == {"names": ["cem", "bea"]}
        with refused("too_large", "filter.name._lt"):
            await ann.call("demo.find", filter={"name": {"_gt": "a", "_lt": "z"}})


async def test_a_plugin_that_cannot_say_its_fields_refuses_the_query_and_is_reported(node: Node, ann: User) -> None:
    await node.core.db.write(lambda tx: tx.execute("INSERT INTO demo_fields (name, number) VALUES ('broken', 0)"))
    assert await outcome(ask(ann)) == "internal"
    (status,) = (await node.call("plugins.list"))["plugins"]
    assert "collection demo_cards raised ValueError" in status["last_failure"]
    assert await outcome(ann.call("items.query", collection="people")) == "ok"


@pytest.mark.parametrize("name", ["_and", "-name", "a,b", "", "a b", "x" * 101])
def test_a_field_has_a_name_that_filters_and_sorts_can_say(name: str) -> None:
    with pytest.raises(ValueError, match="consists of letters"):
        attrs.evolve(CARDS, fields=(*CARDS.fields, Field(name, kinds.String(), "1")))


async def test_a_learned_field_does_not_replace_a_declared_one(node: Node, ann: User) -> None:
    def again(source: Querying, asker: Asker) -> list[Field]:
        return [Field("name", kinds.String(), "'everything'")]

    with pytest.raises(ValueError, match="two fields with the same name"):
        await node.core.db.read(
            lambda reader: attrs.evolve(CARDS, learn=again).as_seen_by(Asker(None, None, 0), reader)
        )


async def test_a_field_takes_a_permission_that_somebody_declares(tmp_path: Path) -> None:
    fields = (*CARDS.fields, Field("secret", kinds.String(), "item.name", permission="demo.nothing"))
    salaries = Permission("demo.salaries", "see salaries")
    plugin = made("demo", collections=(attrs.evolve(CARDS, fields=fields),), permissions=(salaries,))
    async with node_with(tmp_path, plugin) as node:
        assert states(node)["demo"] == (
            "the field secret of demo_cards needs the permission demo.nothing, which neither the node nor demo declares"
        )


@pytest.mark.parametrize("order", [{"order": "name,-salary"}, {"key": ("name", "salary")}], ids=["order", "key"])
async def test_a_field_for_few_does_not_order_the_rows_of_all(tmp_path: Path, order: dict[str, Any]) -> None:
    permissions = (Permission("demo.salaries", "see salaries"),)
    plugin = made("demo", permissions=permissions, collections=(attrs.evolve(CARDS, **order),))
    async with node_with(tmp_path, plugin) as node:
        assert states(node)["demo"] == ("the field salary of demo_cards has a permission, so it cannot order the rows")


async def with_learned(node: Node, name: str) -> None:
    """A user defines a field whose name the plugin does not check."""
    await node.core.db.write(lambda tx: tx.execute("INSERT INTO demo_fields (name, number) VALUES (?, 1)", (name,)))


@pytest.mark.parametrize("name", ["name", "salary", "not a name"])
async def test_a_learned_field_with_a_name_that_it_cannot_have_is_the_plugins_fault(tmp_path: Path, name: str) -> None:
    """Also for users who may not know of the field that has the name."""

    def learn(source: Querying, asker: Asker) -> list[Field]:
        return [Field(each, kinds.Integer(), "1") for (each,) in source.execute("SELECT name FROM demo_fields")]

    plugin = made("demo", steps=(Step("0001", SCHEMA),), collections=(attrs.evolve(CARDS, learn=learn, fields=(
        CARDS.fields[0], attrs.evolve(CARDS.fields[1], permission="people.manage"),
    )),))  # fmt: skip
    async with node_with(tmp_path, plugin) as node:
        ann = await User.new(node, "ann")
        assert await outcome(ask(ann)) == "ok"
        await with_learned(node, name)
        assert await outcome(ask(ann)) == "internal"
        (status,) = (await node.call("plugins.list"))["plugins"]
        assert "collection demo_cards raised ValueError" in status["last_failure"]


async def test_a_field_that_is_called_as_the_number_of_rows_makes_no_groups(tmp_path: Path) -> None:
    fields = (*CARDS.fields[:1], Field("count", kinds.Integer(), "item.salary", groups=True))
    plugin = made("demo", steps=(Step("0001", SCHEMA),), collections=(attrs.evolve(CARDS, fields=fields, learn=None),))
    async with node_with(tmp_path, plugin) as node:
        with refused("invalid", "group_by"):
            await ask(await User.new(node, "ann"), group_by="count")
