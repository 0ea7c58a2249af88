"""What makes the default run quick: no test does again what every test does, and none waits for a disk.

- A new database that a test opens in this process is a copy of one that went through all migrations, those of the
  plugins that come with chatnode among them. `migrations.migrate` itself is not touched, nor is a process that a test
  starts; tests/test_quick.py compares the copies with what the migrations make.
- Installed plugins are looked up once.
- What a served node makes of its routes and their types is made once for each of them; so is a plugin's declaration
  checked once, as long as it and the names that are taken are the same, and what its commands take.
- A password is hashed in this process at the least cost; a test that asks for `real_passwords` pays the whole.
- The directories of the tests are in memory where the system has room for it. Of a run with the slow tests they are on
  disk, but for those that tests make for themselves, most often one for each example of a property.
- No garbage is collected while tests are, nor ever again in what they are made of.
- Properties get a third of their examples (`examples`); `make slow` tries them with all.
"""

from __future__ import annotations

import gc
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import WeakKeyDictionary

import argon2
import attrs
import outcome
import pytest
from werkzeug.routing import Rule

from chatnode.config import Config, Storage
from chatnode.garbage import not_collected
from chatnode.hooks import declared, discovery
from chatnode.hooks.discovery import Installed, installed
from chatnode.hooks.manager import Manager
from chatnode.hooks.plugin import Plugin
from chatnode.protocol import codec
from chatnode.services import SUBJECTS, passwords
from chatnode.storage.engine.connection import Reader, connect_writer
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.migrations import Migration, core_migrations
from chatnode.storage.node import plugin_directories
from chatnode.storage.upkeep import upgrading
from chatnode.storage.upkeep.snapshots import Progress, no_progress
from chatnode.transport import openapi

MEMORY = "/dev/shm"
ROOM = 2**30
"""Bytes that must be free in `MEMORY`; containers often have 64 MiB there, and what does not run programs."""

_SEARCHED = list(sys.path)
_share = 1
_real_hasher = passwords._hasher


def pytest_configure(config: pytest.Config) -> None:
    global _share
    room = _has_room()
    if room and "TMPDIR" not in os.environ:
        tempfile.tempdir = MEMORY
    if config.getoption("markexpr") == "not slow":
        _share = 3
        if room:
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
    _of_the_core()  # while nothing is out of the ordinary, as in some tests
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upgrading, "core_migrations", _core)
        patch.setattr(upgrading, "_upgrade", upgrade)
        patch.setattr(discovery, "installed", installed_here)
        patch.setattr(Manager, "load", load)
        patch.setattr(Manager, "_prepare", prepare)
        patch.setattr(declared, "check", check)
        patch.setattr(passwords, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(openapi, "get_type_hints", cache(openapi.get_type_hints))
        patch.setattr(codec, "unreadable", cache(codec.unreadable))
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
    new_database(directory.database)
    _new[directory.database] = _stamp(directory.database)
    return list(steps)


def new_database(path: Path) -> None:
    """One with the core's tables, that `initialize` has been through."""
    _of_the_core().write(path)


def load(manager: Manager, found: Iterable[Installed], directory: DataDirectory, *, copied: bool = False) -> Reader:
    """As `Manager.load`; a new database becomes a copy of one that went through the steps of those plugins of ours that
    are among them."""
    found = list(found)
    ours = {each.name: each for each in found if _is_ours(each) and each.name not in manager.config.plugins.disabled}
    new = _new.pop(directory.database, None) == _stamp(directory.database)
    if new and ours and (image := _with_plugins(ours)) is not None:
        image.write(directory.database)
        _copied[manager] = ours.keys()
    return _really_load(manager, found, directory, copied=copied)


def _is_ours(plugin: Installed) -> bool:
    """Whether it comes with chatnode, and is as it came: installed, or given as its module."""
    if plugin.distribution:
        return any(plugin[:3] == each[:3] for each in installed_here())
    module = sys.modules.get(f"chatnode_{plugin.name}")
    return module is not None and outcome.capture(plugin.load) == outcome.Value(module)


def check(plugin: Plugin, taken: declared.Taken) -> None:
    """As `declared.check`."""
    before = tuple(frozenset(each) for each in attrs.astuple(taken, recurse=False))
    if _checked.get(plugin.name) == (plugin, before):
        taken.add(plugin)
    else:
        _really_check(plugin, taken)
        _checked[plugin.name] = plugin, before


def prepare(manager: Manager, name: str, connection: Reader, directory: DataDirectory) -> None:
    """As `Manager._prepare`; the tables in a copy are those that it found in order when they were made."""
    if name in _copied.get(manager, ()):
        plugin_directories.prepare(directory.of_plugin(name))
    else:
        _really_prepare(manager, name, connection, directory)


class Image:
    """The bytes of a database that nobody has written to since it was made."""

    def __init__(self, path: Path) -> None:
        with closing(connect_writer(path, Storage())) as connection:
            rows = connection.execute("SELECT value FROM node WHERE key IN ('epoch', 'import_key')").fetchall()
            any_secret = b"|".join(value.encode() for (value,) in rows)
            self._parts = re.split(b"(%s)" % any_secret, connection.serialize())

    def write(self, path: Path) -> None:
        """To a database that nobody has open; it gets secrets of its own."""
        own = {each: secrets.token_hex(len(each) // 2).encode() for each in self._parts[1::2]}
        path.touch(mode=0o600)
        path.write_bytes(b"".join(own.get(each, each) for each in self._parts))


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


@cache
def _of_the_core() -> Image:
    with TemporaryDirectory() as folder:
        directory = DataDirectory(Path(folder))
        _really_upgrade(directory, Config(), _core(), no_progress)
        return Image(directory.database)


def _with_plugins(found: Mapping[str, Installed]) -> Image | None:
    """None if they do not all run, as when one requires another that is not there."""
    names = frozenset(found)
    if names not in _images:
        with TemporaryDirectory() as folder:
            directory = DataDirectory(Path(folder))
            new_database(directory.database)
            manager = Manager(Config(), SUBJECTS)
            _really_load(manager, found.values(), directory).close()
            _images[names] = Image(directory.database) if manager.loaded.keys() == names else None
    return _images[names]


_images: dict[frozenset[str], Image | None] = {}
_new: dict[Path, tuple[int, int, bool]] = {}
_really_upgrade = upgrading._upgrade
_copied: WeakKeyDictionary[Manager, Collection[str]] = WeakKeyDictionary()
_really_load = Manager.load
_checked: dict[str, tuple[Plugin, tuple[frozenset[object], ...]]] = {}
_really_check = declared.check
_really_prepare = Manager._prepare
_builders: dict[object, Callable[..., tuple[str, str]]] = {}
_really_compile_builder = Rule._compile_builder
_core = cache(core_migrations)
_installed = cache(installed)
