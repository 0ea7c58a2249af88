"""The audit log: everything that takes more than a member may do is in it, and no secret and no message is."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.model.permissions import MEMBER, ROLES
from chatnode.node import Node
from chatnode.services import COMMANDS
from chatnode.testing import User, refused
from tests.works import stored_work

SECRET = "kingfisher and heron"

#: Commands that change something and take more than a member may do → fields, for root.
DONE: dict[str, dict[str, Any]] = {
    "people.create": {"handle": "zoe", "password": SECRET},
    "people.role": {"person": "bob", "role": "moderator"},
    "people.password": {"person": "bob", "new": SECRET},
    "tokens.create": {"person": "bob", "scopes": ["chat:read"], "label": SECRET},
    "bots.create": {"handle": "helper", "name": SECRET},
    "bots.token": {"bot": "helper", "label": SECRET},
    "people.sign_out": {"person": "bob"},
    "people.deactivate": {"person": "bob"},
    "people.reactivate": {"person": "bob"},
    "people.reset_link": {"person": "bob"},
    "invites.create": {"uses": 3},
    "invites.revoke": {"invite": 1},
    "roles.set": {"role": "helper", "permissions": ["chat", "moderate"]},
    "roles.delete": {"role": "helper"},
    "people.erase": {"person": "cay", "handle": "cay"},
    "reports.resolve": {"report": 1, "resolution": "dismissed"},
    "node.repair": {},
    "backup.create": {},
    "jobs.run": {"job": "expired"},
    "import.conversation": {"source": "irc", "key": "#x", "title": "#x"},
    "import.messages": {"source": "irc", "items": [{"cid": "1", "author": "Ada", "at": 0, "text": SECRET}]},
    "import.missing": {"source": "irc", "key": "#x", "items": [{"cid": "1", "author": "Ada L"}]},
    "people.adopt": {"author": "ada", "person": "bob"},
    "work.pause": {},
    "work.resume": {},
    "work.cancel": {},
}
#: Done by the operator before there is an administrator.
SETUP = "setup.create"
#: These need an authority: tests/certificates/test_pebble.py looks for their entries.
OF_AUTHORITIES = {"certificate.issue", "certificate.revoke"}
#: These need a plugin: tests/plugins/core/test_plugin_commands.py looks for their entries.
OF_PLUGINS = {f"plugins.{each}" for each in ("replay", "retry", "dismiss", "enable", "disable", "drop")}


def takes_more(command: Any) -> bool:
    asked = {command.permission, command.or_permission} - {None}
    return not command.reads and bool(asked - ROLES[MEMBER])


def test_every_such_command_is_tried() -> None:
    assert {command.name for command in COMMANDS if takes_more(command)} == {*DONE, SETUP} | OF_PLUGINS | OF_AUTHORITIES


@pytest.fixture
async def root(node: Node) -> User:
    return await User.new(node, "root", admin=True)


async def entries(root: User, **fields: Any) -> list[dict[str, Any]]:
    return (await root.call("audit.list", **fields))["entries"]


async def test_each_leaves_an_entry_and_no_secret(node: Node, root: User, bob: User) -> None:
    talk = await root.direct(bob)
    cay = await User.new(node, "cay")
    await cay.says(await cay.direct(bob), SECRET)
    bad = await bob.posts(talk, SECRET)
    await root.call("messages.report", message=bad["message"], reason="spam", note=SECRET)
    given: list[str] = []
    work = await stored_work(node, bob, SECRET)
    for command, fields in DONE.items():
        if command == "import.messages":
            listed = await entries(root, action="import.conversation")
            fields = fields | {"conversation": listed[0]["target"]}
        if command.startswith("work."):
            fields = fields | {"work": work}
        answer = await root.call(command, **fields)
        given += [str(answer[name]) for name in ("token", "code", "link") if name in answer]
        newest = next(entry for entry in await entries(root) if "actor" in entry)
        assert (newest["action"], newest["actor"]["handle"]) == (command, "root")
    everything = str(await entries(root))
    assert not [secret for secret in (SECRET, *given) if secret in everything]


async def test_what_the_operator_does_has_no_actor(node: Node) -> None:
    await node.call(SETUP)
    await node.call("people.create", handle="root", admin=True)
    found = (await node.call("audit.list"))["entries"]
    assert [(each["action"], "actor" in each) for each in found] == [("people.create", False), (SETUP, False)]


async def test_what_one_does_with_ones_own_account_is_nobodys_business(node: Node, root: User, ann: User) -> None:
    before = len(await entries(root))
    await ann.call("tokens.create")
    await ann.call("people.update", name="Ann")
    await ann.call("sessions.revoke_others")
    assert len(await entries(root)) == before


async def test_it_is_read_page_by_page_by_actor_action_and_target(node: Node, root: User, bob: User) -> None:
    for role in ("moderator", "member"):
        await root.call("people.role", person="bob", role=role)
    await node.call("people.role", person="bob", role="moderator")
    await bob.call("tokens.create")
    await root.call("people.sign_out", person="bob")
    first = await entries(root, limit=2)
    second = await entries(root, limit=2, before=first[-1]["entry"])
    assert [each["action"] for each in first + second] == ["people.sign_out", *["people.role"] * 3]
    assert [each["details"]["after"] for each in await entries(root, action="people.role", actor="root")] == [
        "member", "moderator",
    ]  # fmt: skip
    assert len(await entries(root, target="bob")) == len(await entries(root, target=bob.id)) == 5
    assert await entries(root, target="nothing") == []


async def test_a_refused_command_leaves_none(root: User) -> None:
    before = await entries(root)
    with refused("conflict"):
        await root.call("people.role", person="root", role="member")
    assert await entries(root) == before


async def test_it_is_not_for_members(ann: User) -> None:
    with refused("forbidden"):
        await ann.call("audit.list")
