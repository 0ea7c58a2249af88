"""What tests of notifications do: let everything be decided, look at what users were notified of."""

from __future__ import annotations

from typing import Any

import attrs
from chatnode_notifications.deciding.closing import close_due
from chatnode_notifications.deciding.fanning import fan_out_next

from chatnode.api import Context, Reader, Transaction, new_id
from chatnode.node import Node
from chatnode.routing.presence import PresenceBoard
from chatnode.testing import User, catch_up

MINUTE = 60
LONG = 20 * 3_600
"""Seconds after which whatever delays an alert for seconds is over, but messages are not too old."""


def context(node: Node) -> Context:
    """The plugin's own context."""
    return node.plugins.loaded["notifications"].context


async def decide(node: Node) -> None:
    """Let everything that was posted be decided, and what was read be marked."""
    await catch_up(node)
    while await fan_out_next(context(node)):
        pass


async def tell(node: Node, *, ahead_seconds: float = 0.0) -> int | None:
    """Decide, and close what is due by then. Returns when something else is due."""
    await decide(node)
    return await close_due(context(node), int(ahead_seconds * 1_000))


async def register(node: Node, *users: User, label: str = "phone") -> None:
    """Give each a device."""

    def write(tx: Transaction) -> None:
        for user in users:
            tx.execute(
                "INSERT INTO notifications_registrations (id, person, transport, address, label, created_at) "
                "VALUES (?, ?, 'ntfy', ?, ?, ?)",
                (new_id(), user.key, f"https://ntfy.example/{user.handle}-{label}", label, tx.now),
            )

    await node.core.db.write(write)


async def listed(user: User, **fields: Any) -> list[dict[str, Any]]:
    """What a user was notified of, newest first."""
    return (await user.call("notifications.list", **fields))["notifications"]


async def told(user: User) -> list[tuple[str, str, int]]:
    """The same, as kind, body and number of messages."""
    return [(each["kind"], each["body"], each["count"]) for each in await listed(user)]


async def why(user: User, message: str) -> tuple[str, int | None]:
    """How `notifications.explain` says it ends, and by which row."""
    found = await user.call("notifications.explain", message=message)
    return found["outcome"], found.get("decided_by")


@attrs.frozen
class Waiting:
    """A bundle."""

    person: int
    count: int
    due_at: int
    messages: str


async def waiting(node: Node) -> list[Waiting]:
    """What is decided and not due."""

    def read(reader: Reader) -> list[Waiting]:
        rows = reader.execute("SELECT person, count, due_at, messages FROM notifications_bundles ORDER BY key")
        return [Waiting(*row) for row in rows]

    return await node.core.db.read(read)


def idle(node: Node, user: User) -> None:
    """Let a connected user have been active some minutes ago, and not since."""
    board = node.core.part(PresenceBoard)
    clock, board.clock = board.clock, lambda: clock() - 5 * 60_000
    board.mark_active(user.key)
    board.clock = clock
