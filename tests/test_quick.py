"""What the tests take instead of the real thing is the same thing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from chatnode.config import Storage
from chatnode.hooks.discovery import installed
from chatnode.hooks.manager import Manager
from chatnode.node import open_node
from chatnode.storage.engine import migrations
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.engine.migrations import CORE, Migration, core_migrations
from tests import quick

LATER = Migration(CORE, "9999_later", "CREATE TABLE later (number);")


def content(connection: sqlite3.Connection) -> list[str]:
    """The whole database as statements, but for its secret and for when its steps were applied."""
    connection.execute("UPDATE migrations SET at = 0")
    connection.execute("UPDATE node SET value = '' WHERE key = 'import_key'")
    pragmas = ("application_id", "auto_vacuum", "encoding", "journal_mode", "page_size", "user_version")
    return [f"{each} {connection.execute(f'PRAGMA {each}').fetchone()}" for each in pragmas] + list(
        connection.iterdump()
    )


def test_a_copied_database_is_what_the_migrations_make(tmp_path: Path) -> None:
    steps = core_migrations()
    one, other = (connect_writer(tmp_path / name, Storage()) for name in ("one", "other"))
    assert quick.migrate(one, steps) == migrations.migrate(other, steps) == steps
    assert content(one) == content(other)
    assert quick.migrate(one, steps) == []
    for connection in (one, other):
        connection.close()


def test_other_steps_and_other_databases_are_not_copied(tmp_path: Path) -> None:
    steps = core_migrations()
    connection = connect_writer(tmp_path / "old", Storage())
    assert quick.migrate(connection, steps[:3]) == steps[:3]
    assert len(content(connection)) > 0
    assert quick.migrate(connection, [*steps, LATER]) == [*steps[3:], LATER]
    connection.close()


def test_a_database_that_is_not_empty_keeps_what_it_has(tmp_path: Path) -> None:
    connection = connect_writer(tmp_path / "used", Storage())
    connection.execute("CREATE TABLE mine (number)")
    quick.migrate(connection, core_migrations())
    assert connection.execute("SELECT count(*) FROM mine").fetchone() == (0,)
    connection.close()


async def test_every_new_node_has_an_epoch_and_a_secret_of_its_own(tmp_path: Path) -> None:
    found: set[str] = set()
    for name in ("one", "other"):
        async with open_node(tmp_path / name) as node:
            rows = await node.core.db.read(
                lambda reader: reader.execute("SELECT value FROM node WHERE key IN ('epoch', 'import_key')").fetchall()
            )
            found |= {value for (value,) in rows}
    assert len(found) == 4


async def test_a_copied_node_is_what_its_plugins_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "copied"):
        async with open_node(tmp_path / name):
            assert quick._prepared
    monkeypatch.setattr(Manager, "load", quick._really_load)
    async with open_node(tmp_path / "made"):
        pass
    found: list[list[str]] = []
    for name in ("copied", "made"):
        connection = connect_writer(tmp_path / name / "chatnode.sqlite3", Storage())
        connection.execute("UPDATE plugins SET installed_at = 0")
        connection.execute("UPDATE node SET value = ''")
        connection.execute("UPDATE crm_people_state SET value = '' WHERE name = 'suppression'")
        found.append(content(connection))
        connection.close()
    assert found[0] == found[1]


def test_the_plugins_are_those_that_are_installed() -> None:
    assert [each.name for each in quick.installed_here()] == [each.name for each in installed()] != []
