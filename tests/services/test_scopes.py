"""Tokens that may do less than their owner, and bots."""

from __future__ import annotations

import pytest

from chatnode.model.permissions import PERMISSIONS, scopes_of
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.commands import COMMANDS, PLUGINS

from .dialogue import PASSWORD, Visitor, outcome, token_of, with_password, without_plugins

OF_PLUGINS = [each.name for plugin in PLUGINS for each in plugin.permissions]


@pytest.fixture
def only_plugins() -> None:
    """All that are installed, unlike in most tests beside these."""


#: What would give more than the token has: other tokens' ends, new ways in, everything that is kept of somebody.
UNSCOPED = {
    "people.adopt", "people.erase", "people.export", "people.password", "people.reset_link", "plugins.drop",
    "sessions.revoke", "sessions.revoke_others", "webhooks.incoming.add", "webhooks.incoming.rotate",
}  # fmt: skip


async def test_a_reading_token_reads_and_does_not_write(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    await ann.says(talk, "hello")
    reader = await token_of(bob, scopes=["chat:read"])
    page = await reader.call("messages.list", conversation=talk)
    assert [message["text"] for message in page["messages"]] == ["hello"]
    with refused("forbidden"):
        await reader.call("messages.post", conversation=talk, cid="1", text="hello")
    assert await ann.reads(talk) == ["hello"]


@pytest.mark.parametrize("scope", sorted(scopes_of([*PERMISSIONS, *OF_PLUGINS])))
async def test_a_token_of_one_scope_gets_past_the_door_of_just_these_commands(node: Node, scope: str) -> None:
    """Every command is tried, with a field that none has: who is let in is told that, before anything is done."""
    root = await User.new(node, "root", admin=True)
    token = await token_of(root, scopes=[scope])
    permission, _, reads_only = scope.partition(":")
    for command in COMMANDS:
        wanted = "invalid"
        if command.permission is not None:
            mine = permission in (command.permission, command.or_permission) and (command.reads or not reads_only)
            wanted = "invalid" if mine and command.name not in UNSCOPED else "forbidden"
        assert await outcome(token.call(command.name, no_such_field=1)) == wanted, command.name


@without_plugins
async def test_a_token_tells_its_scopes(node: Node, ann: User) -> None:
    token = await token_of(ann, scopes=["chat:read", "groups.create"], label="archive")
    me = await token.call("people.me")
    assert (me["permissions"], me["scopes"]) == (["chat", "groups.create"], ["chat:read", "groups.create"])
    (listed,) = (await ann.call("sessions.list"))["sessions"]
    assert (listed["label"], listed["scopes"]) == ("archive", ["chat:read", "groups.create"])


async def test_a_scope_is_no_more_than_the_owners_role(ann: User) -> None:
    token = await token_of(ann, scopes=["people.manage", "chat"])
    with refused("forbidden"):
        await token.call("people.create", handle="zoe")


async def test_a_token_with_scopes_makes_none_that_can_do_more(node: Node) -> None:
    root = await User.new(node, "root", admin=True)
    await User.new(node, "helper")
    maker = await token_of(root, scopes=["chat", "operate:read", "people.manage"])
    tried = {
        (): "ok",
        ("chat",): "ok",
        ("chat:read", "operate:read"): "ok",
        ("operate",): "forbidden",
        ("chat", "import"): "forbidden",
        ("moderate:read",): "forbidden",
        ("cha",): "invalid",
        ("chat:write",): "invalid",
    }
    for whose in ({}, {"person": "helper"}):
        found = {scopes: await outcome(maker.call("tokens.create", scopes=list(scopes), **whose)) for scopes in tried}
        assert found == tried
        with refused("forbidden", "scopes"):  # which would be one without bounds
            await maker.call("tokens.create", **whose)


async def test_a_token_with_scopes_changes_no_password_and_ends_no_other_session(node: Node) -> None:
    root = await with_password(node, "root", admin=True)
    await User.new(node, "ann")
    token = await token_of(root, scopes=sorted(PERMISSIONS))
    for command, fields in (
        ("people.password", {"old": PASSWORD, "new": "another password"}),
        ("people.password", {"person": "ann", "new": "another password"}),
        ("people.reset_link", {"person": "ann"}),
        ("sessions.revoke_others", {}),
    ):
        with refused("forbidden"):
            await token.call(command, **fields)


async def test_a_token_with_scopes_closes_no_account_of_its_own(ann: User, bob: User) -> None:
    """Who has no password is not asked for one, and so the scope would be all that it takes."""
    token = await token_of(ann, scopes=["chat"])
    for command, fields in (("people.deactivate", {}), ("people.erase", {"handle": "ann"})):
        with refused("forbidden"):
            await token.call(command, **fields)
    await token.call("people.me")


async def test_a_token_with_scopes_manages_people_within_them(node: Node, ann: User, bob: User) -> None:
    root = await User.new(node, "root", admin=True)
    token = await token_of(root, scopes=["people.manage", "chat"])
    await token.call("people.deactivate", person="ann")
    await root.call("people.role", person="bob", role="moderator")
    for command, fields in (
        ("people.deactivate", {"person": "bob"}),
        ("people.role", {"person": "bob", "role": "member"}),
        ("people.role", {"person": "root", "role": "member"}),
        ("people.create", {"handle": "zoe", "admin": True}),
        ("tokens.create", {"person": "bob", "scopes": ["chat"]}),
    ):
        with refused("forbidden"):
            await token.call(command, **fields)


async def test_a_token_that_expires_makes_none_that_lives_longer(ann: User) -> None:
    short = await token_of(ann, days=2, scopes=["chat"])
    for days in ({}, {"days": 900}, {"days": 1}):
        await short.call("tokens.create", scopes=["chat"], label=f"{days}", **days)
    first, *made = (await ann.call("sessions.list"))["sessions"]
    assert [each["expires_at"] == first["expires_at"] for each in made] == [True, True, False]
    assert all(each["expires_at"] <= first["expires_at"] for each in made)


async def test_a_device_makes_tokens_that_live_longer_than_it(node: Node) -> None:
    """A device lives on with each use, so when it would end now bounds nothing."""
    ann = await with_password(node, "ann")
    phone = await Visitor(node).sign_in("ann")
    await phone.call("tokens.create", label="a year", days=365)
    await phone.call("tokens.create", label="for good")
    device, year, good = (await ann.call("sessions.list"))["sessions"]
    assert device["expires_at"] < year["expires_at"]
    assert "expires_at" not in good


# ---- bots


async def test_a_bot_has_tokens_and_no_password(node: Node, ann: User) -> None:
    root = await User.new(node, "root", admin=True)
    made = await root.call("people.create", handle="weather", name="Weather", bot=True)
    assert made["person"]["bot"] is True
    assert "bot" not in (await ann.call("people.get", person="ann"))["person"]

    bot = await token_of(root, person="weather", scopes=["chat"])
    talk = (await bot.call("conversations.direct", **{"with": "ann"}))["conversation"]
    await bot.call("messages.post", conversation=talk, cid="1", text="It rains.")
    assert await ann.reads(talk) == ["It rains."]

    with refused("invalid", "person"):
        await root.call("people.password", person="weather", new="a password of a bot")
    with refused("invalid", "person"):
        await root.call("people.reset_link", person="weather")
    with refused("wrong_password"):
        await Visitor(node).sign_in("weather", "a password of a bot")


async def test_a_bot_is_no_administrator(node: Node) -> None:
    with refused("invalid", "admin"):
        await node.call("people.create", handle="weather", bot=True, admin=True)
    with refused("invalid", "password"):
        await node.call("people.create", handle="weather", bot=True, password=PASSWORD)
    await node.call("people.create", handle="weather", bot=True)
    with refused("invalid", "role"):
        await node.call("people.role", person="weather", role="admin")
    await node.call("people.role", person="weather", role="moderator")


async def test_members_make_no_bots(ann: User) -> None:
    with refused("forbidden"):
        await ann.call("people.create", handle="weather", bot=True)
