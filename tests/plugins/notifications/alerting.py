"""Alerts without the two seconds and more in which a message may be read: an item for a message, at once."""

from __future__ import annotations

from typing import Any

import attrs
import trio
from chatnode_notifications.delivering import FOLLOWERS
from chatnode_notifications.delivering.rows import CLAIM_MS
from chatnode_notifications.delivering.sending import Sender
from chatnode_notifications.notes import NewItem

from chatnode.api import Context, Transaction, new_id, now_ms
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.notifications.receiver import Receiver

DAY_MS = 86_400_000


def context_of(node: Node) -> Context:
    return node.plugins.loaded["notifications"].context


@attrs.define
class Clock:
    """Shows the real time, and how far it was put forward."""

    ahead: int = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead

    def forward(self, *, seconds: float = 0, hours: float = 0) -> None:
        self.ahead += int(seconds * 1_000 + hours * 3_600_000)


@attrs.define
class Alerts:
    """What there is to tell, and its sending."""

    node: Node
    clock: Clock = attrs.field(factory=Clock)

    async def of(self, message: str, to: User, *, personal: bool = True) -> str:
        """An item that tells a user of a message; returns its id."""

        def write(tx: Transaction) -> str:
            key, seq, sender, conversation = tx.execute(
                "SELECT key, seq, sender, conversation FROM messages WHERE id = ?", (message,)
            ).fetchone()
            id, now = new_id(), tx.now
            item = tx.execute(
                "INSERT INTO notifications_items (id, person, conversation, message, sender, kind, first_seq, "
                "last_seq, count, personal, reason, created_at) "
                "VALUES (?, ?, ?, ?, ?, 'message', ?, ?, 1, ?, 'direct', ?) RETURNING key",
                (id, to.key, conversation, key, sender, seq, seq, int(personal), now),
            ).fetchone()[0]
            for follow in FOLLOWERS:
                follow(tx, [NewItem(item, to.key, conversation, personal, now)])
            return id

        return await self.node.core.db.write(write)

    async def send(self) -> int:
        """Run the task until all that is due was sent; returns how many deliveries were tried."""
        before = await self._tried()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Sender(context_of(self.node), self.clock).run)
            while await self._has_work(before):  # noqa: ASYNC110 - nothing tells of it
                await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
        return len(await self._tried() - before)

    async def _has_work(self, before: set[tuple[int, int]]) -> bool:
        """Whether something is due, or was claimed since, and how that ended is not stored."""
        sql = "SELECT key, tried_at, due_at FROM notifications_deliveries WHERE state = 'pending'"
        now = self.clock()
        return any(
            not now < due_at < now + DAY_MS or ((key, tried_at) not in before and due_at - CLAIM_MS == tried_at)
            for key, tried_at, due_at in await self.node.core.db.read(lambda reader: reader.execute(sql).fetchall())
        )

    async def _tried(self) -> set[tuple[int, int]]:
        """The deliveries that were tried, each with when that was."""
        sql = "SELECT key, tried_at FROM notifications_deliveries WHERE tried_at IS NOT NULL"
        return set(await self.node.core.db.read(lambda reader: reader.execute(sql).fetchall()))

    async def rows(self) -> list[tuple[Any, ...]]:
        """State, attempts, status and error of each delivery, in order."""
        sql = "SELECT state, attempts, status, error FROM notifications_deliveries ORDER BY key"
        return await self.node.core.db.read(lambda reader: reader.execute(sql).fetchall())

    async def states(self) -> list[str]:
        return [state for state, *_ in await self.rows()]


async def subscribe(user: User, address: str, **fields: Any) -> tuple[Receiver, str]:
    """Register a browser; returns the device, and the registration's id."""
    receiver = Receiver()
    asked = {"transport": "webpush", "keys": receiver.keys} | fields
    done = await user.call("notifications.register", address=address, **asked)
    return receiver, done["device"]["registration"]


async def device_of(user: User, registration: str) -> dict[str, Any]:
    """The registration, as its user sees it."""
    devices = (await user.call("notifications.devices"))["devices"]
    (found,) = [each for each in devices if each["registration"] == registration]
    return found
