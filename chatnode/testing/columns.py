"""Checks which core columns plugins under test read: only public columns are stable."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from types import FrameType, ModuleType
from typing import Any

from chatnode.hooks.discovery import installed
from chatnode.node import Node
from chatnode.storage.engine.promised import watch


@asynccontextmanager
async def promised_columns_only(node: Node, plugins: Sequence[Any] | None) -> AsyncGenerator[None]:
    """Raises `AssertionError` at the end of the block, with a line for each place in a plugin that broke the contract.

    `plugins` are those of the node, None for every installed one. Only modules are watched: the SQL of an object that a
    test creates cannot be told apart from the test's own. `check_plugin` checks the SQL of a `Collection` or `Table`.
    """
    packages = _installed_packages() if plugins is None else _packages(plugins)
    faults: dict[str, None] = {}
    if packages:
        attach = partial(watch, place_of=partial(_place, packages), report=lambda fault: faults.update({fault: None}))
        await _on_every_connection(node, attach)
    yield
    if faults:
        raise AssertionError("\n".join(["plugins do what chatnode.api does not promise:", *faults]))


async def _on_every_connection(node: Node, attach: Any) -> None:
    await node.core.db.for_each_reader(attach)
    await node.core.db.maintain(attach)


def _place(packages: frozenset[str], frame: FrameType) -> str | None:
    module: str = frame.f_globals.get("__name__", "")
    if module not in packages and module.partition(".")[0] not in packages:
        return None
    return f"{module}, line {frame.f_lineno},"


@cache
def _installed_packages() -> frozenset[str]:
    return _packages(each.load() for each in installed())


def _packages(sources: Iterable[Any]) -> frozenset[str]:
    return frozenset(source.__name__ for source in sources if isinstance(source, ModuleType))
