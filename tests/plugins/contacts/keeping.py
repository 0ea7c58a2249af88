"""What the dialogues about contacts are written in."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.api import DAY_MS
from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User


def with_settings(**settings: Any) -> pytest.MarkDecorator:
    """Run a test on a node whose `[plugins.contacts]` is this."""
    name = ", ".join(f"{key}={value}" for key, value in settings.items())
    return pytest.mark.parametrize("config", [Config(of_plugins={"contacts": settings})], ids=[name])


async def become_contacts(one: User, other: User) -> str:
    """One asks, the other accepts; gives their conversation."""
    assert await one.call("contacts.request", person=other.handle) == {"state": "requested"}
    return (await other.call("contacts.accept", person=one.handle))["conversation"]


async def listed(who: User, **fields: Any) -> list[str]:
    """The handles in somebody's list."""
    return [each["person"]["handle"] for each in (await who.call("contacts.list", **fields))["contacts"]]


async def contact(who: User, of: User) -> dict[str, Any]:
    return (await who.call("contacts.get", person=of.handle))["contact"]


async def kept(who: User, of: User) -> dict[str, Any]:
    """The entry without what may be another at any moment."""
    entry = await contact(who, of)
    return {name: value for name, value in entry.items() if name not in ("presence", "weight")}


async def requests(who: User, direction: str) -> list[str]:
    """The handles of those who have asked, or were asked."""
    other = "from" if direction == "incoming" else "to"
    page = await who.call("contacts.requests", direction=direction)
    return [each[other]["handle"] for each in page["requests"]]


async def catch_up(node: Node) -> None:
    """Until what was said so far is counted."""
    for status in await node.consumers.catch_up("contacts"):
        assert (status.behind, status.set_aside) == (0, 0)


async def set_back(node: Node, table: str, column: str, days: float) -> None:
    """As if it had happened so many days ago."""
    await node.core.db.write(lambda tx: tx.execute(f"UPDATE {table} SET {column} = {column} - ?", (days * DAY_MS,)))
