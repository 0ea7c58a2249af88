"""Who owns a group when its owner cannot act: one rule, whatever happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound, outcome

Cause = Callable[[Node, User], Awaitable[object]]


async def leaves(node: Node, who: User) -> None:
    mine = (await who.call("inbox.list"))["conversations"]
    await who.call("conversations.leave", conversation=next(each["conversation"] for each in mine))


async def closes(node: Node, who: User) -> None:
    await node.call("people.deactivate", person=who.handle)


async def is_erased(node: Node, who: User) -> None:
    await node.call("people.erase", person=who.handle, handle=who.handle)


async def gets_a_role_that_may_not_talk(node: Node, who: User) -> None:
    await node.call("roles.set", role="auditor", permissions=["audit.read"])
    await node.call("people.role", person=who.handle, role="auditor")


async def has_a_role_that_may_talk_no_longer(node: Node, who: User) -> None:
    await node.call("roles.set", role="guest", permissions=["chat"])
    await node.call("people.role", person=who.handle, role="guest")
    await node.call("roles.set", role="guest", permissions=["audit.read"])


CAUSES = (leaves, closes, is_erased, gets_a_role_that_may_not_talk, has_a_role_that_may_talk_no_longer)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
async def test_when_the_owner_cannot_act_the_next_who_can_owns_the_group(
    node: Node, ann: User, bob: User, cause: Cause
) -> None:
    """dan is the longest-serving admin, and closed; bot is an admin, and no person; cid is next, and bob last."""
    cid, dan = await User.new(node, "cid"), await User.new(node, "dan")
    await node.call("people.create", handle="bot", bot=True)
    room = await ann.group(dan)
    for handle in ("bot", "cid", "bob"):
        await ann.call("conversations.members.add", conversation=room, member=handle)
    for handle in ("dan", "bot", "cid"):
        await ann.call("conversations.members.role", conversation=room, member=handle, role="admin")
    await closes(node, dan)
    live = await LiveSession.of(node, bob)
    await cause(node, ann)
    left = {"cid": "owner", "bot": "admin", "dan": "admin", "bob": "member"}
    assert await bob.members(room) == (left if cause in (leaves, is_erased) else left | {"ann": "admin"})
    changed = [each for each in live.pushes if each["event"] == "member.changed"]
    assert [(each["person"]["handle"], each["role"]) for each in changed][-1] == ("cid", "owner")
    await cid.call("conversations.update", conversation=room, title="looked after")
    await assert_sound(node)


@pytest.mark.parametrize("cause", CAUSES[1:], ids=lambda cause: cause.__name__)
async def test_a_bot_owns_what_no_person_can(node: Node, ann: User, cause: Cause) -> None:
    await node.call("people.create", handle="bot", bot=True)
    bot = await User.of(node, "bot")
    room = await ann.group(bot)
    await cause(node, ann)
    assert (await bot.members(room))["bot"] == "owner"
    await assert_sound(node)


async def test_a_person_comes_before_a_bot_of_higher_rank(node: Node, ann: User, bob: User) -> None:
    await node.call("people.create", handle="bot", bot=True)
    room = await ann.group(await User.of(node, "bot"), bob)
    await ann.call("conversations.members.role", conversation=room, member="bot", role="admin")
    await leaves(node, ann)
    assert await bob.members(room) == {"bob": "owner", "bot": "admin"}


async def test_a_member_leaving_or_closing_changes_nothing_for_the_owner(
    node: Node, ann: User, bob: User, eve: User
) -> None:
    room = await ann.group(bob, eve)
    live = await LiveSession.of(node, ann)
    await bob.call("conversations.leave", conversation=room)
    await closes(node, eve)
    assert await ann.members(room) == {"ann": "owner", "eve": "member"}
    assert "member.changed" not in [each["event"] for each in live.pushes]


async def test_who_comes_back_alone_owns_the_group_and_gives_it_to_nobody_else(
    node: Node, ann: User, bob: User
) -> None:
    room = await ann.group(bob)
    await closes(node, bob)
    await closes(node, ann)
    await assert_sound(node)  # nobody can act: it stays as it is
    await node.call("people.reactivate", person="bob")
    assert await bob.members(room) == {"ann": "admin", "bob": "owner"}
    await node.call("people.reactivate", person="ann")
    assert await bob.members(room) == {"ann": "admin", "bob": "owner"}
    await assert_sound(node)


async def test_who_may_talk_again_owns_the_group_that_nobody_could_act_for(node: Node, ann: User) -> None:
    room = await ann.group()
    await closes(node, ann)
    bob = await User.new(node, "bob")
    await node.call("conversations.members.add", conversation=room, member="bob")
    assert await bob.members(room) == {"ann": "admin", "bob": "owner"}
    await node.call("roles.set", role="guest", permissions=["audit.read"])
    await node.call("people.role", person="bob", role="guest")
    await node.call("people.reactivate", person="ann")
    assert await ann.members(room) == {"ann": "owner", "bob": "admin"}
    await node.call("roles.set", role="guest", permissions=["chat"])
    assert await ann.members(room) == {"ann": "owner", "bob": "admin"}
    await assert_sound(node)


async def test_a_group_is_not_given_to_somebody_who_cannot_act(node: Node) -> None:
    ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
    room = (await node.call("import.conversation", source="irc", key="#garden", title="#garden"))["conversation"]
    item = {"cid": "1", "author": "Ada", "at": 921_000_000_000, "text": "hello"}
    await node.call("import.messages", conversation=room, source="irc", items=[item])
    assert await ann.members(room) == {"ann": "owner", "bob": "member"}
    await closes(node, bob)
    for handle, code in (("bob", "forbidden"), ("ada", "not_found")):  # an author of imported messages is no member
        with refused(code, "member"):
            await ann.call("conversations.members.role", conversation=room, member=handle, role="owner")
    assert await ann.members(room) == {"ann": "owner", "bob": "member"}
    await assert_sound(node)


async def test_imported_groups_are_owned_by_who_can_act_from_when_there_is_somebody(node: Node) -> None:
    joined = (await node.call("import.conversation", source="irc", key="#a", title="#a"))["conversation"]
    apart = (await node.call("import.conversation", source="irc", key="#b", title="#b", join=False))["conversation"]
    item = {"cid": "1", "author": "Ada", "at": 921_000_000_000, "text": "hello"}
    for number, room in enumerate((joined, apart)):
        await node.call("import.messages", conversation=room, source="irc", items=[item | {"cid": str(number)}])
    await assert_sound(node)
    ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
    assert await ann.members(joined) == {"ann": "owner", "bob": "member"}
    await bob.call("conversations.join", conversation=apart)
    await ann.call("conversations.join", conversation=apart)
    assert await ann.members(apart) == {"ann": "member", "bob": "owner"}
    await assert_sound(node)


# ---- nobody who takes part can act


async def test_those_who_manage_people_bring_an_owner_into_a_group_without_anybody_who_can_act(
    node: Node, ann: User, bob: User, eve: User
) -> None:
    root = await User.new(node, "root", admin=True)
    room = await ann.group(bob, history="all")
    await ann.says(room, "before your time")
    asked = {"conversation": room, "member": "eve"}
    assert await outcome(root.call("conversations.members.add", **asked)) == "not_found"  # ann and bob can act
    await closes(node, ann)
    assert await outcome(root.call("conversations.members.add", **asked)) == "not_found"  # bob can
    await closes(node, bob)
    assert await outcome(eve.call("conversations.members.add", **asked)) == "not_found"
    await root.call("conversations.members.add", **asked)
    assert await eve.members(room) == {"ann": "admin", "bob": "admin", "eve": "owner"}
    assert (await eve.call("messages.list", conversation=room))["messages"] == []
    audit = (await root.call("audit.list", action="conversations.members.add"))["entries"]
    assert [(each["actor"]["handle"], each["target"], each["details"]) for each in audit] == [
        ("root", room, {"member": eve.id})
    ]
    assert await outcome(root.call("conversations.members.add", conversation=room, member="root")) == "not_found"


async def test_a_direct_conversation_has_no_owner_and_nobody_is_brought_in(
    node: Node, ann: User, bob: User, eve: User
) -> None:
    talk = await ann.direct(bob)
    await closes(node, ann)
    await closes(node, bob)
    await assert_sound(node)
    assert await outcome(node.call("conversations.members.add", conversation=talk, member="eve")) == "forbidden"


# ---- what an earlier version left


async def test_check_finds_a_group_whose_owner_cannot_act_and_repair_mends_it(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob)
    two = await ann.group(bob)
    await node.core.db.write(
        lambda tx: tx.execute("UPDATE people SET deactivated_at = 1 WHERE key = ?", (ann.key,)).rowcount
    )
    checked = await node.call("node.check")
    problems = {each["name"]: each["problems"] for each in checked["checks"] if each["problems"]}
    assert set(problems) == {"owners"}
    assert sorted(problems["owners"]) == sorted(
        f"group {id} has several owners, or none who can act though others can" for id in (room, two)
    )
    live = await LiveSession.of(node, bob)
    repaired = await node.call("node.repair")
    assert repaired["clean"]
    assert repaired["repairs"] == [{"name": "owners", "rows": 2}]
    assert await bob.members(room) == {"ann": "admin", "bob": "owner"}
    assert [each["event"] for each in live.pushes] == ["member.changed"] * 4


async def test_repair_leaves_one_of_several_owners(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob)
    await node.core.db.write(
        lambda tx: tx.execute("UPDATE members SET role = 'owner' WHERE person = ?", (bob.key,)).rowcount
    )
    assert not (await node.call("node.check"))["clean"]
    await node.call("node.repair")
    assert await bob.members(room) == {"ann": "owner", "bob": "admin"}
    await assert_sound(node)
