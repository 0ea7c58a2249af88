"""Lists that rows name but that no contact can be put on now: said for each row, as a warning."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Querying, json_array
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.imports.judging import APPLIED, Judged
from chatnode_crm.imports.options import ImportPolicies
from chatnode_crm.lists.finding import OPEN
from chatnode_crm.naming import name_key

DYNAMIC = FieldFault(
    "lists", "dynamic_list", "a list is dynamic: its filter decides who is on it; it was skipped", True
)
CLOSED = FieldFault("lists", "closed_list", "a list is archived, or a campaign in progress; it was skipped", True)
WARNINGS = frozenset((DYNAMIC.code, CLOSED.code))
"""Codes of faults of rows that were imported all the same."""


def passed_over(reader: Querying, judged: Sequence[Judged], policies: ImportPolicies) -> list[tuple[int, FieldFault]]:
    """The numbers of rows, and what is said of one of their lists."""
    wanted = ("create",) if policies.lists == "ignore" else APPLIED
    naming = {
        each.row.number: {name_key(name) for name in each.row.lists}
        for each in judged
        if each.row.lists and each.decision.verdict in wanted
    }
    if not naming:
        return []
    rows = reader.execute(
        "SELECT name_key, kind = 'dynamic' FROM crm_lists "  # noqa: S608 -- a constant
        f"WHERE name_key IN (SELECT value FROM json_each(?)) AND NOT {OPEN}",
        (json_array(sorted(set[str]().union(*naming.values()))),),
    )
    closed = {name: DYNAMIC if is_dynamic else CLOSED for name, is_dynamic in rows.fetchall()}
    return [(number, closed[sorted(found)[0]]) for number, names in naming.items() if (found := names & closed.keys())]
