"""The form in which events leave the plugin: the same for all, and known to programs that read contacts elsewhere."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, TypeVar
from uuid import UUID

import attrs

from chatnode.api import Event, Row, record, rfc3339

PREFIX = "crm."
VERSION = "1.0"
SERVICE = "chatnode-crm"


@record
class CrmEvent(Event):
    """Something that happened to a contact or a list.

    `event_type` is the event's name without `crm.`, `data` says what happened. `event_id` is the same whenever the
    event is rebuilt. Events that one request caused have the same `correlation_id` in `metadata`, where `gid` is the
    event's place in the log.
    """

    event_id: str = ""
    event_type: str = ""
    timestamp: str = ""
    version: str = VERSION
    data: dict[str, Any] = attrs.field(factory=dict[str, Any])
    metadata: dict[str, Any] = attrs.field(factory=dict[str, Any])


E = TypeVar("E", bound=CrmEvent)


def enveloped(kind: type[E], row: Row, data: dict[str, Any]) -> E:
    """The event of a row of the log."""
    return kind(
        event_id=_uuid("event", row.gid, row.kind, row.subject, row.at),
        event_type=row.kind.removeprefix(PREFIX),
        timestamp=rfc3339(row.at),
        data=data,
        metadata={
            "correlation_id": _uuid("request", row.at, row.actor),  # of one transaction, hence one time and one actor
            "service": SERVICE,
            "gid": row.gid,
        },
    )


def kinds() -> frozenset[str]:
    """The names of all events of the plugin."""
    return frozenset(each.name for each in _below(CrmEvent) if "name" in vars(each))


def _below(kind: type[CrmEvent]) -> list[type[CrmEvent]]:
    return [found for each in kind.__subclasses__() for found in (each, *_below(each))]


def _uuid(*parts: object) -> str:
    """Always the same for the same parts, in the form of a random UUID."""
    return str(UUID(bytes=blake2b(repr(parts).encode(), digest_size=16).digest(), version=4))
