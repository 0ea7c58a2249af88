"""The fixtures. A test module or a conftest may override `plugins` and `config`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing.columns import promised_columns_only
from chatnode.testing.people import LiveUser, MakePerson


@pytest.fixture
def config() -> Config:
    """The node's settings; the defaults, unless overridden. See `configured`."""
    return Config()


@pytest.fixture
def plugins() -> Sequence[Any]:
    """The node's plugins besides the installed ones: modules or objects with hooks."""
    return ()


@pytest.fixture
def only_plugins() -> Sequence[Any] | None:
    """Plugins of the node instead of the installed ones; None: the installed ones and `plugins`."""
    return None


@pytest.fixture
async def node(
    tmp_path: Path, config: Config, plugins: Sequence[Any], only_plugins: Sequence[Any] | None
) -> AsyncGenerator[Node]:
    """A node with an empty data directory, not serving. A broken plugin fails the test.

    So does a plugin that reads a core column that is not public, or writes to a table that is not its own.
    """
    async with open_node(tmp_path / "data", config, plugins=plugins, only=only_plugins) as node:
        _refuse_broken(node)
        async with promised_columns_only(node, plugins):
            yield node


@pytest.fixture
async def inline_node(
    tmp_path: Path, config: Config, plugins: Sequence[Any], only_plugins: Sequence[Any] | None
) -> AsyncGenerator[Node]:
    """A node on a mocked clock. The test must also use pytest-trio's `autojump_clock`, which jumps when all tasks wait.

    It reads and writes in the test's own thread, because deadlines would expire too early if the clock jumped while
    another thread works. For the same reason, do nothing on it that uses threads: passwords, connections.
    """
    if not isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock):
        raise AssertionError("a test with inline_node must also use autojump_clock or mock_clock, or its clock is real")
    async with open_node(tmp_path / "data", config, plugins=plugins, only=only_plugins, inline=True) as node:
        _refuse_broken(node)
        async with promised_columns_only(node, plugins):
            yield node


def _refuse_broken(node: Node) -> None:
    broken = [f"{each.name}: {each.reason}" for each in node.plugins.statuses() if each.state == "broken"]
    if broken:
        raise AssertionError(f"broken plugins: {'; '.join(broken)}")


@pytest.fixture
async def url(node: Node, nursery: trio.Nursery) -> str:
    """The URL at which the node serves until the test ends, for `connect(url, await ann.token())` and HTTP."""
    return await nursery.start(node.serve, "127.0.0.1:0")


@pytest.fixture
async def person(node: Node) -> MakePerson:
    """Creates users: `await person("carol")`."""

    async def make(handle: str, *, admin: bool = False, role: str | None = None) -> LiveUser:
        return await LiveUser.new(node, handle, admin=admin, role=role)

    return make


@pytest.fixture
async def client(person: MakePerson) -> LiveUser:
    """A connected user."""
    return await person("somebody")


@pytest.fixture
async def ann(person: MakePerson) -> LiveUser:
    """A connected user, Ann."""
    return await person("ann")


@pytest.fixture
async def bob(person: MakePerson) -> LiveUser:
    """A connected user, Bob."""
    return await person("bob")


@pytest.fixture
async def eve(person: MakePerson) -> LiveUser:
    """A connected user who is not in any of the others' conversations."""
    return await person("eve")
