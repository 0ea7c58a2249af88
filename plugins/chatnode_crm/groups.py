"""Events about a contact and a list or a tag: what they say, by the keys that the log has."""

from __future__ import annotations

from typing import Any

from chatnode.api import Reader, Row, rfc3339
from chatnode_crm.contacts.events import about
from chatnode_crm.contacts.subjects import unpack
from chatnode_crm.tombstones import GroupKind

_TABLES: dict[GroupKind, str] = {"list": "crm_lists", "tag": "crm_tags"}


def data_about_pair(reader: Reader, row: Row, kind: GroupKind, at: str) -> dict[str, Any] | None:
    """What the event of a row says; `at` names the field with its time. No name if the list or the tag is gone."""
    group, contact = unpack(row.subject)
    who, data = about(reader, contact), _data_about_group(reader, kind, group)
    if who is None or data is None:
        return None
    return {"contact_id": who["contact_id"], **data, at: rfc3339(row.at)}


def data_of_deleted(reader: Reader, row: Row, kind: GroupKind) -> dict[str, Any] | None:
    """What the event says that a list or a tag was deleted."""
    data = _data_about_group(reader, kind, row.subject)
    return {**data, "deleted_at": rfc3339(row.at)} if data is not None else None


def _data_about_group(reader: Reader, kind: GroupKind, key: int) -> dict[str, Any] | None:
    found = reader.execute(f"SELECT id, name FROM {_TABLES[kind]} WHERE key = ?", (key,)).fetchone()  # noqa: S608
    if found is not None:
        return {f"{kind}_id": found[0], f"{kind}_name": found[1]}
    gone = reader.execute("SELECT id FROM crm_tombstones WHERE kind = ? AND key = ?", (kind, key)).fetchone()
    return {f"{kind}_id": gone[0]} if gone is not None else None
