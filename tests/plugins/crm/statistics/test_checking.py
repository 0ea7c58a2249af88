"""The check of lists and tags, and its repair."""

from __future__ import annotations

import pytest

from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.crm.making import make_contacts

SIZES = "SELECT l.members, t.contacts FROM crm_lists l, crm_tags t"


async def sizes(node: Node) -> list[tuple[int, int]]:
    return await node.core.db.read(lambda reader: reader.execute(SIZES).fetchall())


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("UPDATE crm_lists SET members = 7", "wrong number of contacts in 1 list"),
        ("UPDATE crm_tags SET contacts = 0", "wrong number of contacts in 1 tag"),
        (
            "INSERT INTO crm_members (list, contact, added_at) SELECT key, 999, 0 FROM crm_lists",
            "no contact or list for 1 row of crm_members",
        ),
        (
            "INSERT INTO crm_taggings (tag, contact, created_at) SELECT 999, key, 0 FROM crm_contacts LIMIT 1",
            "no contact or tag for 1 row of crm_taggings",
        ),
    ],
)
async def test_counts_are_repaired(node: Node, kim: User, fault: str, problem: str) -> None:
    ids = await make_contacts(node, "ada", "bob", "cay")
    await kim.does("crm.lists.create", name="News")
    await kim.does("crm.lists.add", list="News", contacts=[ids["ada"], ids["bob"]])
    await kim.does("crm.tags.create", name="gold")
    await kim.does("crm.tags.apply", tags=["gold"], contacts=[ids["ada"]])
    assert await sizes(node) == [(2, 1)]
    await node.core.db.write(lambda tx: tx.execute(fault))
    checked = await node.call("node.check")
    assert problem in [line for each in checked["checks"] for line in each["problems"]]
    repaired = await node.call("node.repair")
    assert repaired["clean"], repaired
    assert await sizes(node) == [(2, 1)]
