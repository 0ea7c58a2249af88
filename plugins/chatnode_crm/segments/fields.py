"""The fields of a contact that other tables hold: its tags, its lists, and when it was last talked with.

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

_LAST_MESSAGE_AT = (
    "(SELECT max((SELECT m.at FROM messages m WHERE m.conversation = c.key ORDER BY m.seq DESC LIMIT 1)) "
    "FROM crm_identities i JOIN members mine ON mine.person = i.person "
    "JOIN conversations c ON c.key = mine.conversation AND c.kind = 'direct' "
    "WHERE i.contact = item.key AND i.verified_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members other "
    "JOIN people p ON p.key = other.person WHERE other.conversation = c.key AND p.bot = 1))"
)

LAST_MESSAGE = Field("chat.last_message_at", kinds.Timestamp(), _LAST_MESSAGE_AT, nullable=True)
"""When the newest message was posted in a direct conversation of the contact's account with another user, not a bot:
a broadcast does not count. Only accounts that are verified."""


def learn(source: Querying, _: Asker) -> Iterator[Field]:
    """For `Collection.learn`."""
    tags = kinds.Labels(
        row="item.key",
        relation="SELECT g.contact FROM crm_taggings g WHERE g.tag",
        # Rows of tags and lists that were deleted may still be there.
        some="EXISTS (SELECT 1 FROM crm_taggings g CROSS JOIN crm_tags t ON t.key = g.tag WHERE g.contact = item.key)",
        find=partial(_tag, source),
        takes="the name or id of a tag",
    )
    lists = kinds.Labels(
        row="item.key",
        relation="SELECT m.contact FROM crm_members m WHERE m.list",
        # Not dynamic ones: a filter for contacts on no list would change its own answer.
        some="EXISTS (SELECT 1 FROM crm_members m CROSS JOIN crm_lists l ON l.key = m.list "
        "WHERE m.contact = item.key AND l.kind <> 'dynamic')",
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
