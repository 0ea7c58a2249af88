"""The functions that write contacts: real changes only, each with its event."""

from __future__ import annotations

from chatnode_crm.contacts import finding, writing

from chatnode.node import Node


async def test_contacts_are_created_in_order(node: Node) -> None:
    rows = [{"email": "Ada@example.org", "email_key": "ada@example.org", "first_name": "Ada"}, {"external_id": "7"}]
    keys = await node.core.db.write(lambda tx: writing.create_many(tx, rows, source="api", actor=None))
    found = await node.core.db.read(lambda reader: finding.rows(reader, keys[::-1]))
    assert [(row.external_id, row.first_name, row.source) for row in found] == [
        ("7", None, "api"),
        (None, "Ada", "api"),
    ]
    assert (await node.core.db.read(lambda reader: finding.by_id(reader, found[1].id))).key == keys[0]
