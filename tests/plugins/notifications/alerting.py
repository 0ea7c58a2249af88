"""Alerts without the two seconds and more in which a message may be read: an item for a message, at once."""

from __future__ import annotations

from typing import Any

import attrs
from chatnode_notifications.delivering import FOLLOWERS
from chatnode_notifications.delivering.sending import Sender
from chatnode_notifications.notes import NewItem

from chatnode.api import Context, Transaction, new_id, now_ms
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.notifications.receiver import Receiver


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
        """Send what is due; returns the number of attempts."""
        return await Sender(context_of(self.node), self.clock).send_due()

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
