"""Requests, replies and pushes as frames.

Request `{"id", "op", …fields}` · reply `{"id", "ok"}` or `{"id", "error"}` · push `{"gid"?, "event", …fields}`.
"""

from __future__ import annotations

import struct
from typing import Any

from chatnode.errors import Refusal
from chatnode.model.events import Event
from chatnode.model.records import record
from chatnode.protocol import codec

RequestId = int | str
_ID_CHARS = 64

# The head of a final text frame, by how its length is written.
_SHORT = struct.Struct("!BB").pack
_MEDIUM = struct.Struct("!BBH").pack
_LONG = struct.Struct("!BBQ").pack


@record
class RequestFrame:
    """One request; `fields` are not checked yet."""

    id: RequestId
    op: str
    fields: dict[str, Any]


def parse_request(data: bytes | bytearray, max_depth: int) -> RequestFrame:
    """Raises `Refusal` (`bad_json`, `bad_request`); a request without a usable id is refused as well."""
    values = codec.decode(data, max_depth)
    if values.__class__ is not dict:
        raise Refusal("bad_request", "a request must be an object with id, op and the command's fields")
    request_id = values.pop("id", None)
    if request_id.__class__ is not int and not is_request_id(request_id):
        raise Refusal("bad_request", "id must be an integer or a short string", path="id")
    op = values.pop("op", None)
    if op.__class__ is not str:
        raise UnusableOp(request_id)
    return RequestFrame(request_id, op, values)


class UnusableOp(Refusal):
    """The request has an id to answer to, but names no command."""

    def __init__(self, request_id: RequestId) -> None:
        super().__init__("bad_request", "op must be the name of a command", path="op")
        self.request_id = request_id


def is_request_id(value: object) -> bool:
    return value.__class__ is int or (value.__class__ is str and len(str(value)) <= _ID_CHARS)


@record(frozen=True)
class Encoded:
    """A command's reply as JSON, instead of an object; only for callers with `Caller.takes_json`."""

    json: bytes


def ok_reply(request_id: RequestId, result: Any) -> bytes:
    if result.__class__ is Encoded:
        return codec.encode({"id": request_id, "ok": codec.raw(result.json)})
    return codec.encode({"id": request_id, "ok": result if isinstance(result, dict) else codec.to_plain(result)})


def error_reply(request_id: RequestId | None, refusal: Refusal) -> bytes:
    return codec.encode({"id": request_id, "error": refusal.as_json()})


class Push:
    """A push to any number of readers, encoded once.

    `gid` is None for events that are not durable. `json` is the frame's text; `websocket` is the same as an unmasked
    WebSocket text frame, with the same bytes for every reader. `source` is the event itself, for readers in the
    process; None where the frame was put together otherwise.
    """

    __slots__ = ("event", "gid", "json", "source", "websocket")

    def __init__(self, gid: int | None, event: str, json: bytes, source: Event | None = None) -> None:
        self.gid = gid
        self.event = event
        self.json = json
        self.source = source
        self.websocket = text_frame(json)


def push_of(gid: int, event: Event) -> Push:
    """The frame of a durable event: `gid` and name first, then the event's own fields."""
    name = event.name
    return Push(gid, name, codec.encode({"gid": gid, "event": name, **codec.to_plain(event)}), event)


def session_frame(event: str, **fields: Any) -> Push:
    """A push that is not durable and has no gid of its own, such as `live`."""
    return Push(None, event, codec.encode({"event": event, **fields}))


def ephemeral_frame(event: Event) -> Push:
    """The frame of an event that is not in the log and has no gid."""
    name = event.name
    return Push(None, name, codec.encode({"event": name, **codec.to_plain(event)}), event)


def text_frame(payload: bytes) -> bytes:
    """`payload` as one final, unmasked WebSocket text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return _SHORT(0x81, size) + payload
    if size < 65_536:
        return _MEDIUM(0x81, 126, size) + payload
    return _LONG(0x81, 127, size) + payload
