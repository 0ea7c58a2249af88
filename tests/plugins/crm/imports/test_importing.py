"""Imports, from the file to its contacts and back."""

from __future__ import annotations

from typing import Any

from chatnode.node import Node
from chatnode.testing import User, run_work

FILE = """email,first_name,last_name,city,tags
ann@example.com,Ann,Lee,Lyon,vip;new
bob@example.com,Bob,Ray,,
ann@example.com,Ann,Again,,
nobody,No,Body,,
,Not,There,,
"""


async def begun(who: User, text: str, **options: Any) -> str:
    """The id of an import whose columns are mapped."""
    id = (await who.does("crm.imports.create", text=text))["import"]["id"]
    await who.does("crm.imports.map", **{"import": id}, **options)
    return id


async def finished(node: Node, who: User, command: str, id: str) -> dict[str, Any]:
    """Run a stage to its end; returns the import."""
    started = (await who.does(f"crm.imports.{command}", **{"import": id}))["import"]
    work = await run_work(node, started["work"])
    assert work["status"] == "done", work
    return (await who.does("crm.imports.get", **{"import": id}))["import"]


async def test_a_file_is_planned_and_imported(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    planned = await finished(node, mara, "plan", id)
    assert (planned["state"], planned["rows"]) == ("planned", 5)
    assert planned["plan"] == {
        "created": 2, "updated": 0, "unchanged": 0, "duplicates": 1, "suppressed": 0, "invalid": 2, "listed": 0,
        "tagged": 2, "untagged": 0,
    }  # fmt: skip
    applied = await finished(node, mara, "start", id)
    assert (applied["state"], applied["counts"]) == ("applied", planned["plan"])
    undone = await finished(node, mara, "undo", id)
    assert (undone["state"], undone["undone"]["deleted"], undone["undone"]["kept"]) == ("undone", 2, 0)
