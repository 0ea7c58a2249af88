"""What tests of imports share: beginning and finishing them, and all that they leave in the tables."""

from __future__ import annotations

from typing import Any

from chatnode.api import Reader
from chatnode.node import Node
from chatnode.testing import run_work


async def begun(who: Any, text: str, **options: Any) -> str:
    """The id of an import whose columns are mapped. `who` is a user, or the node for the operator."""
    id = (await who.call("crm.imports.create", text=text))["import"]["id"]
    await who.call("crm.imports.map", **{"import": id}, **options)
    return id


async def finished(node: Node, who: Any, command: str, id: str) -> dict[str, Any]:
    """Run a stage to its end; returns the import."""
    started = (await who.call(f"crm.imports.{command}", **{"import": id}))["import"]
    work = await run_work(node, started["work"])
    assert work["status"] == "done", work
    return (await who.call("crm.imports.get", **{"import": id}))["import"]


_STATE = (
    "SELECT email, external_id, first_name, last_name, city, opted_out_at IS NULL, source, words FROM crm_contacts "
    "ORDER BY email_key",
    "SELECT l.name, l.members, c.email FROM crm_lists l LEFT JOIN crm_members m ON m.list = l.key "
    "LEFT JOIN crm_contacts c ON c.key = m.contact ORDER BY 1, 3",
    "SELECT t.name, t.contacts, c.email FROM crm_tags t LEFT JOIN crm_taggings g ON g.tag = t.key "
    "LEFT JOIN crm_contacts c ON c.key = g.contact ORDER BY 1, 3",
    "SELECT g.kind, c.email, g.subject >> 40 FROM log g LEFT JOIN crm_contacts c "
    "ON c.key = g.subject & ((1 << 40) - 1) WHERE g.kind LIKE 'crm.%' ORDER BY 1, 2, 3",
    "SELECT json_remove(before, '$.created_at'), after FROM crm_changes ORDER BY 1, 2",
    "SELECT name, state, rows, counts, plan FROM crm_imports ORDER BY key",
    "SELECT row, field, code FROM crm_import_faults ORDER BY 1",
    "SELECT count(*) FROM crm_import_images",
)


async def left_behind(node: Node) -> list[list[tuple[Any, ...]]]:
    """All that imports have an effect on: contacts, lists, tags, events and counts, without keys and times."""

    def read(reader: Reader) -> list[list[tuple[Any, ...]]]:
        return [reader.execute(sql).fetchall() for sql in _STATE]

    return await node.core.db.read(read)


def rows_of(count: int, *, city: str = "Lyon") -> str:
    """A file with rows of each kind: good ones, invalid ones and duplicates."""
    lines = ["email,first_name,last_name,city,tags"]
    for number in range(count):
        email = "nobody" if number % 11 == 5 else f"user{number - (number % 13 == 12)}@example.com"
        lines.append(f"{email},First{number},Last,{city},{'vip' if number % 3 == 0 else ''}")
    return "\n".join(lines) + "\n"
