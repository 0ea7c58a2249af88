"""The kit holds plugins to the columns that the reference promises."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chatnode.api import Collection, Field, Querying, kinds
from chatnode.storage.engine.promised import PROMISED
from chatnode.testing import LiveUser, Node, check_plugin, open_node
from chatnode.testing.columns import promised_columns_only
from tests.plugins.surface.making import made

SOURCE = """
from chatnode.api import Nothing, Plugin, Step, command, find_person, hookimpl, post_message

STEPS = (Step("0001", "CREATE TABLE spy_notes (note TEXT); CREATE INDEX spy_notes_note ON spy_notes (note);"),)


@hookimpl
def chatnode_plugin():
    return Plugin(name="spy", version="1", api="2.0", about="Reads.", steps=STEPS)


def run(connection, sql):
    return connection.execute(sql).fetchall()


def by_functions(tx, handle):
    return find_person(tx, handle)
"""


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A plugin in a module of its own."""
    (tmp_path / "chatnode_spy.py").write_text(SOURCE)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    import chatnode_spy  # type: ignore[import-not-found]

    yield chatnode_spy
    del sys.modules["chatnode_spy"]


async def faults(tmp_path: Path, spy: Any, run: Any) -> list[str]:
    """What the kit says of what `run` does on a node with the plugin."""
    async with open_node(tmp_path / "data", plugins=[spy]) as node:
        try:
            async with promised_columns_only(node, [spy]):
                await run(node)
        except AssertionError as error:
            return str(error).splitlines()[1:]
        return []


KEPT = [
    *(f"SELECT {column} FROM {table}" for table, columns in PROMISED.items() for column in columns),
    "SELECT count(*) FROM members",
    "SELECT note FROM spy_notes",
    "SELECT * FROM json_each(1)",
]


async def test_every_promised_column_may_be_read(tmp_path: Path, spy: Any) -> None:
    async def run(node: Node) -> None:
        for sql in KEPT:
            await node.core.db.read(lambda reader, sql=sql: spy.run(reader, sql))
        await node.core.db.write(lambda tx: spy.run(tx, "INSERT INTO spy_notes VALUES ('mine')"))

    assert await faults(tmp_path, spy, run) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT password FROM people", "reads people.password"),
        ("SELECT 1 FROM people WHERE role = 'admin'", "reads people.role"),
        ("SELECT p.id FROM people p ORDER BY p.created_at", "reads people.created_at"),
        ("WITH hidden AS (SELECT head FROM conversations) SELECT * FROM hidden", "reads conversations.head"),
        ("SELECT count(*) FROM log", "reads log"),
    ],
)
async def test_any_other_is_named_with_its_place(tmp_path: Path, spy: Any, sql: str, said: str) -> None:
    async def run(node: Node) -> None:
        await node.core.db.read(lambda reader: spy.run(reader, sql))

    found = await faults(tmp_path, spy, run)
    assert any(each.startswith("chatnode_spy, line ") and said in each for each in found), found


async def test_writing_to_the_cores_tables_is_named(tmp_path: Path, spy: Any) -> None:
    async def run(node: Node) -> None:
        await node.call("people.create", handle="ann")
        await node.core.db.write(lambda tx: spy.run(tx, "UPDATE people SET name = 'x' WHERE handle = 'ann'"))

    (fault,) = await faults(tmp_path, spy, run)
    assert "writes to people" in fault


async def test_functions_of_the_api_read_what_they_like(tmp_path: Path, spy: Any) -> None:
    async def run(node: Node) -> None:
        await node.call("people.create", handle="ann")
        await node.core.db.write(lambda tx: spy.by_functions(tx, "ann"))
        await node.core.db.read(_of_the_test)

    assert await faults(tmp_path, spy, run) == []


def _of_the_test(reader: Querying) -> Any:
    return reader.execute("SELECT password, role FROM people").fetchall()


class TestThroughTheFixture:
    """The fixture `node` watches the plugins of the test."""

    @pytest.fixture
    def plugins(self, spy: Any) -> list[Any]:
        return [spy]

    async def test_a_test_of_a_well_behaved_plugin_passes(self, node: Node, ann: LiveUser, spy: Any) -> None:
        assert await node.core.db.read(lambda reader: spy.run(reader, "SELECT handle FROM people")) == [("ann",)]


def collection(sql: str) -> Collection:
    return Collection(
        "demo_people", "People.", "people item", "item.key = :me",
        (Field("id", kinds.String(), "item.id"), Field("what", kinds.String(), sql)),
        key=("id",), order="id", permission="chat",
    )  # fmt: skip


def test_what_a_collection_or_an_export_reads_is_checked_as_well() -> None:
    check_plugin(made("demo", collections=(collection("item.handle"),)))
    with pytest.raises(AssertionError, match=r"the collection demo_people reads people\.role"):
        check_plugin(made("demo", collections=(collection("item.role"),)))


def test_the_reference_lists_the_same_columns() -> None:
    reference = (Path(__file__).resolve().parents[3] / "docs/plugins/reference.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", reference.partition("## Tables of the core")[2], re.MULTILINE)
    assert {table: tuple(re.findall(r"`(\w+)`", said)) for table, said in rows} == dict(PROMISED)
