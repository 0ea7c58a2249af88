"""A plugin that refuses a part of what happens by itself does not refuse the main thing."""

from __future__ import annotations

from pathlib import Path

from chatnode.api import Change, MemberJoined, Refusal, Transaction
from chatnode.testing import User, refused

from .making import made, node_with


async def test_an_account_is_made_without_the_group_that_a_plugin_keeps_it_out_of(tmp_path: Path) -> None:
    def in_transaction(tx: Transaction, change: Change) -> None:
        if isinstance(change.event, MemberJoined) and change.event.person.handle == "eve":
            raise Refusal("forbidden", "not eve")

    async with node_with(tmp_path, made("demo", in_transaction)) as node:
        ann = await User.new(node, "ann")
        hall = await node.call("import.conversation", source="irc", key="#hall", title="#hall", join=True)
        eve, bob = await User.new(node, "eve"), await User.new(node, "bob")
        assert await ann.members(hall["conversation"]) == {"ann": "owner", "bob": "member"}
        with refused("forbidden"):
            await eve.call("conversations.join", conversation=hall["conversation"])
        await bob.call("people.get", person="eve")
