"""The one group about an object of the embedding program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from chatnode.errors import Refusal
from chatnode.model.commands.conversations import FoundConversation
from chatnode.node import Node
from chatnode.testing import User, configured

ORDER = ("order", "7")


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return ()


@pytest.fixture
async def node(node: Node) -> Node:
    for handle in ("ann", "bob", "cay", "eve"):
        await User.new(node, handle)
    return node


async def find(node: Node, *members: str, who: str | None = None, title: str | None = None) -> FoundConversation:
    caller = node.operator if who is None else node.person(who)
    return await caller.conversations.find_or_create(context=ORDER, members=members, title=title)


async def members(node: Node, conversation: str, seen_by: str) -> dict[str, str]:
    page = await node.person(seen_by).conversations.members.list(conversation=conversation)
    return {each.person.handle: each.role for each in page.members}


async def test_the_first_request_makes_it_and_others_find_it(node: Node) -> None:
    made, found = await find(node, "ann", "bob"), await find(node, "ann", "bob")
    assert (made.made, found.made) == (True, False)
    assert made.conversation == found.conversation
    details = (await node.person("ann").conversations.get(conversation=made.conversation)).conversation
    assert details.context is not None
    assert (details.title, details.visibility, details.context.type, details.context.id) == (
        "order 7", "private", "order", "7",
    )  # fmt: skip


async def test_requests_at_once_get_the_same_one(node: Node) -> None:
    found: list[FoundConversation] = []

    async def ask() -> None:
        found.append(await find(node, "ann", "bob"))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
    assert len({each.conversation for each in found}) == 1
    assert sum(each.made for each in found) == 1


async def test_who_owns_it(node: Node) -> None:
    await node.bot("shop").people.me()
    of_operator = await find(node, "shop", "bob", "ann")
    assert await members(node, of_operator.conversation, "ann") == {"shop": "member", "bob": "owner", "ann": "member"}
    of_ann = await find(node, "cay", who="ann", title="my order")
    assert of_ann.conversation == of_operator.conversation, "she takes part in it"
    of_eve = await find(node, "cay", who="eve", title="my order")
    assert await members(node, of_eve.conversation, "cay") == {"eve": "owner", "cay": "member"}


async def test_one_that_is_found_stays_as_it_is(node: Node) -> None:
    made = await find(node, "ann", "bob", title="Order")
    await node.person("bob").conversations.leave(conversation=made.conversation)
    await node.person("ann").conversations.close(conversation=made.conversation)
    found = await find(node, "ann", "bob", "cay", title="Another")
    assert found == FoundConversation(made.conversation, False)
    assert await members(node, made.conversation, "ann") == {"ann": "owner"}
    details = (await node.person("ann").conversations.get(conversation=made.conversation)).conversation
    assert (details.title, details.closed_reason) == ("Order", "manual")


async def test_nobody_finds_one_that_they_are_not_in(node: Node) -> None:
    made = await find(node, "ann", "bob")
    eves = await find(node, who="eve")
    assert eves.made
    assert eves.conversation != made.conversation
    await node.person("bob").conversations.leave(conversation=made.conversation)
    bobs = await find(node, who="bob")
    assert bobs.made
    assert len({made.conversation, eves.conversation, bobs.conversation}) == 3


async def test_nobody_gets_between_a_program_and_its_users(node: Node) -> None:
    """Whoever makes a group with the context first, does not hear what the program says about it."""
    await find(node, "bob", who="eve")
    await node.person("eve").conversations.create(title="order 7", context=ORDER, members=["bob"])
    made = await find(node, "ann", "bob")
    assert made.made
    assert set(await members(node, made.conversation, "ann")) == {"ann", "bob"}


async def test_each_user_has_one_of_their_own(node: Node) -> None:
    anns, again, bobs = await find(node, who="ann"), await find(node, who="ann"), await find(node, who="bob")
    assert anns.conversation == again.conversation != bobs.conversation
    await node.person("ann").conversations.leave(conversation=anns.conversation)
    another = await find(node, who="ann")
    assert another.made
    assert another.conversation != anns.conversation


async def test_one_that_everybody_has_left_is_not_found(node: Node) -> None:
    made = await find(node, "ann")
    await node.person("ann").conversations.leave(conversation=made.conversation)
    assert (await find(node, "ann")).made


@pytest.mark.parametrize(
    ("who", "asked", "code", "path"),
    [
        (None, (), "invalid", "members"),
        (None, ("nobody",), "not_found", "members"),
        ("ann", ("blocker",), "forbidden", "members"),
        ("ann", ("bob", "cay", "eve"), "too_large", "members"),
    ],
)
@pytest.mark.parametrize("config", [configured(limits={"group_members": 3})], ids=[""])
async def test_what_is_refused(node: Node, who: str | None, asked: tuple[str, ...], code: str, path: str) -> None:
    await User.new(node, "blocker")
    await node.person("blocker").people.block(person="ann")
    with pytest.raises(Refusal) as error:
        await find(node, *asked, who=who)
    assert (error.value.code, error.value.path) == (code, path)


async def test_it_needs_the_permission_to_open_groups(node: Node) -> None:
    await node.operator.roles.set(role="guest", permissions=["chat"])
    await node.operator.people.role(person="ann", role="guest")
    with pytest.raises(Refusal, match=r"groups\.create"):
        await find(node, who="ann")
