"""Imports, from the file to its contacts and back."""

from __future__ import annotations

from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.crm.imports.importing import begun, finished

FILE = """email,first_name,last_name,city,tags
ann@example.com,Ann,Lee,Lyon,vip;new
bob@example.com,Bob,Ray,,
ann@example.com,Ann,Again,,
nobody,No,Body,,
,Not,There,,
"""


async def test_a_file_is_planned_imported_and_undone(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    planned = await finished(node, mara, "plan", id)
    assert (planned["state"], planned["rows"]) == ("planned", 5)
    assert planned["plan"] == {
        "created": 2, "updated": 0, "unchanged": 0, "duplicates": 1, "suppressed": 0, "invalid": 2, "listed": 0,
        "tagged": 2, "untagged": 0,
    }  # fmt: skip
    applied = await finished(node, mara, "start", id)
    assert (applied["state"], applied["counts"], applied["replanned"]) == ("applied", planned["plan"], 0)
    undone = await finished(node, mara, "undo", id)
    assert (undone["state"], undone["undone"]["deleted"], undone["undone"]["kept"]) == ("undone", 2, 0)
