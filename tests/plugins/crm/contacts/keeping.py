"""What the dialogues about contacts are written in."""

from __future__ import annotations

from typing import Any

from chatnode.node import Node
from chatnode.testing import User

ADA: dict[str, Any] = {"email": "ada@example.org", "first_name": "Ada", "last_name": "Lovelace", "company": "Engines"}


async def created(who: User, **fields: Any) -> dict[str, Any]:
    """A new contact, as `crm.contacts.create` returns it."""
    return (await who.call("crm.contacts.create", **fields))["contact"]


async def contact(who: User, id: str) -> dict[str, Any]:
    return (await who.call("crm.contacts.get", contact=id))["contact"]


async def found(who: User, query: str, **fields: Any) -> list[str]:
    """The email addresses of those who are found, or else their last names."""
    page = await who.call("crm.contacts.search", query=query, **fields)
    return [each.get("email", each.get("last_name", "")) for each in page["contacts"]]


async def upserted(who: User, *rows: dict[str, Any]) -> list[str]:
    """What became of each row."""
    return [each["verdict"] for each in (await who.call("crm.contacts.upsert", contacts=list(rows)))["rows"]]


class Listener:
    """Another system that follows what happens to contacts."""

    def __init__(self, who: User, next: int, epoch: str) -> None:
        self._who = who
        self._next = next
        self._epoch = epoch

    @classmethod
    async def of(cls, who: User) -> Listener:
        page = await who.call("crm.contacts.changes")
        assert page["events"] == []
        return cls(who, page["next"], page["epoch"])

    async def hears(self, **fields: Any) -> list[dict[str, Any]]:
        """What happened since the last time."""
        heard: list[dict[str, Any]] = []
        while True:
            page = await self._who.call("crm.contacts.changes", after=self._next, epoch=self._epoch, **fields)
            heard += page["events"]
            self._next = page["next"]
            if not page["more"]:
                return heard

    async def types(self) -> list[str]:
        return [event["event_type"] for event in await self.hears()]


async def catch_up(node: Node) -> None:
    """Run the upkeep."""
    await node.call("jobs.run", job="crm.contacts_upkeep")
