"""Plugins made on the spot: a declaration, and hooks as methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chatnode.api import Plugin, hookimpl
from chatnode.config import Config
from chatnode.node import Node, open_node


def declare(name: str = "demo", **declared: Any) -> Plugin:
    return Plugin(**{"name": name, "version": "1.0", "api": "2.0", "about": "A plugin of a test.", **declared})


def made(name: str = "demo", /, *hooks: Callable[..., Any], **declared: Any) -> Any:
    """A plugin as a module would be: its declaration, and functions that are named as their hooks."""

    class Made:
        @staticmethod
        @hookimpl
        def chatnode_plugin() -> Plugin:
            return declare(name, **declared)

    for each in hooks:
        setattr(Made, each.__name__, staticmethod(each if hasattr(each, "chatnode_impl") else hookimpl(each)))
    return Made()


@asynccontextmanager
async def node_with(path: Path, *plugins: Any, config: Config | None = None) -> AsyncIterator[Node]:
    """A node over `path` with just these plugins."""
    async with open_node(path / "data", config or Config(), only=plugins) as node:
        yield node


def states(node: Node) -> dict[str, str]:
    """Name → state, with the reason of those that are broken."""
    return {each.name: each.reason or each.state for each in node.plugins.statuses()}
