"""A list is its owner's alone."""

from __future__ import annotations

import pytest
from chatnode_contacts.commands import COMMANDS
from chatnode_contacts.queries import COLLECTIONS

from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused
from tests.plugins.contacts.keeping import become_contacts, kept, listed, requests
from tests.services.dialogue import Visitor, outcome, token_of, with_password

FIELDS = {
    "contacts.request": {"person": "bob"},
    "contacts.accept": {"person": "bob"},
    "contacts.decline": {"person": "bob"},
    "contacts.cancel": {"person": "bob"},
    "contacts.requests": {},
    "contacts.list": {},
    "contacts.get": {"person": "bob"},
    "contacts.add": {"person": "bob"},
    "contacts.update": {"person": "bob", "note": "x"},
    "contacts.remove": {"person": "bob"},
    "contacts.labels.list": {},
    "contacts.labels.rename": {"kind": "group", "name": "goldcrest", "to": "x"},
    "contacts.labels.delete": {"kind": "group", "name": "goldcrest"},
}
CANARIES = ("goldcrest", "zebrafinch", "nightjar", "siskin", "redpoll", "4917012345")


@pytest.fixture
async def keeper(ann: User, bob: User, cay: User) -> User:
    """Ann, who keeps secrets about Bob, and has asked Cay something."""
    await become_contacts(ann, bob)
    await ann.call(
        "contacts.update", person="bob", nickname="zebrafinch", note="nightjar", number="4917012345",
        groups=["goldcrest"], tags=["siskin"],
    )  # fmt: skip
    await ann.call("contacts.request", person="cay", note="redpoll")
    return ann


async def test_nobody_else_sees_or_changes_it(node: Node, keeper: User, bob: User, cay: User, eve: User) -> None:
    """Everything that others can ask for, whoever they are, and what they are pushed."""
    others = (bob, cay, eve, await User.new(node, "root", admin=True))
    before = (await kept(keeper, bob), await requests(keeper, "outgoing"))
    received: list[object] = []
    for who in others:
        ears = await LiveSession.of(node, who)
        for name, fields in FIELDS.items():
            try:
                received.append(await who.call(name, **fields))
            except Refusal as refusal:
                received.append(refusal.code)
        for collection in COLLECTIONS:
            received.append(await who.call("items.query", collection=collection.name))
        received += [await who.call("people.get", person="bob"), ears.pushes]
    found = [word for word in CANARIES if word in str(received)]
    assert found == ["redpoll"]  # which Cay was to read
    assert (await kept(keeper, bob), await requests(keeper, "outgoing")) == before


async def test_the_note_of_a_request_is_for_the_two(keeper: User, bob: User, eve: User) -> None:
    for who in (bob, eve):
        for direction in ("incoming", "outgoing"):
            assert "redpoll" not in str(await who.call("contacts.requests", direction=direction))
        for command in ("accept", "decline"):
            with refused("not_found", "person"):
                await who.call(f"contacts.{command}", person="ann")


async def test_nobody_accepts_for_another(keeper: User, cay: User) -> None:
    with refused("not_found", "person"):
        await keeper.call("contacts.accept", person="cay")  # it was she who asked
    assert await listed(cay) == []


async def test_every_command_is_tried_here() -> None:
    assert set(FIELDS) == {command.name for command in COMMANDS}


async def test_it_takes_the_permission(node: Node, ann: User, bob: User) -> None:
    await node.call("roles.set", role="guest", permissions=["chat"])
    await node.call("people.role", person="ann", role="guest")
    for name, fields in FIELDS.items():
        assert await outcome(ann.call(name, **fields)) == "forbidden", name
        assert await outcome(Visitor(node).call(name, **fields)) == "unauthenticated", name
    for collection in COLLECTIONS:
        assert await outcome(ann.call("items.query", collection=collection.name)) == "forbidden"


async def test_members_and_moderators_have_it_from_the_first_day(node: Node) -> None:
    roles = {each["role"]: each["permissions"] for each in (await node.call("roles.list"))["roles"]}
    assert all("contacts.use" in roles[role] for role in ("member", "moderator", "admin"))


async def test_a_token_that_only_reads_changes_nothing(node: Node) -> None:
    ann = await with_password(node, "ann")
    await User.new(node, "bob")
    token = await token_of(ann, scopes=["contacts.use:read"])
    reads = {command.name: command.reads for command in COMMANDS}
    for name, fields in FIELDS.items():
        code = await outcome(token.call(name, **fields))
        assert (code == "forbidden") != reads[name], (name, code)


async def test_the_operator_of_the_machine_keeps_no_contacts(node: Node, bob: User) -> None:
    for name, fields in FIELDS.items():
        context = Caller(node.core, operator=True)
        assert await outcome(node.table.run(context, name, dict(fields))) == "forbidden", name
