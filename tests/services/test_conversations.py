"""Direct conversations and groups: who takes part, and who may change what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from chatnode.model.ids import direct_id
from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound, outcome, with_limits

# ---- direct conversations


async def test_a_direct_conversation_has_the_id_that_both_compute(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    assert talk == direct_id(bob.id, ann.id) == await bob.direct(ann)
    assert await ann.members(talk) == {"ann": "member", "bob": "member"}


async def test_the_other_hears_of_it(node: Node, ann: User, bob: User) -> None:
    live = await LiveSession.of(node, bob)
    talk = await ann.direct(bob)
    (push,) = live.heard("member.joined")  # its own: then it gets the conversation anew
    assert (push["conversation"], push["person"]["handle"], push["by"]["handle"]) == (talk, "bob", "ann")
    await bob.direct(ann)
    assert len(live.heard("member.joined")) == 1


async def test_nobody_leaves_or_changes_a_direct_conversation(ann: User, bob: User, eve: User) -> None:
    talk = await ann.direct(bob)
    for command, fields in (
        ("conversations.leave", {}),
        ("conversations.update", {"title": "ours"}),
        ("conversations.update", {"visibility": "public"}),
        ("conversations.members.add", {"member": "eve"}),
        ("conversations.members.remove", {"member": "bob"}),
        ("conversations.members.role", {"member": "bob", "role": "owner"}),
    ):
        with refused("forbidden"):
            await ann.call(command, conversation=talk, **fields)
    assert await bob.members(talk) == {"ann": "member", "bob": "member"}


async def test_notes_to_self(ann: User, eve: User) -> None:
    notes = await ann.direct(ann)
    await ann.says(notes, "buy bread")
    assert await ann.reads(notes) == ["buy bread"]
    assert await ann.members(notes) == {"ann": "member"}
    mine = await ann.entry(notes)
    assert (mine["kind"], mine["peer"]["handle"], mine["unread"]) == ("direct", "ann", 0)
    with refused("not_found", "conversation"):
        await eve.reads(direct_id(ann.id, ann.id))


async def test_there_is_no_direct_conversation_with_nobody(ann: User) -> None:
    with refused("not_found", "with"):
        await ann.call("conversations.direct", **{"with": "nobody"})


# ---- groups are opened


async def test_who_opens_a_group_owns_it(ann: User, bob: User, eve: User) -> None:
    many = ["bob", "BOB", bob.id, "ann", "eve"]
    made = await ann.call("conversations.create", title="picnic", members=many, description="on\nSunday")
    picnic = made["conversation"]
    assert await bob.members(picnic) == {"ann": "owner", "bob": "member", "eve": "member"}
    details = (await bob.call("conversations.get", conversation=picnic))["conversation"]
    assert details == {
        "conversation": picnic, "kind": "group", "title": "picnic", "description": "on\nSunday",
        "visibility": "private", "history": "since_joining", "created_at": details["created_at"],
        "head": 0, "members": 3, "purpose": "general",
    }  # fmt: skip


async def test_opening_is_told_and_is_no_message(node: Node, ann: User, bob: User) -> None:
    """Nor are coming and going: they are events, and nothing of them counts as unread."""
    mine, theirs = await LiveSession.of(node, ann), await LiveSession.of(node, bob)
    picnic = await ann.group(bob)
    for live in (mine, theirs):
        assert {push["person"]["handle"] for push in live.heard("member.joined")} >= {"bob"}
        assert live.heard()[-1]["event"] == "conversation.updated"
        assert live.heard()[-1]["details"] == (await ann.call("conversations.get", conversation=picnic))["conversation"]
    await bob.call("conversations.leave", conversation=picnic)
    assert mine.heard()[-1]["event"] == "member.left"
    await ann.call("conversations.members.add", conversation=picnic, member="bob")
    assert await bob.reads(picnic) == []
    assert (await bob.entry(picnic))["unread"] == (await ann.entry(picnic))["head"] == 0


async def test_a_group_with_somebody_who_does_not_exist_is_not_opened(ann: User) -> None:
    with refused("not_found", "members"):
        await ann.call("conversations.create", title="picnic", members=["ann", "nobody"])
    assert (await ann.call("inbox.list"))["conversations"] == []


async def test_a_group_needs_a_title_of_one_line(ann: User) -> None:
    for title in ("", "two\nlines", "x" * 201):
        with refused("invalid", "title"):
            await ann.call("conversations.create", title=title)


async def test_members_are_listed_page_by_page_in_the_order_of_handles(ann: User, bob: User, eve: User) -> None:
    picnic = await ann.group(bob, eve)
    first = (await bob.call("conversations.members.list", conversation=picnic, limit=2))["members"]
    rest = (await bob.call("conversations.members.list", conversation=picnic, after="bob"))["members"]
    assert [each["person"]["handle"] for each in first + rest] == ["ann", "bob", "eve"]


# ---- who may do what in a group


@attrs.frozen
class Crew:
    """A group with somebody of each role, and an outsider."""

    ship: str
    owner: User
    admin: User
    second: User
    member: User
    other: User
    outsider: User


@pytest.fixture
def crews(node: Node) -> Callable[[str], Awaitable[Crew]]:
    """Makes one crew after another, of the same people."""
    people: dict[str, User] = {}

    async def make(visibility: str = "private") -> Crew:
        for handle in ("owner", "admin", "second", "member", "other", "outsider"):
            if handle not in people:
                people[handle] = await User.new(node, handle)
        everybody = [people[handle] for handle in ("admin", "second", "member", "other")]
        ship = await people["owner"].group(*everybody, title="the ship", visibility=visibility)
        for handle in ("admin", "second"):
            await people["owner"].call("conversations.members.role", conversation=ship, member=handle, role="admin")
        return Crew(ship, **people)

    return make


ACTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rename": ("private", "update", {"title": "the boat"}),
    "describe": ("private", "update", {"description": "afloat"}),
    "open to all": ("private", "update", {"visibility": "public"}),
    "close to all": ("public", "update", {"visibility": "private"}),
    "bring somebody in": ("private", "members.add", {"member": "outsider"}),
    "bring somebody in, in public": ("public", "members.add", {"member": "outsider"}),
    "put a member out": ("private", "members.remove", {"member": "other"}),
    "put an admin out": ("private", "members.remove", {"member": "second"}),
    "put the owner out": ("private", "members.remove", {"member": "owner"}),
    "appoint an admin": ("private", "members.role", {"member": "other", "role": "admin"}),
    "dismiss an admin": ("private", "members.role", {"member": "second", "role": "member"}),
    "hand over": ("private", "members.role", {"member": "other", "role": "owner"}),
    "leave": ("private", "leave", {}),
    "look": ("private", "members.list", {}),
}
#: Action → what happens when the owner, an admin and a plain member try.
MAY = {
    "rename": ("ok", "ok", "forbidden"),
    "describe": ("ok", "ok", "forbidden"),
    "open to all": ("ok", "forbidden", "forbidden"),
    "close to all": ("ok", "ok", "forbidden"),
    "bring somebody in": ("ok", "ok", "forbidden"),
    "bring somebody in, in public": ("ok", "ok", "ok"),
    "put a member out": ("ok", "ok", "forbidden"),
    "put an admin out": ("ok", "forbidden", "forbidden"),
    "put the owner out": ("forbidden", "forbidden", "forbidden"),
    "appoint an admin": ("ok", "forbidden", "forbidden"),
    "dismiss an admin": ("ok", "forbidden", "forbidden"),
    "hand over": ("ok", "forbidden", "forbidden"),
    "leave": ("ok", "ok", "ok"),
    "look": ("ok", "ok", "ok"),
}


async def test_what_owner_admin_and_member_may_do(node: Node, crews: Callable[[str], Awaitable[Crew]]) -> None:
    found = {}
    for action, (visibility, command, fields) in ACTIONS.items():
        outcomes = []
        for role in ("owner", "admin", "member"):
            crew = await crews(visibility)
            who: User = getattr(crew, role)
            outcomes.append(await outcome(who.call(f"conversations.{command}", conversation=crew.ship, **fields)))
        found[action] = tuple(outcomes)
    assert found == MAY
    await assert_sound(node)


async def test_what_was_changed_is_told_to_everybody_in_it(node: Node, ann: User, bob: User) -> None:
    picnic = await ann.group(bob)
    live = await LiveSession.of(node, bob)
    await ann.call("conversations.update", conversation=picnic, title="barbecue", visibility="public")
    (push,) = live.heard("conversation.updated")
    assert (push["details"]["title"], push["details"]["visibility"]) == ("barbecue", "public")
    assert push["details"] == (await bob.call("conversations.get", conversation=picnic))["conversation"]


async def test_a_group_that_is_handed_over_has_one_owner(ann: User, bob: User, eve: User) -> None:
    picnic = await ann.group(bob, eve)
    await ann.call("conversations.members.role", conversation=picnic, member="bob", role="owner")
    assert await eve.members(picnic) == {"ann": "admin", "bob": "owner", "eve": "member"}
    with refused("forbidden"):
        await ann.call("conversations.members.role", conversation=picnic, member="eve", role="admin")


async def test_the_owner_steps_down_only_for_somebody_else(ann: User, bob: User, eve: User) -> None:
    picnic = await ann.group(bob)
    with refused("invalid", "member"):
        await ann.call("conversations.members.role", conversation=picnic, member="ann", role="member")
    with refused("not_found", "member"):
        await ann.call("conversations.members.role", conversation=picnic, member="eve", role="owner")
    assert (await bob.members(picnic))["ann"] == "owner"


async def test_when_the_owner_leaves_the_longest_serving_admin_owns_the_group(
    node: Node, crews: Callable[[], Awaitable[Crew]]
) -> None:
    crew = await crews()
    await crew.admin.call("conversations.leave", conversation=crew.ship)
    await crew.owner.call("conversations.members.add", conversation=crew.ship, member="admin")
    await crew.owner.call("conversations.members.role", conversation=crew.ship, member="admin", role="admin")
    live = await LiveSession.of(node, crew.other)
    await crew.owner.call("conversations.leave", conversation=crew.ship)
    assert (await crew.other.members(crew.ship))["second"] == "owner"  # admin since before `admin` came back
    (push,) = live.heard("member.changed")
    assert (push["person"]["handle"], push["role"]) == ("second", "owner")
    await assert_sound(node)


async def test_without_admins_the_longest_serving_member_does(node: Node, ann: User, bob: User) -> None:
    picnic = await ann.group(bob)
    cy = await User.new(node, "cy")
    await ann.call("conversations.members.add", conversation=picnic, member="cy")
    await bob.call("conversations.leave", conversation=picnic)
    await ann.call("conversations.members.add", conversation=picnic, member="bob")
    await ann.call("conversations.leave", conversation=picnic)
    assert await cy.members(picnic) == {"cy": "owner", "bob": "member"}


async def test_the_last_one_out_leaves_nobody_behind(node: Node, ann: User) -> None:
    picnic = await ann.group()
    await ann.call("conversations.leave", conversation=picnic)
    with refused("not_member", "conversation"):
        await ann.members(picnic)
    await assert_sound(node)


async def test_bringing_somebody_in_twice_changes_nothing(node: Node, ann: User, bob: User) -> None:
    picnic = await ann.group(bob)
    live = await LiveSession.of(node, bob)
    await ann.call("conversations.members.add", conversation=picnic, member="bob")
    assert live.heard() == []
    with refused("not_found", "member"):
        await ann.call("conversations.members.add", conversation=picnic, member="nobody")


async def test_who_is_put_out_is_told_so_and_then_nothing_more(node: Node, ann: User, bob: User, eve: User) -> None:
    picnic = await ann.group(bob, eve)
    live = await LiveSession.of(node, eve)
    await ann.call("conversations.members.remove", conversation=picnic, member="eve")
    await ann.says(picnic, "now that eve is gone")
    (push,) = live.heard()
    assert (push["event"], push["person"]["handle"], push["by"]["handle"]) == ("member.left", "eve", "ann")
    with refused("not_member", "conversation"):
        await eve.reads(picnic)
    with refused("not_found", "member"):
        await ann.call("conversations.members.remove", conversation=picnic, member="eve")


@with_limits(group_members=3)
async def test_a_group_has_so_many_members_and_no_more(node: Node, ann: User, bob: User, eve: User) -> None:
    zoe = await User.new(node, "zoe")
    with refused("too_large"):
        await ann.group(bob, eve, zoe)
    assert (await ann.call("inbox.list"))["conversations"] == []

    full = await ann.group(bob, eve, visibility="public")
    with refused("too_large"):
        await ann.call("conversations.members.add", conversation=full, member="zoe")
    with refused("too_large"):
        await zoe.call("conversations.join", conversation=full)
    await eve.call("conversations.leave", conversation=full)
    await zoe.call("conversations.join", conversation=full)
    assert await zoe.members(full) == {"ann": "owner", "bob": "member", "zoe": "member"}


@with_limits(group_members=0)
async def test_no_limit_on_members_is_none(ann: User, bob: User, eve: User) -> None:
    assert len(await ann.members(await ann.group(bob, eve))) == 3


# ---- public groups


async def test_public_groups_are_found_and_joined(node: Node, ann: User, eve: User) -> None:
    garden = await ann.group(title="The Garden", visibility="public", description="röses of Łódź")
    await ann.group(title="Secret garden")
    await ann.direct(eve)

    async def found(**fields: Any) -> list[str]:
        page = await eve.call("conversations.public", **fields)
        return [each["title"] for each in page["conversations"]]

    assert await found() == await found(query="garden") == await found(query="THE") == ["The Garden"]
    assert await found(query="RÖSES") == await found(query="roses of lodz") == ["The Garden"]
    assert await found(query="kitchen") == await found(query="%") == []
    live = await LiveSession.of(node, ann)
    await eve.call("conversations.join", conversation=garden)
    (push,) = live.heard("member.joined")
    assert push["person"]["handle"] == "eve"
    assert "by" not in push
    await eve.call("conversations.join", conversation=garden)  # is in already
    assert len(live.heard()) == 1
    await eve.call("conversations.leave", conversation=garden)
    await eve.call("conversations.join", conversation=garden)
    assert await ann.members(garden) == {"ann": "owner", "eve": "member"}


async def test_public_groups_are_listed_page_by_page(ann: User, eve: User) -> None:
    ids = sorted([await ann.group(visibility="public") for _ in range(5)])
    seen: list[str] = []
    while page := (await eve.call("conversations.public", limit=2, **({"after": seen[-1]} if seen else {}))):
        if not page["conversations"]:
            break
        seen += [each["conversation"] for each in page["conversations"]]
    assert seen == ids


async def test_a_public_group_is_read_by_those_who_joined(ann: User, eve: User) -> None:
    garden = await ann.group(visibility="public")
    await ann.says(garden, "roses")
    with refused("not_found", "conversation"):
        await eve.reads(garden)
    await eve.call("conversations.join", conversation=garden)
    assert await eve.reads(garden) == ["roses"]


async def test_a_group_that_closes_is_not_found_any_more(ann: User, bob: User, eve: User) -> None:
    garden = await ann.group(bob, visibility="public")
    await ann.call("conversations.update", conversation=garden, visibility="private")
    assert (await eve.call("conversations.public"))["conversations"] == []
    with refused("not_found", "conversation"):
        await eve.call("conversations.join", conversation=garden)
    await bob.call("conversations.join", conversation=garden)  # who is in need not join


async def test_who_was_put_out_of_a_private_group_does_not_join_it(ann: User, eve: User) -> None:
    closed = await ann.group(eve)
    await ann.call("conversations.members.remove", conversation=closed, member="eve")
    with refused("not_member", "conversation"):
        await eve.call("conversations.join", conversation=closed)
