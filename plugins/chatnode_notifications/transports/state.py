"""What the plugin holds while a node is open: `plugin_state(ctx)`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs

from chatnode.api import Context
from chatnode_notifications.transports.vapid import Vapid, load_vapid
from chatnode_notifications.waking import Wakes

_MOST_ORIGINS = 100


@attrs.define(eq=False)
class NotificationsState:
    """`vapid` is None while no contact is set. `refusing` are the origins of push services that did not accept the
    node's signature the last time. `wakes` are the signals for the plugin's tasks."""

    vapid: Vapid | None
    wakes: Wakes = attrs.field(factory=Wakes)
    refusing: set[str] = attrs.field(factory=set[str])

    def note_signature(self, ctx: Context, origin: str, status: int | None) -> None:
        """A push service answered: 401 and 403 say that it does not accept the signature, which is logged once."""
        if status is not None and status < 300:
            self.refusing.discard(origin)
        elif status in (401, 403) and origin not in self.refusing and len(self.refusing) < _MOST_ORIGINS:
            self.refusing.add(origin)
            ctx.log.warning(
                "%s does not accept the signature of pushes; is the clock right, and the contact reachable?", origin
            )


@asynccontextmanager
async def open_notifications(ctx: Context) -> AsyncGenerator[NotificationsState]:
    """Load the node's key, or create it."""
    yield NotificationsState(await load_vapid(ctx))


def plugin_state(ctx: Context) -> NotificationsState:
    """What is open. Raises `Refusal("unavailable")` while it is not."""
    return ctx.state(NotificationsState)
