"""Who may add, see, rotate and remove webhooks, and what is kept secret."""

from __future__ import annotations

import json
from typing import Any

from chatnode.node import Node
from chatnode.testing import LiveUser, User, check_plugin, refused
from tests.services.dialogue import outcome
from tests.services.test_privacy import export_of


async def manager_of(node: Node) -> User:
    """A user who manages the node's webhooks and is in no group."""
    await node.call("roles.set", role="integrator", permissions=["chat", "webhooks.manage"])
    return await User.new(node, "max", role="integrator")


def test_the_declaration_is_complete() -> None:
    import chatnode_webhooks

    check_plugin(chatnode_webhooks)


async def test_those_who_manage_the_group_manage_its_webhooks(
    node: Node, ann: LiveUser, bob: LiveUser, eve: LiveUser
) -> None:
    group, admin, manager = await ann.group(bob), await User.new(node, "ada"), await manager_of(node)
    await ann.call("conversations.members.add", conversation=group, member="ada")
    await ann.call("conversations.members.role", conversation=group, member="ada", role="admin")
    added = await ann.call("webhooks.incoming.add", conversation=group, name="CI")
    of_hook = {"webhook": added["webhook"]["webhook"]}
    commands: dict[str, dict[str, Any]] = {
        "webhooks.incoming.add": {"conversation": group, "name": "other"},
        "webhooks.incoming.list": {"conversation": group},
        "webhooks.incoming.rotate": of_hook,
        "webhooks.incoming.remove": of_hook,
    }
    for name, fields in commands.items():
        assert await outcome(bob.call(name, **fields)) == "forbidden", name
        assert await outcome(eve.call(name, **fields)) == "not_found", name
    assert await outcome(manager.call("webhooks.incoming.add", **commands["webhooks.incoming.add"])) == "not_found"
    for name in list(commands)[1:3]:
        assert await outcome(manager.call(name, **commands[name])) == "ok", name
    for name, fields in commands.items():
        assert await outcome(admin.call(name, **fields)) == "ok", name
    assert await outcome(admin.call("webhooks.incoming.remove", **of_hook)) == "not_found"
    with refused("forbidden"):
        await ann.call("webhooks.incoming.list")
    everything = (await manager.call("webhooks.incoming.list"))["webhooks"]
    assert [each["name"] for each in everything] == ["other"]
    actions = [each["action"] for each in (await node.call("audit.list"))["entries"]]
    assert actions.count("webhooks.incoming.add") == 2
    assert {"webhooks.incoming.remove", "webhooks.incoming.rotate"} <= {*actions}


async def test_names_and_numbers_are_limited(ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    await ann.call("webhooks.incoming.add", conversation=group, name="CI")
    with refused("conflict", "name"):
        await ann.call("webhooks.incoming.add", conversation=group, name="CI")
    for number in range(9):
        await ann.call("webhooks.incoming.add", conversation=group, name=f"CI {number}")
    with refused("too_large", "conversation"):
        await ann.call("webhooks.incoming.add", conversation=group, name="one more")
    direct = await ann.direct(bob)
    with refused("forbidden", "conversation"):
        await ann.call("webhooks.incoming.add", conversation=direct, name="CI")
    first = await ann.call("webhooks.incoming.list", conversation=group, limit=4)
    rest = await ann.call("webhooks.incoming.list", conversation=group, limit=50, after=first["next"])
    ids = [each["webhook"] for each in (*first["webhooks"], *rest["webhooks"])]
    assert (len({*ids}), ids, "next" in rest) == (10, sorted(ids), False)


async def test_only_managers_name_bots(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    group, manager = await ann.group(bob), await manager_of(node)
    await node.call("people.create", handle="robo", bot=True)
    with refused("forbidden"):
        await ann.call("webhooks.incoming.add", conversation=group, name="CI", bot="robo")
    with refused("invalid", "bot"):
        await manager.call("webhooks.incoming.add", conversation=group, name="CI", bot="bob")
    await ann.call("conversations.members.add", conversation=group, member="robo")
    added = await manager.call("webhooks.incoming.add", conversation=group, name="CI", bot="robo")
    assert added["webhook"]["bot"]["handle"] == "robo"
    await manager.call("webhooks.incoming.remove", webhook=added["webhook"]["webhook"])
    assert "robo" in await ann.members(group)  # it was there before


async def test_secrets_are_shown_once_and_are_nowhere_else(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    added = await ann.call("webhooks.incoming.add", conversation=group, name="CI", signed=True)
    token, secret = added["url"].rpartition("/")[2], added["secret"]
    assert (len(token), secret.startswith("whsec_")) == (43, True)
    listed = await ann.call("webhooks.incoming.list", conversation=group)
    elsewhere = json.dumps([listed, await export_of(ann), await node.call("audit.list")])
    elsewhere += json.dumps([await ann.call("inbox.list"), await ann.sees(group)])
    assert token not in elsewhere
    assert secret not in elsewhere
    stored = b"".join(path.read_bytes() for path in node.directory.path.glob("chatnode.sqlite3*"))
    assert token.encode() not in stored
