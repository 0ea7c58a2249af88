"""Old snapshot + events = fresh snapshot: live and after an absence, for every command that writes.

Of incoming webhooks, users hear that a bot joins and leaves, which are events of the core.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import attrs
import chatnode_webhooks
import pytest

from chatnode.config import Config
from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.testing import configured
from tests.plugins.watched import Watched
from tests.plugins.webhooks.outgoing.receiver import Receiver
from tests.properties.client_model import Caller
from tests.properties.world import SignedIn
from tests.services.dialogue import assert_sound

REPLAYED = {
    *(f"webhooks.endpoints.{verb}" for verb in ("add", "update", "remove", "pause", "resume", "rotate", "test")),
    *("webhooks.replay", "webhooks.recover"),
    *(f"webhooks.incoming.{verb}" for verb in ("add", "remove", "rotate")),
}
"""Of these commands it is tried here (`tests/plugins/test_replay.py`)."""


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_webhooks]


@pytest.fixture
async def dead() -> Receiver:
    """Nothing listens there."""
    return Receiver()


@pytest.fixture
def config(dead: Receiver) -> Config:
    return configured(outbound={"allow": [dead.authority]})


@attrs.define
class EndpointsClient:
    """One user's client, which keeps the endpoints that they manage. `webhooks.endpoint.changed` has an endpoint as it
    is now; one that is `removed` is no more."""

    who: Caller
    endpoints: dict[str, dict[str, Any]] = attrs.field(factory=dict[str, dict[str, Any]])
    gid: int = 0

    async def begin(self) -> None:
        """Take a snapshot; of those who manage none, it is empty."""
        with suppress(Refusal):
            page = await self.who.call("webhooks.endpoints.list")
            self.endpoints = {each["endpoint"]: each for each in page["endpoints"]}

    async def settle(self) -> None:
        """Nothing has to be fetched again."""

    def state(self) -> dict[str, dict[str, Any]]:
        """All that it shows, to be compared with another client's."""
        return self.endpoints

    def apply(self, frame: dict[str, Any]) -> None:
        """Apply a push; whatever is no change of an endpoint concerns other parts of a client."""
        assert frame["gid"] > self.gid
        self.gid = frame["gid"]
        if frame["event"] != "webhooks.endpoint.changed":
            return
        endpoint = frame["endpoint"]
        self.endpoints.pop(endpoint["endpoint"], None)
        if endpoint["state"] != "removed":
            self.endpoints[endpoint["endpoint"]] = endpoint


async def test_those_in_charge_know_all_endpoints_and_others_none(node: Node, dead: Receiver) -> None:
    await node.call("people.create", handle="robo", bot=True)
    root, ann = await SignedIn.new(node, "root", admin=True), await SignedIn.new(node, "ann")
    robo = await SignedIn.of(node, "robo")
    room = await ann.group(robo)
    await ann.says(room, "hello")
    watched = [await Watched.of(EndpointsClient, each) for each in (root, robo, ann)]

    async def compare(*fields: str) -> list[list[tuple[Any, ...]]]:
        """These fields of the endpoints that root and the bot know."""
        for each in watched:
            await each.compare()
        *known, of_ann = ([*each.live.endpoints.values()] for each in watched)
        assert of_ann == []
        return [[tuple(endpoint.get(field) for field in fields) for endpoint in endpoints] for endpoints in known]

    added = await robo.call("webhooks.endpoints.add", url=dead.url, kinds=["message.*"], bot="robo")
    own = {"endpoint": added["endpoint"]["endpoint"]}
    assert await compare("state") == [[("active",)], [("active",)]]
    added = await root.call("webhooks.endpoints.add", url=dead.url, kinds=["crm.*"])
    of_node = {"endpoint": added["endpoint"]["endpoint"]}
    await root.call("webhooks.endpoints.update", **of_node, about="contacts", kinds=["crm.contact.*"])
    await robo.call("webhooks.endpoints.pause", **own)
    assert await compare("state", "about") == [[("active", "contacts"), ("paused", "")], [("paused", "")]]
    await root.call("webhooks.endpoints.resume", **own)
    await root.call("webhooks.endpoints.rotate", **own)
    await robo.call("webhooks.replay", **own, from_gid=1)
    await node.core.db.write(
        lambda tx: (
            tx.execute(
                "INSERT INTO webhooks_deliveries (endpoint, gid, kind, state, attempts, due_at) "
                "SELECT key, 1, 'message.posted', 'dead', 9, 0 FROM webhooks_endpoints WHERE id = ?",
                (own["endpoint"],),
            ).rowcount
        )
    )
    await root.call("webhooks.recover", **own)
    assert (await compare("state", "pending"))[1] == [("active", 1)]
    hook = (await ann.call("webhooks.incoming.add", conversation=room, name="builds"))["webhook"]["webhook"]
    await ann.call("webhooks.incoming.rotate", webhook=hook)
    await ann.call("webhooks.incoming.remove", webhook=hook)
    await robo.call("webhooks.endpoints.remove", **own)
    assert await compare("about") == [[("contacts",)], []]
    assert not (await root.call("webhooks.endpoints.test", **of_node))["sent"]
    await root.call("webhooks.endpoints.remove", **of_node)
    assert await compare("about") == [[], []]
    await assert_sound(node)
