"""What makes the default run quick: no test does again what every test does, and none waits for a disk.

- A new database that a test opens in this process is a copy of one that went through all migrations, and so is that of
  a node with all installed plugins, which are looked up once. `migrations.migrate` itself is not touched, nor is a
  process that a test starts; tests/test_quick.py compares the copies with what the migrations make.
- What a served node makes of its routes and their types is made once for each of them.
- A password is hashed in this process at the least cost; a test that asks for `real_passwords` pays the whole.
- The directories of the tests are in memory where the system has room for it. A run with the slow tests is on disk.
- Properties get a third of their examples (`examples`); `make slow` tries them with all.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cache

import argon2
import pytest
from werkzeug.routing import Rule

from chatnode.hooks import discovery
from chatnode.hooks.discovery import Installed, installed
from chatnode.hooks.manager import Manager
from chatnode.services import passwords
from chatnode.storage.engine import migrations
from chatnode.storage.engine.connection import Reader, connect_writer
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.migrations import Migration, core_migrations
from chatnode.storage.upkeep import upgrading
from chatnode.transport import openapi

MEMORY = "/dev/shm"
ROOM = 2**30
"""Bytes that must be free in `MEMORY`; containers often have 64 MiB there, and what does not run programs."""

_SEARCHED = list(sys.path)
_share = 1
_real_hasher = passwords._hasher


def pytest_configure(config: pytest.Config) -> None:
    global _share
    if config.getoption("markexpr") == "not slow":
        _share = 3
        if _has_room():
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)


def examples(count: int) -> int:
    """How many of a property's examples this run tries, for `max_examples`."""
    return max(3, count // _share)


def _has_room() -> bool:
    try:
        found = os.statvfs(MEMORY)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upgrading, "migrate", migrate)
        patch.setattr(discovery, "installed", installed_here)
        patch.setattr(Manager, "load", load)
        patch.setattr(passwords, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(openapi, "get_type_hints", cache(openapi.get_type_hints))
        patch.setattr(Rule, "_compile_builder", _compile_builder)
        yield


@pytest.fixture
def real_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", _real_hasher)


def migrate(connection: sqlite3.Connection, steps: Sequence[Migration]) -> list[Migration]:
    """As `migrations.migrate`; an empty database becomes a copy of one that went through all the core's steps."""
    if list(steps) != _core() or connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is not None:
        return migrations.migrate(connection, steps)
    _migrated().backup(connection)
    connection.execute("UPDATE node SET value = lower(hex(randomblob(32))) WHERE key = 'import_key'")
    return list(steps)


def load(manager: Manager, found: Iterable[Installed], directory: DataDirectory) -> None:
    """As `Manager.load`; a new database with all installed plugins becomes a copy of one that went through their
    steps."""
    found = list(found)
    plain = [each[:3] for each in found] == [each[:3] for each in _installed()] and not manager.config.plugins.disabled
    with closing(connect_writer(directory.database, manager.config.storage)) as connection:
        plain = plain and not connection.execute("SELECT 1 FROM plugins UNION ALL SELECT 1 FROM people").fetchall()
        if plain and _prepared:
            own = connection.execute("SELECT key, value FROM node").fetchall()
            _prepared[0].backup(connection)
            connection.execute("DELETE FROM node")
            connection.executemany("INSERT INTO node (key, value) VALUES (?, ?)", own)
    _really_load(manager, found, directory)
    if plain and not _prepared and all(each.name in manager.loaded for each in found):
        _prepared.append(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=Reader))
        with closing(connect_writer(directory.database, manager.config.storage)) as connection:
            connection.backup(_prepared[0])


def installed_here() -> list[Installed]:
    """As `installed`, unless the test looks elsewhere for plugins."""
    return list(_installed()) if sys.path == _SEARCHED else installed()


def _compile_builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """What makes an address of a route, which werkzeug compiles for each route of each node, and nothing here uses."""
    key = (rule.rule, tuple(rule._trace), repr(rule.defaults), append_unknown)
    if key not in _builders:
        _builders[key] = _really_compile_builder(rule, append_unknown)
    return _builders[key]


_prepared: list[sqlite3.Connection] = []
_really_load = Manager.load
_builders: dict[object, Callable[..., tuple[str, str]]] = {}
_really_compile_builder = Rule._compile_builder
_core = cache(core_migrations)
_installed = cache(installed)


@cache
def _migrated() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=Reader)
    migrations.migrate(connection, _core())
    return connection
