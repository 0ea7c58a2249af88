"""A client that also shows reactions, as docs/plugins/reactions.md has it.

- `reaction.changed`: that person's reactions to the message are `emojis` now, the message's are `counts`.
- `message.deleted`, `person.erased`: what is deleted has no reactions; who is erased has none.
- Of the people behind an emoji only the first are told. Who needs to know them all, and knows fewer than there are,
  asks again.
"""

from __future__ import annotations

from typing import Any

import attrs

from tests.properties.client_model import Client

SHOWN = 3
"""How many people are told with an emoji."""


@attrs.define
class ReactingClient(Client):
    """`asks` counts how often it had to fetch a message again."""

    asks: int = 0

    def apply(self, frame: dict[str, Any]) -> None:
        if frame["event"] != "reaction.changed":
            super().apply(frame)
            return
        assert frame["gid"] > self.gid
        self.gid = frame["gid"]
        if frame["conversation"] in self.stale:
            return
        talk = self.talks[frame["conversation"]]
        [message] = [each for each in talk.messages if each["message"] == frame["message"]]
        _apply_change(message, frame)
        talk.count(self.who.id)

    def _person_erased(self, person: dict[str, Any], at: str) -> None:
        super()._person_erased(person, at)
        for talk in self.talks.values():
            for message in talk.messages:
                _forget_person(message, person["id"])

    async def settle(self) -> None:
        await super().settle()
        for talk in self.talks.values():
            for place, message in enumerate(talk.messages):
                if any(each["people"] is None for each in reactions_of(message)):
                    self.asks += 1
                    fetched = await self.who.call("messages.get", message=message["message"])
                    talk.messages[place] = fetched["message"]
            talk.count(self.who.id)

    def state(self) -> dict[str, Any]:
        return _comparable(super().state())


def reactions_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    return message.get("extra", {}).get("reactions", [])


def _put(message: dict[str, Any], reactions: list[dict[str, Any]]) -> None:
    message.pop("extra", None)
    if reactions:
        message["extra"] = {"reactions": reactions}


def _apply_change(message: dict[str, Any], frame: dict[str, Any]) -> None:
    before = {each["emoji"]: each for each in reactions_of(message)}
    now: list[dict[str, Any]] = []
    for emoji, count in frame["counts"].items():
        known = before.get(emoji, {"emoji": emoji, "people": []})
        people = [person for person in known["people"] or () if person["id"] != frame["person"]["id"]]
        if emoji in frame["emojis"]:
            people.append(frame["person"])
        # What the node would tell, or None where that is not known any more.
        complete = len(people) == count or (len(people) >= SHOWN and count > SHOWN)
        now.append({**known, "count": count, "people": people if complete else None})
    _put(message, now)


def _forget_person(message: dict[str, Any], person: str) -> None:
    now: list[dict[str, Any]] = []
    for each in reactions_of(message) if "deleted_at" not in message else ():
        people = each["people"]
        if people is not None and len(people) == each["count"]:
            left = [known for known in people if known["id"] != person]
            each = {**each, "count": len(left), "people": left}
        else:
            each = {**each, "people": None}  # whether they were among the others is not known
        if each["count"]:
            now.append(each)
    _put(message, now)


def _comparable(part: Any) -> Any:
    """Without what events do not tell: the types, the order of people, and who they are beyond the first."""
    if isinstance(part, dict):
        plain = {name: _comparable(value) for name, value in part.items() if name != "extra"}
        if reactions := reactions_of(part):
            plain["reactions"] = [
                (
                    each["emoji"],
                    each["count"],
                    {person["id"] for person in each["people"]} if each["count"] <= SHOWN else "several",
                )
                for each in reactions
            ]
        return plain
    return [_comparable(each) for each in part] if isinstance(part, list) else part


async def reacting(somebody: Any) -> ReactingClient:
    """A client with a snapshot of how things are."""
    client = ReactingClient(somebody)
    await client.begin()
    return client
