"""What the filter of a dynamic list depends on: which events may change who matches."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from chatnode.api import Querying, Reader, json_array, log_rows, record
from chatnode_crm.contacts.envelope import kinds
from chatnode_crm.referring import LISTS, TAGS, tests, texts_of
from chatnode_crm.segments.events import CrmListEntered, CrmListLeft
from chatnode_crm.segments.fields import LAST_MESSAGE

_OF_TAGS = frozenset({"crm.contact.tagged", "crm.contact.untagged"})
_OF_LISTS = frozenset({"crm.contact.added_to_list", "crm.contact.removed_from_list"})
_NEVER = frozenset({CrmListEntered.name, CrmListLeft.name})


@record(frozen=True)
class Uses:
    """The fields of a filter and of the dynamic lists it refers to. `relative`: it may match others as time passes,
    without an event of the plugin."""

    fields: frozenset[str]
    relative: bool

    @property
    def kinds(self) -> frozenset[str]:
        """Names of the events after which others may match."""
        found = kinds() - _NEVER
        if TAGS not in self.fields:
            found -= _OF_TAGS
        if LISTS not in self.fields:
            found -= _OF_LISTS
        return found


def uses_of(source: Querying, filter: dict[str, Any]) -> Uses:
    """Of a stored filter."""
    fields, relative = set[str](), False
    met, to_read = set[str](), [filter]
    while to_read:
        for field, operator, value in tests(to_read.pop()):
            fields.add(field)
            relative |= operator in ("_in_last", "_in_next") or field == LAST_MESSAGE.name
            if field == LISTS:
                new = set(texts_of(value)) - met
                met |= new
                to_read += _filters(source, new)
    return Uses(frozenset(fields), relative)


def _filters(source: Querying, ids: Collection[str]) -> list[dict[str, Any]]:
    rows = source.execute(
        "SELECT filter FROM crm_lists WHERE filter IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
        (json_array(ids),),
    )
    return [orjson.loads(filter) for (filter,) in rows.fetchall()]


def head_of(reader: Reader) -> int:
    """The gid of the newest event."""
    return log_rows(reader, 2**62, (), 1).head


def happened_since(reader: Reader, gid: int, uses: Uses) -> bool:
    """Whether there is an event above a gid after which others may match."""
    while True:
        found = log_rows(reader, gid, uses.kinds, 1)
        if found.rows:
            return True
        if found.reached in (gid, found.head):
            return False
        gid = found.reached
