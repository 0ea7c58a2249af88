"""What the tests take instead of the real thing is the same thing."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import chatnode_contacts
import pytest

from chatnode.config import Config, Storage
from chatnode.errors import StartError
from chatnode.hooks import declared
from chatnode.hooks.discovery import choose, installed
from chatnode.hooks.manager import Manager
from chatnode.node import open_node
from chatnode.services import SUBJECTS
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.migrations import CORE, Migration, core_migrations
from chatnode.storage.upkeep import upgrading
from chatnode.storage.upkeep.snapshots import no_progress
from tests import quick
from tests.plugins import keeper
from tests.without_attachments import PLUGINS

LATER = Migration(CORE, "9999_later", "CREATE TABLE later (number);")


def content(connection: sqlite3.Connection) -> list[str]:
    """The whole database as statements, but for its secrets and for when its steps were applied."""
    connection.execute("UPDATE migrations SET at = 0")
    connection.execute("UPDATE node SET value = ''")
    pragmas = ("application_id", "auto_vacuum", "encoding", "journal_mode", "page_size", "user_version")
    return [f"{each} {connection.execute(f'PRAGMA {each}').fetchone()}" for each in pragmas] + list(
        connection.iterdump()
    )


def database(path: Path, made: bool = False) -> sqlite3.Connection:
    """That of a new directory, copied or `made` by the steps."""
    directory = DataDirectory(path)
    directory.claim()
    how = quick._really_upgrade if made else quick.upgrade
    assert how(directory, Config(), core_migrations(), no_progress) == core_migrations()
    assert how(directory, Config(), core_migrations(), no_progress) == []
    directory.release()
    return connect_writer(directory.database, Storage())


def test_a_copied_database_is_what_the_migrations_make(tmp_path: Path) -> None:
    first, copied, made = database(tmp_path / "first"), database(tmp_path / "copied"), database(tmp_path / "made", True)
    assert content(copied) == content(first) == content(made)
    for connection in (first, copied, made):
        connection.close()


def test_other_steps_and_other_databases_are_not_copied(tmp_path: Path) -> None:
    steps = core_migrations()
    directory = DataDirectory(tmp_path)
    assert quick.upgrade(directory, Config(), steps[:-1], no_progress) == steps[:-1]
    assert quick.upgrade(directory, Config(), [*steps, LATER], no_progress) == [steps[-1], LATER]


async def test_what_was_written_before_the_plugins_are_loaded_stays(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    directory.claim()
    upgrading.upgrade(directory, Config())
    with closing(connect_writer(directory.database, Storage())) as connection:
        connection.execute("INSERT INTO node (key, value) VALUES ('mine', 'kept')")
        Manager(Config(), SUBJECTS).load(choose((), None), directory).close()
        assert connection.execute("SELECT value FROM node WHERE key = 'mine'").fetchone() == ("kept",)
    directory.release()


async def test_every_new_node_has_an_epoch_and_a_secret_of_its_own(tmp_path: Path) -> None:
    found: set[str] = set()
    for name in ("one", "other"):
        async with open_node(tmp_path / name) as node:
            rows = await node.core.db.read(
                lambda reader: reader.execute("SELECT value FROM node WHERE key IN ('epoch', 'import_key')").fetchall()
            )
            found |= {value for (value,) in rows}
    assert len(found) == 4


@pytest.mark.parametrize("only", [None, PLUGINS], ids=["all that are installed", "some"])
async def test_a_copied_node_is_what_its_plugins_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: Sequence[Any] | None
) -> None:
    """Also with another plugin beside them, which goes through its own steps."""
    async with open_node(tmp_path / "copied", plugins=[keeper], only=only) as node:
        assert quick._copied[node.plugins] == node.plugins.loaded.keys() - {"keeper"} != set()
    monkeypatch.setattr(Manager, "load", quick._really_load)
    async with open_node(tmp_path / "made", plugins=[keeper], only=only) as node:
        assert node.plugins not in quick._copied
    found: list[list[str]] = []
    for name in ("copied", "made"):
        connection = connect_writer(tmp_path / name / "chatnode.sqlite3", Storage())
        connection.execute("UPDATE plugins SET installed_at = 0")
        if only is None:
            connection.execute("UPDATE crm_people_state SET value = '' WHERE name = 'suppression'")
        found.append(sorted(content(connection)))  # indexes come in the order in which they were made
        connection.close()
    assert found[0] == found[1]


def test_a_declaration_is_checked_again_when_it_or_what_is_taken_has_changed() -> None:
    contacts = chatnode_contacts.chatnode_plugin()
    for _ in range(2):
        taken = declared.Taken.by(SUBJECTS)
        declared.check(contacts, taken)
    with pytest.raises(StartError, match="already exists"):
        declared.check(contacts, taken)
    with pytest.raises(StartError, match="has the limit"):
        declared.check(attrs.evolve(contacts, limits=()), declared.Taken.by(SUBJECTS))


def test_the_plugins_are_those_that_are_installed() -> None:
    assert [each.name for each in quick.installed_here()] == [each.name for each in installed()] != []
