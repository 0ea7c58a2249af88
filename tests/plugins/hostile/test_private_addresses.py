"""No user can make the node reach what only the node can reach: its own machine, its network, a cloud's metadata."""

from __future__ import annotations

from typing import Any

import trio
from chatnode_previews.links import MessageLink

from chatnode.api import Refusal
from chatnode.node import Node
from chatnode.testing import LiveUser, User
from chatnode.testing.people import PATIENCE
from tests.plugins.hostile.conftest import Trap
from tests.plugins.notifications.receiver import Receiver

HOSTS = (
    "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25eth0]", "localhost", "localhost.",
    "a.localhost", "LOCALHOST", "①②⑦.0.0.1", "127。0。0。1", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "router",
    "metadata.google.internal",
)  # fmt: skip
FORMS = ("https://{host}:{port}/topic", "http://{host}:{port}/topic", "https://{host}/topic")
TRANSPORTS = ("webpush", "unifiedpush", "ntfy", "webhook")


def addresses(trap: Trap) -> list[str]:
    return [form.format(host=host, port=trap.port) for host in HOSTS for form in FORMS]


async def unless_invalid(who: User, command: str, **fields: Any) -> Any:
    """What the command returns; None if it is refused as invalid."""
    try:
        return await who.call(command, **fields)
    except Refusal as refusal:
        if refusal.code == "invalid":
            return None
        raise


async def test_devices(node: Node, trap: Trap, ann: User) -> None:
    """A registration may name it; a request is refused, and its user is told no more than that."""
    for transport in TRANSPORTS:
        for address in addresses(trap):
            keys = Receiver().keys if transport in ("webpush", "unifiedpush") else {}
            fields = {"transport": transport, "address": address, "keys": keys}
            found = await unless_invalid(ann, "notifications.register", **fields)
            if found is None:
                continue
            id = found["device"]["registration"]
            tried = await ann.call("notifications.test", registration=id)
            assert tried["outcome"] in ("rejected", "retry"), (transport, address, tried)
            assert "status" not in tried
            await ann.call("notifications.unregister", registration=id)
    assert trap.visits == 0


async def test_endpoints(node: Node, trap: Trap) -> None:
    await node.call("people.create", handle="robo", bot=True)
    robo = await User.of(node, "robo")
    for address in addresses(trap):
        added = await unless_invalid(robo, "webhooks.endpoints.add", url=address, kinds=["*"], bot="robo")
        if added is None:
            continue
        id = added["endpoint"]["endpoint"]
        tried = await robo.call("webhooks.endpoints.test", endpoint=id)
        assert not tried["sent"], address
        assert "status" not in tried
        await robo.call("webhooks.endpoints.remove", endpoint=id)
    assert trap.visits == 0


async def test_links(node: Node, url: str, trap: Trap, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    for address in addresses(trap):
        await ann.says(room, f"see {address}")
    last = "http://127.0.0.1/last"
    await ann.says(room, last)
    digest = MessageLink(last, last).digest
    with trio.fail_after(PATIENCE):
        while True:
            sql = "SELECT count(*) FROM previews_pages WHERE address = ?"
            if await node.core.db.read(lambda reader, sql=sql: reader.execute(sql, (digest,)).fetchone()) == (1,):
                break
            await trio.sleep(0.02)
    assert trap.visits == 0
    assert all("extra" not in each for each in await ann.sees(room))
