"""Requests, replies, pushes, and the frames they travel in."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol, State

from chatnode.errors import STATUS, TEMPORARY, Refusal
from chatnode.model.commands.messages import Posted
from chatnode.model.commands.shared import Nothing
from chatnode.model.events import EVENTS, Event, MessagePosted
from chatnode.model.messages import Message
from chatnode.model.people import PersonRef
from chatnode.protocol.envelopes import (
    Push,
    RequestFrame,
    UnusableOp,
    ephemeral_frame,
    error_reply,
    is_request_id,
    ok_reply,
    parse_request,
    push_of,
    session_frame,
    text_frame,
)
from tests.protocol.values import QUICK, json_values, values_of
from tests.quick import examples

REQUEST_IDS = st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(exclude_categories=["Cs"]), max_size=64)


def read_frames(data: bytes) -> list[bytes]:
    """The texts of frames, as an independent reader finds them."""
    reader = Protocol(CLIENT, state=State.OPEN, max_size=None)
    reader.receive_data(data)
    reader.receive_eof()
    frames = reader.events_received()
    assert all(frame.opcode is Opcode.TEXT and frame.fin for frame in frames)
    return [bytes(frame.data) for frame in frames]


# ---- frames


@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537, 1_000_000])
def test_frames_of_every_size_are_read_by_others(size: int) -> None:
    payload = b"x" * size
    assert read_frames(text_frame(payload)) == [payload]


@pytest.mark.parametrize(("size", "head"), [(125, 2), (126, 4), (65_535, 4), (65_536, 10)])
def test_a_length_takes_no_more_bytes_than_it_must(size: int, head: int) -> None:
    """RFC 6455, section 5.2: the minimal number of bytes must be used to encode the length."""
    assert len(text_frame(b"x" * size)) == head + size


@settings(QUICK, max_examples=examples(100))
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), max_size=5))
def test_several_frames_in_one_write_are_read_as_they_are(texts: list[str]) -> None:
    payloads = [text.encode() for text in texts]
    assert read_frames(b"".join(map(text_frame, payloads))) == payloads


def test_a_push_is_framed_once() -> None:
    push = Push(1, "typing", b'{"event":"typing"}')
    assert push.websocket is push.websocket
    assert read_frames(push.websocket) == [push.json]


# ---- requests


def test_a_request_has_an_id_a_command_and_its_fields() -> None:
    assert parse_request(b'{"id": 7, "op": "messages.list", "limit": 5}', 16) == RequestFrame(
        7, "messages.list", {"limit": 5}
    )
    assert parse_request('{"op": "x", "id": "å-1"}'.encode(), 16) == RequestFrame("å-1", "x", {})


@pytest.mark.parametrize(
    "id", ["null", "true", "1.0", "1.5", "[]", "{}", '"' + "x" * 65 + '"', "18446744073709551616", None]
)
def test_a_request_without_a_usable_id_is_refused(id: str | None) -> None:
    data = f'{{"id": {id}, "op": "messages.list"}}' if id else '{"op": "messages.list"}'
    with pytest.raises(Refusal, match="bad_request") as caught:
        parse_request(data.encode(), 16)
    assert caught.value.path == "id"
    assert not isinstance(caught.value, UnusableOp)


@pytest.mark.parametrize("op", ["null", "5", "true", '["messages.list"]', "{}", None])
def test_a_request_that_names_no_command_can_be_answered(op: str | None) -> None:
    data = f'{{"id": "seven", "op": {op}}}' if op else '{"id": "seven"}'
    with pytest.raises(UnusableOp) as caught:
        parse_request(data.encode(), 16)
    assert (caught.value.request_id, caught.value.path, caught.value.code) == ("seven", "op", "bad_request")


@pytest.mark.parametrize("data", [b"[]", b"5", b'"hello"', b"null", b"true"])
def test_what_is_no_object_is_no_request(data: bytes) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        parse_request(data, 16)


@pytest.mark.parametrize(
    "data", [b"", b" ", b"{", b"hello", b'{"id": 1,}', b"\xff\xfe", b'"\xed\xa0\x80"', b"{'id': 1}", b"NaN"]
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal, match="bad_json"):
        parse_request(data, 16)


@settings(QUICK, max_examples=examples(300))
@given(
    st.binary(max_size=80)
    | json_values.map(orjson.dumps)
    | st.fixed_dictionaries({}, optional={"id": json_values, "op": json_values, "text": json_values}).map(orjson.dumps)
)
def test_whatever_comes_is_a_request_or_refused(data: bytes) -> None:
    try:
        request = parse_request(data, 4)
    except Refusal as refusal:
        assert refusal.code in ("bad_json", "bad_request")  # noqa: PT017 -- nothing else may be raised
    else:
        assert is_request_id(request.id)
        assert {"id": request.id, "op": request.op, **request.fields} == orjson.loads(data)


# ---- replies


@settings(QUICK, max_examples=examples(100))
@given(REQUEST_IDS)
def test_a_reply_has_the_id_of_its_request(id: int | str) -> None:
    assert orjson.loads(ok_reply(id, Posted(5, 1, "m", False))) == {
        "id": id, "ok": {"gid": 5, "seq": 1, "message": "m", "dup": False},
    }  # fmt: skip
    refusal = Refusal("not_found", "there is no such thing")
    assert orjson.loads(error_reply(id, refusal))["id"] == id
    assert parse_request(orjson.dumps({"id": id, "op": "x"}), 16).id == id


def test_a_reply_that_says_nothing_is_an_empty_object() -> None:
    assert ok_reply(1, Nothing()) == b'{"id":1,"ok":{}}'
    assert ok_reply("a", {"plain": [1]}) == b'{"id":"a","ok":{"plain":[1]}}'


def test_a_fault_before_the_id_is_known_is_answered_without_one() -> None:
    reply = orjson.loads(error_reply(None, Refusal("bad_json", "not JSON")))
    assert reply == {"id": None, "error": {"code": "bad_json", "message": "not JSON"}}


@pytest.mark.parametrize("code", STATUS)
def test_an_error_says_what_a_program_needs(code: str) -> None:
    error: Any = orjson.loads(error_reply(1, Refusal(code, "because", path="a.b", retry_after=1 / 3)))["error"]
    expected: dict[str, Any] = {"code": code, "message": "because", "path": "a.b", "retry_after": 0.333}
    assert error == expected | ({"temporary": True} if code in TEMPORARY else {})


# ---- pushes


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
@settings(QUICK)
@given(st.data())
def test_the_push_of_an_event_begins_with_its_place_and_name(kind: Any, data: st.DataObject) -> None:
    event = data.draw(values_of(kind))
    push = push_of(1042, event)
    assert (push.gid, push.event) == (1042, kind.name)
    assert push.json.startswith(b'{"gid":1042,"event":"%b",' % kind.name.encode())
    fields = orjson.loads(push.json)
    assert list(fields)[:2] == ["gid", "event"]
    assert not {"gid", "event"} & set(list(fields)[2:])


def test_an_event_may_say_no_more_than_that_it_happened() -> None:
    @attrs.define
    class Rang(Event):
        name = "bell.rang"

    assert orjson.loads(push_of(7, Rang()).json) == {"gid": 7, "event": "bell.rang"}
    assert orjson.loads(ephemeral_frame(Rang()).json) == {"event": "bell.rang"}


def test_the_push_of_a_message_is_as_documented() -> None:
    sender = PersonRef("a" * 32, "ann")
    message = Message("m" * 32, "c" * 32, 3, 1042, sender, "one", "hello", "2026-11-21T10:17:06.042Z")
    assert orjson.loads(push_of(1042, MessagePosted("c" * 32, message)).json) == {
        "gid": 1042, "event": "message.posted", "conversation": "c" * 32,
        "message": {
            "message": "m" * 32, "conversation": "c" * 32, "seq": 3, "gid": 1042, "cid": "one", "text": "hello",
            "sender": {"id": "a" * 32, "handle": "ann"}, "at": "2026-11-21T10:17:06.042Z",
            "kind": "text",
        },
    }  # fmt: skip


def test_what_is_not_durable_has_no_place() -> None:
    live = session_frame("live", gid=5)
    assert (live.gid, live.json) == (None, b'{"event":"live","gid":5}')
