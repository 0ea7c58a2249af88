"""The fields of a contact that other tables hold: its tags and its lists.

Filters name a tag or a list by its id, or by its name in any case. A dynamic list stands for its filter, so that a
filter may refer to other segments; who was on it when that was last checked does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import orjson

from chatnode.api import Asker, Field, Querying, kinds
from chatnode_crm.naming import is_id, name_key
from chatnode_crm.referring import LISTS, TAGS

_TAG_NAMES = (
    "(SELECT nullif(json_group_array(n.name), '[]') FROM (SELECT t.name FROM crm_taggings g "
    "JOIN crm_tags t ON t.key = g.tag WHERE g.contact = item.key ORDER BY t.name_key) n)"
)
_LIST_NAMES = (
    "(SELECT nullif(json_group_array(n.name), '[]') FROM (SELECT l.name FROM crm_members m "
    "JOIN crm_lists l ON l.key = m.list WHERE m.contact = item.key AND l.kind <> 'dynamic' ORDER BY l.name_key) n)"
)


def learn(source: Querying, _: Asker) -> Iterator[Field]:
    """For `Collection.learn`."""
    tags = kinds.Labels(
        row="item.key",
        relation="SELECT g.contact FROM crm_taggings g WHERE g.tag",
        exists="IN (SELECT t.key FROM crm_tags t)",
        find=partial(_tag, source),
        takes="the name or id of a tag",
    )
    lists = kinds.Labels(
        row="item.key",
        relation="SELECT m.contact FROM crm_members m WHERE m.list",
        # Not dynamic ones: a filter for contacts on no list would change its own answer.
        exists="IN (SELECT l.key FROM crm_lists l WHERE l.kind <> 'dynamic')",
        find=partial(_list, source),
        takes="the name or id of a list",
    )
    yield Field(TAGS, tags, _TAG_NAMES, nullable=True, sorts=False)
    yield Field(LISTS, lists, _LIST_NAMES, nullable=True, sorts=False)


def _tag(source: Querying, text: str) -> int:
    row = source.execute(
        f"SELECT key FROM crm_tags WHERE {_column(text)} = ?",  # noqa: S608 -- constants
        (_value(text),),
    ).fetchone()
    if row is None:
        raise kinds.Fault(f"names no tag: {text!r}")
    return row[0]


def _list(source: Querying, text: str) -> int | kinds.SavedFilter:
    """An archived list is who was on it then."""
    row = source.execute(
        "SELECT key, name, CASE WHEN kind = 'dynamic' AND is_active = 1 THEN filter END "  # noqa: S608 -- constants
        f"FROM crm_lists WHERE {_column(text)} = ?",
        (_value(text),),
    ).fetchone()
    if row is None:
        raise kinds.Fault(f"names no list: {text!r}")
    key, name, filter = row
    return kinds.SavedFilter(name, orjson.loads(filter)) if filter is not None else key


def _column(text: str) -> str:
    return "id" if is_id(text) else "name_key"


def _value(text: str) -> str:
    return text if is_id(text) else name_key(text)
