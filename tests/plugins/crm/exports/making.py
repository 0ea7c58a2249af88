"""Contacts to export, and exports that are carried out."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from chatnode_crm.contacts.values import Rules, check
from chatnode_crm.contacts.writing import create_many
from chatnode_crm.lists.changing import make_list
from chatnode_crm.lists.membership import add_many
from chatnode_crm.tags.tagging import tag_many

from chatnode.api import Transaction
from chatnode.node import Node
from chatnode.testing import User, run_work
from tests.plugins.crm.making import tag_called


def contact(**fields: str) -> dict[str, Any]:
    """A contact as it is stored."""
    values, faults = check(fields, Rules())
    assert not faults
    return dict(values)


async def add(node: Node, *contacts: dict[str, Any], lists: str = "", tags: str = "") -> list[int]:
    """Create contacts, on these lists and with these tags, whose names are separated by commas; returns their keys."""

    def write(tx: Transaction) -> list[int]:
        keys = create_many(tx, list(contacts), source="manual", actor=None)
        for name in filter(None, lists.split(",")):
            add_many(tx, make_list(tx, name, kind="static", actor=None).key, keys, actor=None)
        for name in filter(None, tags.split(",")):
            tag_many(tx, tag_called(tx, name), keys, actor=None)
        return keys

    return await node.core.db.write(write)


async def export(node: Node, who: User, **fields: Any) -> dict[str, Any]:
    """An export that was carried out, as its user sees it."""
    made = (await who.call("crm.exports.create", **{"contacts": {"all": True}, **fields}))["export"]
    await run_work(node, made["work"])
    return (await who.call("crm.exports.get", export=made["export"]))["export"]


async def path_of(node: Node, export: dict[str, Any]) -> Path:
    """Where the node has the file."""
    return Path((await node.call("crm.exports.get", export=export["export"]))["export"]["path"])


async def rows_of(node: Node, export: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    text = (await path_of(node, export)).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))
