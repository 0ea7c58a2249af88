"""Invites, and the link for the first administrator."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.testing import User, refused

from .dialogue import PASSWORD, Device, Visitor, assert_sound, with_limits


@pytest.fixture
async def root(node: Node) -> User:
    """An administrator of the node."""
    return await User.new(node, "root", admin=True)


async def accept(node: Node, code: str, handle: str, **fields: Any) -> Device:
    """Somebody makes their account with a code."""
    done = await Visitor(node).call("invites.accept", code=code, handle=handle, password=PASSWORD, **fields)
    assert done["person"]["handle"] == handle
    return await Device.with_token(node, done["token"])


async def let_expire(node: Node) -> None:
    await node.core.db.write(lambda tx: tx.execute("UPDATE invites SET expires_at = ?", (tx.now,)))


async def usable(who: User) -> list[tuple[int, int]]:
    """Number and uses left of the invites that are listed."""
    listed = await who.call("invites.list")
    return [(each["invite"], each["uses_left"]) for each in listed["invites"]]


async def test_an_invite_makes_an_account_that_is_signed_in(node: Node, root: User) -> None:
    invite = await root.call("invites.create")
    assert invite["link"].endswith("/#invite=" + invite["code"])
    assert invite["invite"]["by"]["handle"] == "root"
    phone = await accept(node, invite["code"], "ann", name="Ann Lee", device="phone")
    me = await phone.call("people.me")
    assert (me["person"]["name"], me["role"]) == ("Ann Lee", "member")
    assert (await phone.call("sessions.list"))["sessions"][0]["label"] == "phone"
    await Visitor(node).sign_in("ann", PASSWORD)


async def test_an_invite_is_used_up(node: Node, root: User) -> None:
    invite = await root.call("invites.create", uses=2)
    number = invite["invite"]["invite"]
    await accept(node, invite["code"], "ann")
    assert await usable(root) == [(number, 1)]
    await accept(node, invite["code"], "bob")
    assert await usable(root) == []
    with refused("gone", "code"):
        await accept(node, invite["code"], "cy")


async def test_one_use_makes_one_account_however_many_try_at_once(node: Node, root: User) -> None:
    code = (await root.call("invites.create"))["code"]
    outcomes: list[str] = []

    async def attempt(handle: str) -> None:
        try:
            await accept(node, code, handle)
            outcomes.append("ok")
        except Refusal as refusal:
            outcomes.append(refusal.code)

    async with trio.open_nursery() as nursery:
        for handle in ("ann", "bob"):
            nursery.start_soon(attempt, handle)
    assert sorted(outcomes) == ["gone", "ok"]
    assert len((await root.call("people.list"))["people"]) == 2


async def test_a_handle_that_is_taken_uses_nothing_up(node: Node, root: User, eve: User) -> None:
    code = (await root.call("invites.create"))["code"]
    with refused("conflict", "handle"):
        await accept(node, code, "eve")
    await accept(node, code, "ann")


async def test_an_invite_ends_with_time_or_when_it_is_revoked(node: Node, root: User) -> None:
    code = (await root.call("invites.create", days=1))["code"]
    await let_expire(node)
    with refused("gone", "code"):
        await accept(node, code, "ann")
    assert await usable(root) == []

    invite = await root.call("invites.create")
    number = invite["invite"]["invite"]
    assert await root.call("invites.revoke", invite=number) == {"revoked": 1}
    with refused("not_found", "code"):
        await accept(node, invite["code"], "ann")
    with refused("not_found", "invite"):
        await root.call("invites.revoke", invite=number)


async def test_no_invite_outlives_the_leave_to_invite(node: Node, root: User) -> None:
    second = await User.new(node, "second", admin=True)
    code = (await second.call("invites.create", uses=9))["code"]
    for take_away, give_back in (
        (("people.role", {"role": "member"}), ("people.role", {"role": "admin"})),
        (("people.deactivate", {}), ("people.reactivate", {})),
    ):
        await root.call(take_away[0], person="second", **take_away[1])
        with refused("gone", "code"):
            await accept(node, code, "guest")
        assert await usable(root) == []
        assert (await root.call("items.query", collection="invites"))["data"] == []
        await root.call(give_back[0], person="second", **give_back[1])
        assert len(await usable(root)) == 1
    await accept(node, code, "guest")


async def test_who_was_put_out_of_a_group_brings_nobody_in(node: Node, root: User, bob: User) -> None:
    room = await bob.group(root, title="garden")
    await bob.call("conversations.members.role", conversation=room, member="root", role="admin")
    code = (await root.call("invites.create", conversations=[room]))["code"]
    await bob.call("conversations.members.remove", conversation=room, member="root")
    await accept(node, code, "guest")
    assert await bob.members(room) == {"bob": "owner"}


async def test_a_code_that_nobody_made_is_none(node: Node, root: User) -> None:
    await root.call("invites.create")
    with refused("not_found", "code"):
        await accept(node, "guess", "ann")


async def test_members_neither_make_nor_see_invites(node: Node, root: User, ann: User) -> None:
    number = (await root.call("invites.create"))["invite"]["invite"]
    for command, fields in (("create", {}), ("list", {}), ("revoke", {"invite": number})):
        with refused("forbidden"):
            await ann.call(f"invites.{command}", **fields)


@pytest.mark.parametrize("days", [3_000_000, 2**53 - 1])
async def test_an_invite_ends_before_the_year_10000(root: User, days: int) -> None:
    with refused("invalid", "days"):
        await root.call("invites.create", days=days)


# ---- invited into conversations


async def test_who_is_invited_into_conversations_is_in_them(node: Node, root: User, bob: User) -> None:
    private, public = await root.group(bob, title="private"), await root.group(title="public", visibility="public")
    await root.says(private, "before ann")
    await root.says(public, "for everybody")
    code = (await root.call("invites.create", uses=2, conversations=[private, public, private]))["code"]

    ann: Any = await accept(node, code, "ann")
    assert await bob.members(private) == {"root": "owner", "bob": "member", "ann": "member"}
    assert (await ann.reads(private), await ann.reads(public)) == ([], ["for everybody"])
    await root.says(private, "hello ann")
    assert await ann.reads(private) == ["hello ann"]
    await assert_sound(node)


async def test_nobody_invites_where_they_may_not(root: User, ann: User, bob: User) -> None:
    not_in = await ann.group(bob)
    only_member = await ann.group(root)
    for conversation, code in (
        (not_in, "not_found"),
        ("f" * 32, "not_found"),
        (only_member, "forbidden"),
        (await root.direct(ann), "forbidden"),
    ):
        with refused(code):
            await root.call("invites.create", conversations=[conversation])
    assert await usable(root) == []


@with_limits(group_members=2)
async def test_an_invite_does_not_fill_a_group_beyond_its_limit(node: Node, root: User, ann: User) -> None:
    """The account is made all the same, with the other groups, and the answer says which one it is not in."""
    full, other = await root.group(ann), await root.group()
    code = (await root.call("invites.create", conversations=[full, other]))["code"]
    signed_in = await Visitor(node).call("invites.accept", code=code, handle="bob", password=PASSWORD)
    assert signed_in["not_joined"] == [
        {"conversation": full, "code": "too_large", "message": "a group has at most 2 members"}
    ]
    bob = await Device.with_token(node, signed_in["token"])
    assert [each["conversation"] for each in (await bob.call("inbox.list"))["conversations"]] == [other]
    assert (await root.call("conversations.get", conversation=full))["conversation"]["members"] == 2
    assert await ann.members(full) == {"ann": "member", "root": "owner"}
    await assert_sound(node)


async def test_an_invite_of_who_is_no_longer_in_a_group_makes_the_account_without_it(
    node: Node, root: User, ann: User
) -> None:
    left, kept = await root.group(ann), await root.group()
    code = (await root.call("invites.create", conversations=[left, kept]))["code"]
    await root.call("conversations.leave", conversation=left)
    signed_in = await Visitor(node).call("invites.accept", code=code, handle="bob", password=PASSWORD)
    assert [(each["conversation"], each["code"]) for each in signed_in["not_joined"]] == [(left, "forbidden")]
    assert set(await root.members(kept)) == {"root", "bob"}
    assert set(await ann.members(left)) == {"ann"}


async def test_an_invite_into_groups_that_take_the_account_says_nothing_of_any(node: Node, root: User) -> None:
    room = await root.group()
    code = (await root.call("invites.create", conversations=[room]))["code"]
    signed_in = await Visitor(node).call("invites.accept", code=code, handle="bob", password=PASSWORD)
    assert "not_joined" not in signed_in


# ---- the first administrator


async def test_the_first_administrator_comes_by_a_link(node: Node) -> None:
    assert (await Visitor(node).call("node.info"))["needs_setup"]
    setup = await node.call("setup.create")
    assert setup["link"].endswith("/#setup=" + setup["code"])
    root = await accept(node, setup["code"], "root")
    assert (await root.call("people.me"))["role"] == "admin"
    assert not (await Visitor(node).call("node.info"))["needs_setup"]
    with refused("gone"):
        await node.call("setup.create")


async def test_a_setup_link_is_worth_nothing_once_there_is_an_administrator(node: Node) -> None:
    code = (await node.call("setup.create"))["code"]
    await User.new(node, "root", admin=True)
    with refused("gone", "code"):
        await accept(node, code, "eve")


async def test_a_new_setup_link_replaces_the_one_before(node: Node) -> None:
    first, second = (await node.call("setup.create"))["code"], (await node.call("setup.create"))["code"]
    with refused("not_found", "code"):
        await accept(node, first, "eve")
    await accept(node, second, "root")


async def test_a_setup_link_expires(node: Node) -> None:
    code = (await node.call("setup.create"))["code"]
    await let_expire(node)
    with refused("gone", "code"):
        await accept(node, code, "root")


async def test_a_setup_link_is_the_operators_alone(node: Node, ann: User) -> None:
    with refused("forbidden"):
        await ann.call("setup.create")
    with refused("unauthenticated"):
        await Visitor(node).call("setup.create")
    await node.call("setup.create")
    assert (await node.call("invites.list"))["invites"] == []
    with refused("not_found"):
        await node.call("invites.revoke", invite=1)
