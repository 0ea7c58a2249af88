"""Who may do what with contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chatnode_attachments
import chatnode_contacts
import chatnode_crm
import pytest

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.contacts.keeping import ADA, created
from tests.services.dialogue import Visitor, outcome

FIELDS: dict[str, dict[str, Any]] = {
    "crm.contacts.create": {"email": "new@example.org"},
    "crm.contacts.get": {},
    "crm.contacts.update": {"city": "London"},
    "crm.contacts.delete": {},
    "crm.contacts.list": {},
    "crm.contacts.search": {"query": "ada"},
    "crm.contacts.timeline": {},
    "crm.contacts.history": {},
    "crm.contacts.upsert": {"contacts": [ADA]},
    "crm.contacts.changes": {},
    "crm.notes.add": {"text": "a note"},
    "crm.notes.list": {},
    "crm.fields.list": {},
    "crm.fields.define": {"name": "size"},
}
OF_CONTACT = {"get", "update", "delete", "timeline", "history"} | {"notes.add", "notes.list"}
READS = {
    "crm.contacts.get", "crm.contacts.list", "crm.contacts.search", "crm.contacts.timeline", "crm.contacts.history",
    "crm.contacts.changes", "crm.notes.list", "crm.fields.list",
}  # fmt: skip


def fields_of(name: str, contact: str) -> dict[str, Any]:
    """Fields with which the command does something where it is allowed."""
    of_contact = name.removeprefix("crm.").removeprefix("contacts.") in OF_CONTACT
    return {**FIELDS[name], **({"contact": contact} if of_contact else {})}


@pytest.mark.parametrize("name", sorted(FIELDS))
async def test_each_command_takes_its_permission(node: Node, mara: User, vic: User, kim: User, name: str) -> None:
    fields = fields_of(name, (await created(mara, **ADA))["id"])
    bystander = await User.new(node, "bystander")
    assert await outcome(Visitor(node).call(name, **fields)) == "unauthenticated"
    assert await outcome(bystander.call(name, **fields)) == "forbidden"
    for who in (vic, kim):
        assert await outcome(who.call(name, **fields)) == ("ok" if name in READS else "forbidden")
    assert await outcome(mara.call(name, **fields)) == "ok"


class TestRoles:
    @pytest.fixture
    def only_plugins(self) -> Sequence[Any]:
        return [chatnode_attachments, chatnode_contacts, chatnode_crm]

    async def test_users_who_work_with_contacts_can_do_what_members_can(self, node: Node) -> None:
        roles = {each["role"]: set(each["permissions"]) for each in (await node.call("roles.list"))["roles"]}
        assert {"chat", "groups.create", "attachments.upload", "contacts.use"} <= roles["member"]
        for name in ("contacts_manager", "contacts_viewer", "marketing_manager"):
            assert roles[name] > roles["member"]


async def test_contacts_are_listed_only_for_those_who_may_see_them(node: Node, mara: User, vic: User) -> None:
    await created(mara, **ADA)
    assert len((await vic.call("items.query", collection="crm_contacts"))["data"]) == 1
    with refused("forbidden"):
        await (await User.new(node, "bystander")).call("items.query", collection="crm_contacts")


async def test_users_are_sent_nothing_of_contacts(node: Node, mara: User) -> None:
    """Events are for consumers and for those who ask with the permission."""
    from chatnode.testing import LiveSession

    ears = [await LiveSession.of(node, who) for who in (mara, await User.new(node, "root", admin=True))]
    ada = await created(mara, **ADA)
    await mara.call("crm.contacts.update", contact=ada["id"], city="London")
    assert [ear.pushes for ear in ears] == [[], []]
