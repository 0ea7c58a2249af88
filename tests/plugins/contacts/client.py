"""A client that keeps a contact list by events alone. It is the description of what each event means to a client:

- `contacts.added`, `contacts.updated`: the entry is now as it stands in the event.
- `contacts.removed`: the person is not in the list any more.
- `contacts.relabelled`: fetch the contacts anew.
- `contacts.requested`: there is such a request. `contacts.request_accepted`, `.request_declined`, `.request_cancelled`:
  there is none any more.
- `person.updated`: the person is another in the list and in requests; who is erased is in neither.
- `message.posted` in a direct conversation: then one talked with that person last. What an event of contacts says of
  that may be older.
"""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.model.ids import direct_id
from tests.properties.client_model import Caller

PAGE = 3
"""Small, so that paging is part of what is tested."""


@attrs.define
class ContactsClient:
    """One person's. `gid` is its cursor."""

    who: Caller
    contacts: dict[str, dict[str, Any]] = attrs.field(factory=dict[str, dict[str, Any]])
    requests: dict[tuple[str, str], dict[str, Any]] = attrs.field(factory=dict[tuple[str, str], dict[str, Any]])
    stale: bool = False
    gid: int = 0

    async def begin(self) -> None:
        """Take a snapshot."""
        await self._fetch_contacts()
        for direction in ("incoming", "outgoing"):
            for request in await self._pages("contacts.requests", "requests", direction=direction):
                self.requests[request["from"]["id"], request["to"]["id"]] = request

    async def settle(self) -> None:
        """Fetch what has to be fetched anew."""
        if self.stale:
            await self._fetch_contacts()

    def state(self) -> dict[str, Any]:
        """All that it shows, to be compared with another client's."""
        return {"contacts": self.contacts, "requests": self.requests}

    async def _fetch_contacts(self) -> None:
        """Without what no event tells: how they are, and the weight."""
        found = await self._pages("contacts.list", "contacts", sort="name")
        self.contacts = {each["person"]["id"]: without(each, "presence", "weight") for each in found}
        self.stale = False

    async def _pages(self, command: str, name: str, **fields: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = await self.who.call(command, limit=PAGE, **fields)
        while True:
            found += page[name]
            if "next" not in page:
                return found
            page = await self.who.call(command, limit=PAGE, after=page["next"], **fields)

    def apply(self, frame: dict[str, Any]) -> None:
        """Apply a push; whatever is none of these events concerns other parts of a client."""
        assert frame["gid"] > self.gid
        self.gid = frame["gid"]
        match frame["event"]:
            case "contacts.added" | "contacts.updated":
                self._kept(frame["contact"])
            case "contacts.removed":
                self.contacts.pop(frame["person"]["id"], None)
            case "contacts.relabelled":
                self.stale = True
            case "contacts.requested":
                request = frame["request"]
                self.requests[request["from"]["id"], request["to"]["id"]] = request
            case "contacts.request_accepted" | "contacts.request_declined" | "contacts.request_cancelled":
                self.requests.pop((frame["from"]["id"], frame["to"]["id"]), None)
            case "person.updated":
                self._named(frame["person"])
            case "message.posted":
                self._talked(frame)
            case _:
                pass

    def _kept(self, contact: dict[str, Any]) -> None:
        known = self.contacts.get(contact["person"]["id"], {})
        at = max(each.get("last_interacted_at", "") for each in (known, contact))
        self.contacts[contact["person"]["id"]] = {**contact, **({"last_interacted_at": at} if at else {})}

    def _named(self, person: dict[str, Any]) -> None:
        if person.get("erased"):
            self.contacts.pop(person["id"], None)
            self.requests = {pair: each for pair, each in self.requests.items() if person["id"] not in pair}
        if person["id"] in self.contacts:
            self.contacts[person["id"]]["person"] = person
        for request in self.requests.values():
            for side in ("from", "to"):
                if request[side]["id"] == person["id"]:
                    request[side] = person

    def _talked(self, frame: dict[str, Any]) -> None:
        for id, contact in self.contacts.items():
            if frame["conversation"] == direct_id(self.who.id, id):
                contact["last_interacted_at"] = frame["message"]["at"]


def without(entry: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}
