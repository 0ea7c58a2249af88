"""Tables of plugins: none of the node's own goes with one, and one that is at fault stands in nobody's way."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from chatnode.api import Permission, Refusal, Step, Table
from chatnode.node import Node
from chatnode.services import TABLES
from chatnode.storage.upkeep import exporting
from chatnode.testing import User, refused
from tests.plugins.surface.making import made, node_with, states
from tests.services.dialogue import outcome


async def tables_of_the_node(node: Node) -> set[str]:
    return await node.core.db.read(
        lambda reader: {name for (name,) in reader.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    )


@pytest.mark.parametrize("name", ["message", "log", "set", "role", "conversation", "search", "core", "sqlite"])
async def test_nobody_drops_a_table_of_the_node_by_a_plugin_of_its_name(tmp_path: Path, name: str) -> None:
    plugin = made(name, steps=(Step("one", f"CREATE TABLE {name}_notes (a);"),))
    async with node_with(tmp_path) as node:
        before = await tables_of_the_node(node)
        with refused("not_found", "plugin"):
            await node.call("plugins.drop", plugin=name, confirm=name)
        with refused("not_found", "plugin"):
            await node.call("plugins.export", plugin=name)
    async with node_with(tmp_path, plugin) as node:  # nor by one that is installed, and cannot run
        assert states(node)[name] != "running"
        await node.call("plugins.disable", plugin=name)
        assert (await node.call("plugins.drop", plugin=name, confirm=name))["tables"] == []
        assert before <= await tables_of_the_node(node)
    async with node_with(tmp_path) as node:
        assert await outcome(User.new(node, "ann")) == "ok"


async def test_dropping_takes_no_permission_of_the_node(tmp_path: Path) -> None:
    steps = (Step("one", "CREATE TABLE groups_notes (a);"),)
    async with node_with(tmp_path, made("groups", steps=steps, permissions=(Permission("groups.use", "use"),))) as node:
        assert states(node) == {"groups": "running"}
    async with node_with(tmp_path) as node:
        await node.call("plugins.drop", plugin="groups", confirm="groups")
        (member,) = [each for each in (await node.call("roles.list"))["roles"] if each["role"] == "member"]
        assert "groups.create" in member["permissions"]
        assert "groups.use" not in member["permissions"]


ALL_KINDS = Step(
    "one",
    "CREATE VIRTUAL TABLE demo_words USING fts5 (text);"
    "CREATE TABLE demo_made (key INTEGER PRIMARY KEY, twice AS (key * 2), text TEXT);"
    "CREATE TABLE demo_bare (name TEXT PRIMARY KEY) WITHOUT ROWID;"
    "INSERT INTO demo_words (text) VALUES ('hello');"
    "INSERT INTO demo_bare VALUES ('one'), ('two');"
    "CREATE VIEW demo_seen AS SELECT * FROM demo_made;"
    "CREATE INDEX demo_of_others ON messages (text);"
    "CREATE TRIGGER demo_follow AFTER INSERT ON messages BEGIN INSERT INTO demo_made (text) VALUES (new.text); END;",
)


async def test_tables_of_every_kind_are_exported_and_dropped_with_what_hangs_on_others(tmp_path: Path) -> None:
    async with node_with(tmp_path, made(steps=(ALL_KINDS,))) as node:
        assert states(node) == {"demo": "running"}
        ann = await User.new(node, "ann")
        talk = await ann.direct(ann)
        await ann.says(talk, "hello")
    async with node_with(tmp_path) as node:
        tables = (await node.call("plugins.export", plugin="demo"))["tables"]
        assert tables == ["demo_bare", "demo_made", "demo_words"]
        rows = {table: (await node.call("plugins.export", plugin="demo", table=table))["rows"] for table in tables}
        assert rows == {
            "demo_bare": [{"name": "one"}, {"name": "two"}],
            "demo_made": [{"key": 1, "twice": 2, "text": "hello"}],
            "demo_words": [{"text": "hello"}],
        }
        exported = await node.core.db.read(lambda reader: list(exporting.lines(reader, TABLES)))
        lines = [json.loads(line) for line in exported]
        told = [(line["table"], line["row"]["rowid"]) for line in lines if line["type"] == "plugin"]
        assert told == [("demo_bare", 1), ("demo_bare", 2), ("demo_made", 1), ("demo_words", 1)]
        assert (await node.call("plugins.drop", plugin="demo", confirm="demo"))["tables"] == tables
        left = await node.core.db.read(
            lambda reader: reader.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'demo%'").fetchall()
        )
        assert left == []
        await User(node, ann.account).says(talk, "without the trigger")


NOTES = Step(
    "one",
    "CREATE TABLE demo_notes (key INTEGER PRIMARY KEY, message INTEGER REFERENCES messages (key), "
    "person INTEGER REFERENCES people (key), text TEXT);",
)


async def test_a_table_that_somebody_dropped_by_hand_stands_in_nobodys_way(tmp_path: Path, caplog: Any) -> None:
    table = Table(
        "demo_notes", people=("person",), message="message",
        export="SELECT key, text FROM demo_notes WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
    )  # fmt: skip
    plugin = made(steps=(NOTES,), tables=(table,))
    async with node_with(tmp_path, plugin) as node:
        assert states(node) == {"demo": "running"}
        ann = await User.new(node, "ann")
        posted = await ann.posts(await ann.direct(ann), "hello")
    with sqlite3.connect(tmp_path / "data" / "chatnode.sqlite3") as connection:
        connection.execute("DROP TABLE demo_notes")
    connection.close()
    async with node_with(tmp_path, plugin) as node:
        assert "demo_notes, which does not exist" in states(node)["demo"]
        assert "the table demo_notes of a plugin no longer exists" in caplog.text
        await User(node, ann.account).call("messages.delete", message=posted["message"])
        await User(node, ann.account).call("people.export")
        assert await outcome(node.call("people.erase", person="ann", handle="ann")) == "ok"


#: The step, the table as it is declared → what is said.
AT_FAULT: dict[str, tuple[str, Table, str]] = {
    "a column that is not there": (
        "CREATE TABLE demo_t (key INTEGER PRIMARY KEY, person INTEGER);",
        Table("demo_t", people=("persn",)),
        "declared with the column persn, which does not exist",
    ),
    "no rowid": (
        "CREATE TABLE demo_t (person INTEGER PRIMARY KEY) WITHOUT ROWID;",
        Table("demo_t", people=("person",)),
        "is WITHOUT ROWID, so its rows",
    ),
    "an export that is no SQL": (
        "CREATE TABLE demo_t (key INTEGER PRIMARY KEY, person INTEGER);",
        Table("demo_t", people=("person",), export="SELECT what FROM demo_t"),
        "the export of the table demo_t cannot be read: no such column: what",
    ),
    "an export that never ends": (
        "CREATE TABLE demo_t (key INTEGER PRIMARY KEY, person INTEGER);",
        Table("demo_t", export="SELECT key FROM demo_t WHERE person = :person ORDER BY key LIMIT :limit"),
        "the export of the table demo_t does not take :after",
    ),
    "an export of everybody's": (
        "CREATE TABLE demo_t (key INTEGER PRIMARY KEY, person INTEGER);",
        Table("demo_t", export="SELECT key FROM demo_t WHERE key > :after ORDER BY key LIMIT :limit"),
        "the export of the table demo_t does not take :person",
    ),
    "people in another case": (
        "CREATE TABLE demo_t (key INTEGER PRIMARY KEY, person INTEGER REFERENCES People (key));",
        Table("demo_t"),
        "demo_t.person refers to People, which no Table declares",
    ),
}


@pytest.mark.parametrize("what", AT_FAULT)
async def test_a_table_that_could_not_be_erased_from_is_refused(tmp_path: Path, what: str) -> None:
    sql, table, words = AT_FAULT[what]
    async with node_with(tmp_path, made(steps=(Step("one", sql),), tables=(table,))) as node:
        assert words in states(node)["demo"]
        await User.new(node, "ann")
        assert await outcome(node.call("people.erase", person="ann", handle="ann")) == "ok"


async def test_an_export_whose_pages_do_not_follow_each_other_ends_with_an_error(tmp_path: Path) -> None:
    step = Step("one", "CREATE TABLE demo_t (key INTEGER PRIMARY KEY, person INTEGER);")
    export = "SELECT 1, key FROM demo_t WHERE person = :person AND :after >= 0 LIMIT :limit"
    table = Table("demo_t", people=("person",), export=export)
    async with node_with(tmp_path, made(steps=(step,), tables=(table,))) as node:
        ann = await User.new(node, "ann")
        rows = [(ann.account.key,) for _ in range(3)]
        await node.core.db.write(lambda tx: tx.executemany("INSERT INTO demo_t (person) VALUES (?)", rows).rowcount)

        async def read_all() -> None:
            after = dict[str, str]()
            while "next" in (page := await ann.call("people.export", limit=2, **after)):
                after = {"after": page["next"]}

        with pytest.raises(Refusal, match="the export of the table demo_t cannot be read in pages"):
            await read_all()


async def test_everybody_gets_their_data_whatever_a_plugin_calls_its_columns(tmp_path: Path) -> None:
    columns = "details, at, until, photo, far_at, sure_json"
    step = Step("one", f"CREATE TABLE demo_t (key INTEGER PRIMARY KEY, person INTEGER, {columns});")
    export = f"SELECT key, {columns} FROM demo_t WHERE person = :person AND key > :after ORDER BY key LIMIT :limit"
    table = Table("demo_t", people=("person",), export=export)
    async with node_with(tmp_path, made(steps=(step,), tables=(table,))) as node:
        ann = await User.new(node, "ann")
        values = "'plain words', 'soon', 0, x'00ff', 1e300, 'no json'"
        await node.core.db.write(lambda tx: tx.execute(f"INSERT INTO demo_t VALUES (1, {ann.account.key}, {values})"))
        entries, after = list[dict[str, Any]](), dict[str, str]()
        while "next" in (page := await ann.call("people.export", **after)):
            entries, after = entries + page["entries"], {"after": page["next"]}
        (row,) = [each["data"] for each in entries + page["entries"] if each["kind"] == "demo_t"]
        assert row == {
            "details": "plain words", "at": "soon", "until": "1970-01-01T00:00:00.000Z", "photo": {"base64": "AP8="},
            "far_at": 1e300, "sure_json": "no json",
        }  # fmt: skip
        exported = await node.core.db.read(lambda reader: list(exporting.lines(reader, TABLES)))
        lines = [json.loads(line) for line in exported]
        (told,) = [line["row"] for line in lines if line["type"] == "plugin"]
        assert (told["at"], told["far_at"], told["sure_json"]) == ("soon", 1e300, "no json")
