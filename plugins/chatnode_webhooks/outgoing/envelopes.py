"""The bytes that an endpoint gets."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import orjson

from chatnode.api import Refusal, rfc3339
from chatnode_webhooks.outgoing.endpoints import Format
from chatnode_webhooks.outgoing.reading import Heard

SERVICE = "chatnode"
VERSION = "1.0"
_ENVELOPE = ("event_id", "event_type", "timestamp", "version", "data", "metadata")
_NAMESPACE = UUID("6f2a9f0e-5d0c-5c0b-9a57-3f1d1b1f6e2a")
"""Of the ids of events; any constant will do."""
_EPOCH_CHARS = 8
_ADDED = ("gid", "event")


def webhook_id(epoch: str, gid: int) -> str:
    """The id of an event for receivers, the same at each attempt. A restored node gives its gids again, with another
    epoch."""
    return f"evt_{epoch[:_EPOCH_CHARS]}_{gid}"


def gid_of(epoch: str, id: str) -> int:
    """The gid in an id. Raises `Refusal("gone")` for one from before a restore."""
    _, of, gid = id.split("_")
    if of != epoch[:_EPOCH_CHARS]:
        raise Refusal("gone", "the event is from before a backup was restored", path="event")
    return int(gid)


def make_body(format: Format, epoch: str, heard: Heard) -> bytes:
    """The event in the endpoint's format: `standard` as the Standard Webhooks specification suggests, or `seed`, the
    envelope that contacts services use."""
    return orjson.dumps(_as_standard(heard) if format == "standard" else _as_seed(epoch, heard))


def make_test_body(format: Format, id: str, now: int) -> bytes:
    """An event that says that it is a test, and nothing else."""
    kind, at = "webhooks.test", rfc3339(now)
    if format == "standard":
        return orjson.dumps({"type": kind, "timestamp": at, "data": {}})
    metadata = {"correlation_id": id, "service": SERVICE}
    event_id = str(uuid5(_NAMESPACE, id))
    return orjson.dumps({
        "event_id": event_id, "event_type": kind, "timestamp": at, "version": VERSION, "data": {}, "metadata": metadata,
    })  # fmt: skip


def _as_standard(heard: Heard) -> dict[str, Any]:
    data = {name: value for name, value in heard.event.items() if name != "event"}
    return {"type": heard.kind, "timestamp": rfc3339(heard.at), "data": data}


def _as_seed(epoch: str, heard: Heard) -> dict[str, Any]:
    """An event that is in the envelope already, as those of contacts are, stays as it is: `event_id` included."""
    if all(name in heard.event for name in _ENVELOPE):
        return {name: heard.event[name] for name in _ENVELOPE}
    return {
        "event_id": str(uuid5(_NAMESPACE, f"{epoch}/{heard.gid}")),
        "event_type": heard.kind,
        "timestamp": rfc3339(heard.at),
        "version": VERSION,
        "data": {name: value for name, value in heard.event.items() if name not in _ADDED},
        "metadata": {"correlation_id": webhook_id(epoch, heard.gid), "service": SERVICE, "gid": heard.gid},
    }
