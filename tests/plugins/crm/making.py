"""Contacts for the dialogues, and settings of the plugin."""

from __future__ import annotations

from typing import Any

import pytest
from chatnode_crm.contacts import finding
from chatnode_crm.contacts.writing import create_many, delete_many
from chatnode_crm.tags.changing import make_tag
from chatnode_crm.tags.finding import tag_by_name

from chatnode.api import DAY_MS, Transaction
from chatnode.config import Config
from chatnode.node import Node
from chatnode.storage.log.consumers import row_at
from chatnode.storage.log.plugin_log import event
from chatnode.testing import User


def with_settings(**settings: Any) -> pytest.MarkDecorator:
    """Run a test on a node whose `[plugins.crm]` is this."""
    name = ", ".join(f"{key}={value}" for key, value in settings.items())
    return pytest.mark.parametrize("config", [Config(of_plugins={"crm": settings})], ids=[name])


def tag_called(tx: Transaction, name: str, actor: int | None = None) -> int:
    """The key of a tag, which is made if there is none with this name."""
    found = tag_by_name(tx, name)
    return found.key if found is not None else make_tag(tx, name, actor=actor).key


async def make_contacts(node: Node, *names: str, **values: str) -> dict[str, str]:
    """Contacts with these first names and the same other values; returns their ids by name."""

    def write(tx: Any) -> dict[str, str]:
        emails = [f"{name}@mail.org" for name in names]
        rows = [
            {"first_name": name, "email": email, "email_key": email, **values}
            for name, email in zip(names, emails, strict=True)
        ]
        keys = create_many(tx, rows, source="manual", actor=None)
        return {name: row.id for name, row in zip(names, finding.rows(tx, keys), strict=True)}

    return await node.core.db.write(write)


async def delete_contacts(node: Node, *ids: str) -> None:
    def write(tx: Any) -> None:
        delete_many(tx, list(finding.keys_by_id(tx, ids).values()), reason=None, actor=None)

    await node.core.db.write(write)


async def members(who: User, list: str, **fields: Any) -> list[str]:
    """First names, from the contact that was added last."""
    page = await who.does("crm.lists.members", list=list, **fields)
    return [each["contact"]["first_name"] for each in page["members"]]


async def events(node: Node, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
    """The types and the data of the events of these kinds, oldest first, as consumers get them."""

    def read(reader: Any) -> list[tuple[str, dict[str, Any]]]:
        gids = [gid for (gid,) in reader.execute("SELECT gid FROM log ORDER BY gid").fetchall()]
        rows = [row for row in (row_at(reader, gid) for gid in gids) if row is not None and row.kind in kinds]
        made = [event(reader, row) for row in rows]
        return [(each["event_type"], each["data"]) for each in made if each is not None]

    return await node.core.db.read(read)


async def set_back(node: Node, table: str, column: str, days: float, condition: str = "1 = 1") -> None:
    """As if it had happened so many days before."""
    await node.core.db.write(
        lambda tx: tx.execute(f"UPDATE {table} SET {column} = {column} - ? WHERE {condition}", (days * DAY_MS,))
    )
