"""What makes the default run quick: no test does again what every test does, and none waits for a disk.

- A new database that a test opens in this process is a copy of one that went through all migrations, and so is that of
  a node with all installed plugins, which are looked up once. `migrations.migrate` itself is not touched, nor is a
  process that a test starts; tests/test_quick.py compares the copies with what the migrations make.
- What a served node makes of its routes and their types is made once for each of them.
- A password is hashed in this process at the least cost; a test that asks for `real_passwords` pays the whole.
- The directories of the tests are in memory where the system has room for it. A run with the slow tests is on disk.
- No garbage is collected while tests are, nor ever again in what they are made of.
- Properties get a third of their examples (`examples`); `make slow` tries them with all.
"""

from __future__ import annotations

import gc
import os
import secrets
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

import argon2
import pytest
from werkzeug.routing import Rule

from chatnode.config import Config, Storage
from chatnode.garbage import not_collected
from chatnode.hooks import discovery
from chatnode.hooks.discovery import Installed, installed
from chatnode.hooks.manager import Manager
from chatnode.services import passwords
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.migrations import Migration, core_migrations
from chatnode.storage.upkeep import upgrading
from chatnode.storage.upkeep.snapshots import Progress
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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays; the tests need not look through it for garbage, again and again."""
    with not_collected():
        result = yield
    gc.freeze()
    return result


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
        patch.setattr(upgrading, "core_migrations", _core)
        patch.setattr(upgrading, "_upgrade", upgrade)
        patch.setattr(discovery, "installed", installed_here)
        patch.setattr(Manager, "load", load)
        patch.setattr(passwords, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(openapi, "get_type_hints", cache(openapi.get_type_hints))
        patch.setattr(Rule, "_compile_builder", _compile_builder)
        yield


@pytest.fixture
def real_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", _real_hasher)


def upgrade(
    directory: DataDirectory, config: Config, steps: Sequence[Migration], progress: Progress
) -> list[Migration]:
    """As `upgrading._upgrade`; a database that is missing becomes a copy of one that went through all the core's
    steps."""
    if list(steps) != _core() or directory.database.exists():
        return _really_upgrade(directory, config, steps, progress)
    if _CORE not in _images:
        _really_upgrade(directory, config, steps, progress)
        _images[_CORE] = Image(directory)
    _images[_CORE].write(directory)
    _new[directory.database] = _stamp(directory.database)
    return list(steps)


def load(manager: Manager, found: Iterable[Installed], directory: DataDirectory) -> None:
    """As `Manager.load`; a new database with all installed plugins becomes a copy of one that went through their
    steps."""
    found = list(found)
    plain = (
        _new.pop(directory.database, None) == _stamp(directory.database)
        and [each[:3] for each in found] == [each[:3] for each in _installed()]
        and not manager.config.plugins.disabled
    )
    if plain and _PLUGINS in _images:
        _images[_PLUGINS].write(directory)
    _really_load(manager, found, directory)
    if plain and _PLUGINS not in _images and all(each.name in manager.loaded for each in found):
        _images[_PLUGINS] = Image(directory)


class Image:
    """The bytes of a database that nobody has written to since it was made."""

    def __init__(self, directory: DataDirectory) -> None:
        with closing(connect_writer(directory.database, Storage())) as connection:
            self._secrets = [value for (value,) in connection.execute("SELECT value FROM node").fetchall()]
            self._bytes = connection.serialize()

    def write(self, directory: DataDirectory) -> None:
        """Make it the database, with secrets of its own."""
        content = self._bytes
        for each in self._secrets:
            content = content.replace(each.encode(), secrets.token_hex(len(each) // 2).encode())
        directory.database.touch(mode=0o600)
        directory.database.write_bytes(content)


def _stamp(database: Path) -> tuple[int, int, bool]:
    """What is no longer the same once somebody has written to it."""
    found = database.stat()
    return found.st_mtime_ns, found.st_size, Path(f"{database}-wal").exists()


def installed_here() -> list[Installed]:
    """As `installed`, unless the test looks elsewhere for plugins."""
    return list(_installed()) if sys.path == _SEARCHED else installed()


def _compile_builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """What makes an address of a route, which werkzeug compiles for each route of each node, and nothing here uses."""
    key = (rule.rule, tuple(rule._trace), repr(rule.defaults), append_unknown)
    if key not in _builders:
        _builders[key] = _really_compile_builder(rule, append_unknown)
    return _builders[key]


_CORE, _PLUGINS = "core", "plugins"
_images: dict[str, Image] = {}
_new: dict[Path, tuple[int, int, bool]] = {}
_really_upgrade = upgrading._upgrade
_really_load = Manager.load
_builders: dict[object, Callable[..., tuple[str, str]]] = {}
_really_compile_builder = Rule._compile_builder
_core = cache(core_migrations)
_installed = cache(installed)
