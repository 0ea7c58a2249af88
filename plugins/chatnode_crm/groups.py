"""Events about lists and tags, made from the keys that the log has."""

from __future__ import annotations

from typing import Any

from chatnode.api import Event, EventKind, Reader, Row, rfc3339
from chatnode_crm.contacts.envelope import CrmEvent, enveloped
from chatnode_crm.contacts.events import about
from chatnode_crm.contacts.subjects import unpack
from chatnode_crm.tombstones import GroupKind

_TABLES: dict[GroupKind, str] = {"list": "crm_lists", "tag": "crm_tags"}


def event_about_pair(event: type[CrmEvent], kind: GroupKind, at: str) -> EventKind:
    """An event about a contact and a list or a tag. `at` names the field with its time. The name of the list or tag is
    absent once it was deleted, and nothing is told of a contact that was."""

    def make(reader: Reader, row: Row) -> Event | None:
        group, contact = unpack(row.subject)
        told, data = about(reader, contact), _data_about_group(reader, kind, group)
        if told is None or data is None:
            return None
        return enveloped(event, row, {"contact_id": told["contact_id"], **data, at: rfc3339(row.at)})

    return EventKind(event, make)


def event_of_deletion(event: type[CrmEvent], kind: GroupKind) -> EventKind:
    """The event that a list or a tag was deleted."""

    def make(reader: Reader, row: Row) -> Event | None:
        data = _data_about_group(reader, kind, row.subject)
        return enveloped(event, row, {**data, "deleted_at": rfc3339(row.at)}) if data is not None else None

    return EventKind(event, make)


def _data_about_group(reader: Reader, kind: GroupKind, key: int) -> dict[str, Any] | None:
    found = reader.execute(f"SELECT id, name FROM {_TABLES[kind]} WHERE key = ?", (key,)).fetchone()  # noqa: S608
    if found is not None:
        return {f"{kind}_id": found[0], f"{kind}_name": found[1]}
    gone = reader.execute("SELECT id FROM crm_tombstones WHERE kind = ? AND key = ?", (kind, key)).fetchone()
    return {f"{kind}_id": gone[0]} if gone is not None else None
