"""A client that keeps the list of notifications and the settings by events alone. It is the description of what each
event means to a client:

- `notification.added`: it is now as it stands in the event; there may be one with the same id.
- `notification.read`: it was read at that time.
- `notifications.read`: so were all that are not newer than this one.
- `notifications.settings_changed`: these are the settings.
"""

from __future__ import annotations

from typing import Any

import attrs

from tests.properties.client_model import Caller


@attrs.define
class NotificationsClient:
    """One user's. `gid` is its cursor; `notifications` are by id, oldest first."""

    who: Caller
    notifications: dict[str, dict[str, Any]] = attrs.field(factory=dict[str, dict[str, Any]])
    settings: dict[str, Any] = attrs.field(factory=dict[str, Any])
    gid: int = 0

    async def begin(self) -> None:
        """Take a snapshot."""
        found: list[dict[str, Any]] = []
        page = await self.who.call("notifications.list", limit=3)
        found += page["notifications"]
        while "next" in page:
            page = await self.who.call("notifications.list", limit=3, after=page["next"])
            found += page["notifications"]
        self.notifications = {each["notification"]: each for each in reversed(found)}
        self.settings = (await self.who.call("notifications.settings.get"))["settings"]

    async def settle(self) -> None:
        """Nothing has to be fetched again."""

    def state(self) -> dict[str, Any]:
        """All that it shows, to be compared with another client's."""
        return {"notifications": list(self.notifications.values()), "settings": self.settings}

    def apply(self, frame: dict[str, Any]) -> None:
        """Apply a push; whatever is none of these events concerns other parts of a client."""
        assert frame["gid"] > self.gid
        self.gid = frame["gid"]
        match frame["event"]:
            case "notification.added":
                found = frame["notification"]
                self.notifications[found["notification"]] = found
            case "notification.read":
                self.notifications[frame["notification"]].setdefault("read_at", frame["at"])
            case "notifications.read":
                for id, each in self.notifications.items():
                    each.setdefault("read_at", frame["at"])
                    if id == frame["upto"]:
                        break
            case "notifications.settings_changed":
                self.settings = frame["settings"]
            case _:
                pass
