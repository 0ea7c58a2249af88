"""Contacts for tests, and what is stored about them."""

from __future__ import annotations

from typing import Any

from chatnode_crm.contacts.finding import by_id
from chatnode_crm.contacts.values import Rules, check
from chatnode_crm.contacts.writing import create_many

from chatnode.api import Transaction
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.sql import rows


async def contact(node: Node, email: str | None = None, *, source: str = "manual", **fields: Any) -> str:
    """A contact; returns its id. Fields that are no texts are stored as they are."""
    given = {"email": email, **fields}
    texts = {name: value for name, value in given.items() if name not in ("custom", "owner", "opted_out_at")}
    values, faults = check({name: value for name, value in texts.items() if value is not None}, Rules())
    assert not faults, faults
    stored = {**values, **{name: value for name, value in given.items() if name not in texts}}

    def write(tx: Transaction) -> str:
        [key] = create_many(tx, [stored], source=source, actor=None)
        return tx.execute("SELECT id FROM crm_contacts WHERE key = ?", (key,)).fetchone()[0]

    return await node.core.db.write(write)


async def key_of(node: Node, id: str) -> int:
    return (await node.core.db.read(lambda reader: by_id(reader, id))).key


async def of_account(node: Node, who: User, by: User, **fields: Any) -> str:
    """A contact with a verified account; returns its id."""
    id = await contact(node, f"{who.handle}@example.org", **fields)
    await by.call("crm.identities.add", contact=id, kind="chat", external_id=who.handle, verified=True)
    return id


async def count(node: Node, sql: str, *values: object) -> int:
    return (await rows(node, sql, *values))[0][0]


async def events_since(node: Node, gid: int) -> list[str]:
    """The names of the plugin's events, without its prefix."""
    found = await rows(node, "SELECT kind FROM log WHERE gid > ? AND kind LIKE 'crm.%' ORDER BY gid", gid)
    return [kind.removeprefix("crm.") for (kind,) in found]


async def head(node: Node) -> int:
    return await count(node, "SELECT coalesce(max(gid), 0) FROM log")
