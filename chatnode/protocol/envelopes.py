"""Requests, replies and pushes as frames.

Request `{"id", "op", …fields}` · reply `{"id", "ok"}` or `{"id", "error"}` · push `{"gid"?, "event", …fields}`.
"""

from __future__ import annotations

import struct
from typing import Any

import attrs

from chatnode.errors import Refusal
from chatnode.model.events import Event
from chatnode.protocol import codec

RequestId = int | str
_ID_CHARS = 64


@attrs.define
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
    if not is_request_id(request_id):
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


@attrs.frozen
class Encoded:
    """A command's reply as JSON, from a handler whose caller takes it so (`Caller.takes_json`)."""

    json: bytes


def ok_reply(request_id: RequestId, result: Any) -> bytes:
    json = result.json if result.__class__ is Encoded else codec.encode(result)
    return b'{"id":%b,"ok":%b}' % (_id_text(request_id), json)


def error_reply(request_id: RequestId | None, refusal: Refusal) -> bytes:
    return codec.encode({"id": request_id, "error": refusal.as_json()})


def _id_text(request_id: RequestId) -> bytes:
    return b"%d" % request_id if isinstance(request_id, int) else codec.encode({"": request_id})[4:-1]


class Push:
    """A push to any number of readers, encoded once.

    `gid` is None for what is not durable. `json` is the frame's text; `websocket` the same as an unmasked
    WebSocket text frame, which is the same bytes for every reader.
    """

    __slots__ = ("event", "gid", "json", "websocket")

    def __init__(self, gid: int | None, event: str, json: bytes) -> None:
        self.gid = gid
        self.event = event
        self.json = json
        self.websocket = text_frame(json)


def push_of(gid: int, event: Event) -> Push:
    """The frame of a durable event: `gid` and name first, then the event's own fields."""
    return Push(gid, event.name, b'{"gid":%d,"event":"%b"%b' % (gid, event.name.encode(), _rest_of(event)))


def session_frame(event: str, **fields: Any) -> Push:
    """A push that is not durable and has no gid of its own, such as `live`."""
    return Push(None, event, codec.encode({"event": event, **fields}))


def ephemeral_frame(event: Event) -> Push:
    """The frame of an event that is not in the log and has no gid."""
    return Push(None, event.name, b'{"event":"%b"%b' % (event.name.encode(), _rest_of(event)))


def _rest_of(event: Event) -> bytes:
    """The event's fields, as they follow others in an object; one may have none."""
    fields = codec.encode(event)
    return b"," + fields[1:] if len(fields) > 2 else b"}"


def text_frame(payload: bytes) -> bytes:
    """`payload` as one final, unmasked WebSocket text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes((size,)) + payload
    if size < 65_536:
        return b"\x81\x7e" + struct.pack("!H", size) + payload
    return b"\x81\x7f" + struct.pack("!Q", size) + payload
