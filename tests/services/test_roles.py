"""Roles that administrators edit."""

from __future__ import annotations

import pytest

from chatnode.model.permissions import PERMISSIONS
from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused

from .dialogue import outcome, token_of, without_plugins


@pytest.fixture
async def root(node: Node) -> User:
    return await User.new(node, "root", admin=True)


async def test_a_change_holds_at_once_and_live_sessions_resume_with_it(
    node: Node, root: User, ann: User, bob: User
) -> None:
    phone = await token_of(ann)
    live, roots = await phone.live(), await LiveSession.of(node, root)
    await phone.call("conversations.create", title="one")
    await root.call("roles.set", role="member", permissions=["chat"])
    assert [push["role"] for push in live.heard("role.changed")] == ["member"]
    assert (live.ended, roots.ended) == (True, None)
    with refused("forbidden"):
        await phone.call("conversations.create", title="two")
    await root.call("roles.set", role="member", permissions=["chat", "groups.create"])
    await phone.call("conversations.create", title="two")


async def test_a_change_to_the_same_ends_nothing(node: Node, root: User, ann: User) -> None:
    live = await LiveSession.of(node, ann)
    (same,) = [each["permissions"] for each in (await root.call("roles.list"))["roles"] if each["role"] == "member"]
    await root.call("roles.set", role="member", permissions=same)
    assert live.ended is None


async def test_a_session_that_cannot_be_ended_leaves_no_other_one(node: Node, root: User, ann: User, bob: User) -> None:
    class Failing(LiveSession):
        def end(self, *, resume: bool, reason: str) -> None:
            raise RuntimeError

    failing = Failing(ann, 0)
    await node.sessions.attach(failing)
    failing.go_live()
    live = await LiveSession.of(node, bob)
    await root.call("roles.set", role="member", permissions=["chat"])
    assert live.ended is not None
    assert failing not in node.sessions.all()


@without_plugins
async def test_a_new_role_is_listed_given_and_deleted_when_nobody_has_it(root: User, ann: User) -> None:
    await root.call("roles.set", role="importer", permissions=["import", "chat"])
    given = await root.call("roles.list")
    assert {"role": "importer", "permissions": ["chat", "import"], "people": 0} in given["roles"]
    assert [each["permission"] for each in given["permissions"]] == list(PERMISSIONS)

    await root.call("people.role", person="ann", role="importer")
    with refused("conflict", "role"):
        await root.call("roles.delete", role="importer")
    await root.call("people.role", person="ann", role="member")
    await root.call("roles.delete", role="importer")
    with refused("not_found", "role"):
        await root.call("people.role", person="ann", role="importer")
    with refused("not_found", "role"):
        await root.call("roles.delete", role="importer")


async def test_administrators_keep_everything_and_members_stay(root: User) -> None:
    for command, fields, code in (
        ("roles.set", {"role": "admin", "permissions": ["chat"]}, "forbidden"),
        ("roles.delete", {"role": "admin"}, "forbidden"),
        ("roles.delete", {"role": "member"}, "forbidden"),
        ("roles.set", {"role": "x", "permissions": ["fly"]}, "invalid"),
        ("roles.set", {"role": "x", "permissions": []}, "invalid"),
        ("roles.set", {"role": "Two Words", "permissions": ["chat"]}, "invalid"),
    ):
        assert await outcome(root.call(command, **fields)) == code, fields


async def test_nobody_gives_or_takes_what_they_do_not_have(node: Node, root: User) -> None:
    await root.call("roles.set", role="editor", permissions=["chat", "roles.manage"])
    await User.new(node, "ed")
    await root.call("people.role", person="ed", role="editor")
    ed = await token_of(root, person="ed")
    with refused("forbidden", "permissions"):
        await ed.call("roles.set", role="editor", permissions=["chat", "roles.manage", "operate"])
    with refused("forbidden", "permissions"):  # moderators would lose what is not his to take
        await ed.call("roles.set", role="moderator", permissions=["chat"])
    with refused("forbidden", "role"):
        await ed.call("roles.delete", role="moderator")
    await ed.call("roles.set", role="reader", permissions=["chat"])


async def test_members_neither_see_nor_change_roles(ann: User) -> None:
    for command, fields in (
        ("roles.list", {}),
        ("roles.set", {"role": "x", "permissions": ["chat"]}),
        ("roles.delete", {"role": "moderator"}),
    ):
        with refused("forbidden"):
            await ann.call(command, **fields)


async def test_a_role_without_chat_hears_nothing(node: Node, root: User, ann: User) -> None:
    room = await ann.group()
    await root.call("roles.set", role="watcher", permissions=["operate"])
    await root.call("people.role", person="ann", role="watcher")
    watcher = await token_of(root, person="ann")
    with refused("forbidden"):
        await watcher.call("messages.list", conversation=room)
    await watcher.call("node.statistics")
