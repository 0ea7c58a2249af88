"""Which roles may do what with people, forms and broadcasts."""

from __future__ import annotations

import pytest
from chatnode_crm import broadcasts, people

from chatnode.node import Node
from chatnode.testing import User
from tests.plugins import rows
from tests.services.dialogue import Visitor, outcome
from tests.test_matrix import Target

EVERY_ROLE = {
    "crm.identities.list", "crm.contacts.by_person", "crm.contacts.card", "crm.duplicates.list", "crm.forms.list",
}  # fmt: skip
MARKETING = {
    "crm.broadcasts.create", "crm.broadcasts.get", "crm.broadcasts.list", "crm.broadcasts.deliveries",
    "crm.broadcasts.pause", "crm.broadcasts.resume", "crm.broadcasts.cancel", "crm.contacts.report",
}  # fmt: skip
COMMANDS = [each.name for each in (*people.PART.commands, *broadcasts.PART.commands)]


@pytest.mark.parametrize("name", COMMANDS)
async def test_each_command_takes_its_permission(node: Node, mara: User, vic: User, kim: User, name: str) -> None:
    spare = await User.new(node, "spare")
    target = Target(await mara.direct(spare), "0" * 32, spare="spare", outside="spare")
    fields = rows.FIELDS[name](target)
    assert await outcome(Visitor(node).call(name, **fields)) == "unauthenticated"
    assert await outcome(spare.call(name, **fields)) == "forbidden"
    assert (await outcome(vic.call(name, **fields)) == "forbidden") is (name not in EVERY_ROLE)
    assert (await outcome(kim.call(name, **fields)) == "forbidden") is (name not in EVERY_ROLE | MARKETING)
    assert await outcome(mara.call(name, **fields)) != "forbidden"
