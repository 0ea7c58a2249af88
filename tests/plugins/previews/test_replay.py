"""Old snapshot + events = fresh snapshot: live and after an absence, for every command that writes."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.node import Node
from tests.plugins.previews.looking import settle
from tests.plugins.previews.site import Site
from tests.plugins.watched import Watched
from tests.properties.client_model import Caller
from tests.properties.world import SignedIn
from tests.services.dialogue import assert_sound

REPLAYED = {"previews.remove", "previews.settings.update"}
"""Of these commands it is tried here (`tests/plugins/test_replay.py`)."""


@attrs.define
class PreviewsClient:
    """One user's client, which keeps the previews of messages. It is the description of what each event means to it:

    - `preview.added`, `preview.removed`: these are all previews of the message now.
    - `message.edited`, `message.pinned`: here is the message with all that it has now.
    - `message.deleted`: it has none any more.
    """

    who: Caller
    previews: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict[str, list[dict[str, Any]]])
    gid: int = 0

    async def begin(self) -> None:
        """Take a snapshot."""
        for each in (await self.who.call("inbox.list"))["conversations"]:
            page = await self.who.call("messages.list", conversation=each["conversation"])
            for message in page["messages"]:
                self._keep(message["message"], _previews_of(message))

    async def settle(self) -> None:
        """Nothing has to be fetched again."""

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """All that it shows, to be compared with another client's."""
        return self.previews

    def apply(self, frame: dict[str, Any]) -> None:
        """Apply a push; whatever is none of these events concerns other parts of a client."""
        assert frame["gid"] > self.gid
        self.gid = frame["gid"]
        match frame["event"]:
            case "preview.added" | "preview.removed":
                self._keep(frame["message"], frame["previews"])
            case "message.edited" | "message.pinned":
                self._keep(frame["message"]["message"], _previews_of(frame["message"]))
            case "message.deleted":
                self._keep(frame["message"]["message"], [])
            case _:
                pass

    def _keep(self, message: str, previews: list[dict[str, Any]]) -> None:
        self.previews.pop(message, None)
        if previews:
            self.previews[message] = previews


def _previews_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    return message.get("extra", {}).get("previews", [])


async def test_a_client_that_was_away_shows_the_same_previews(node: Node, url: str, site: Site) -> None:
    people = {handle: await SignedIn.new(node, handle) for handle in ("ann", "bob", "eve")}
    ann, bob = people["ann"], people["bob"]
    room = await ann.group(bob)
    watched = {handle: await Watched.of(PreviewsClient, somebody) for handle, somebody in people.items()}

    async def compare() -> list[str | None]:
        """Returns the titles that Bob sees."""
        await settle(node)
        for each in watched.values():
            await each.compare()
        assert watched["eve"].live.previews == {}
        return [each.get("title") for found in watched["bob"].live.previews.values() for each in found]

    first, second, third = [site.page(f"/{number}", f"Page {number}") for number in (1, 2, 3)]
    message = await ann.says(room, f"{first} and {second}")
    assert await compare() == ["Page 1", "Page 2"]
    await ann.call("previews.remove", message=message, url=first)
    assert await compare() == ["Page 2"]
    await ann.call("messages.edit", message=message, text=f"{first}, {second} and {third}")
    assert await compare() == ["Page 2", "Page 3"]
    await ann.call("messages.pin", message=message)
    await ann.call("messages.edit", message=message, text=third)
    assert await compare() == ["Page 3"]
    await ann.call("previews.settings.update", conversation=room, enabled=False)
    await bob.says(room, first)
    assert await compare() == ["Page 3"]
    await ann.call("previews.settings.update", conversation=room, enabled=True)
    await bob.call("previews.settings.update", enabled=False)
    await bob.says(room, second)
    assert await compare() == ["Page 3"]
    other = await ann.says(room, second)
    assert await compare() == ["Page 3", "Page 2"]
    await ann.call("previews.remove", message=message)
    await ann.call("messages.delete", message=other)
    assert await compare() == []
    await assert_sound(node)
