"""Pictures of people and groups: an address on the node, which a plugin sets; requests can only remove it."""

from __future__ import annotations

import pytest

from chatnode.node import Node
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.transaction import Transaction
from chatnode.testing import LiveSession, User, refused

PICTURE = "/plugins/x/pictures/1"


async def give_picture(node: Node, who: User, group: str) -> None:
    def write(tx: Transaction) -> None:
        place = conversations.access_to_manage(tx, who.account, group)
        conversations.set_avatar(tx, place.key, PICTURE, who.account)

    await node.core.db.write(write)


async def test_a_groups_picture_is_shown_wherever_the_group_is(node: Node, ann: User, bob: User) -> None:
    group = await ann.group(bob, title="garden")
    hears = await LiveSession.of(node, bob)
    await give_picture(node, ann, group)

    (pushed,) = hears.heard("conversation.updated")
    seen = await bob.call("conversations.get", conversation=group)
    inbox = await bob.call("inbox.list")
    assert pushed["details"]["avatar"] == PICTURE
    assert seen["conversation"]["avatar"] == PICTURE
    assert seen["you"]["avatar"] == PICTURE
    assert [each["avatar"] for each in inbox["conversations"]] == [PICTURE]


async def test_who_may_retitle_a_group_may_remove_its_picture(node: Node, ann: User, bob: User) -> None:
    group = await ann.group(bob, title="garden")
    await give_picture(node, ann, group)

    with refused("forbidden", "conversation"):
        await bob.call("conversations.update", conversation=group, avatar="")
    await ann.call("conversations.update", conversation=group, title="yard")
    assert (await ann.call("conversations.get", conversation=group))["conversation"]["avatar"] == PICTURE
    await ann.call("conversations.update", conversation=group, avatar="")
    assert "avatar" not in (await ann.call("conversations.get", conversation=group))["conversation"]


@pytest.mark.parametrize(
    "address", ["https://example.org/a.png", "//example.org/a.png", "/plugins/x/2", "javascript:1"]
)
async def test_an_address_is_refused_with_the_place_and_the_fix(ann: User, bob: User, address: str) -> None:
    group = await ann.group(bob, title="garden")
    for name, fields in (("people.update", {}), ("conversations.update", {"conversation": group})):
        with refused("invalid", "avatar") as refusal:
            await ann.call(name, **fields, avatar=address)
        assert "upload the picture" in refusal.value.message


async def test_a_direct_conversation_has_none(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    with refused("forbidden", "conversation"):
        await ann.call("conversations.update", conversation=talk, avatar="")
