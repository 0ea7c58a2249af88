"""The reader of frames: what it makes of bytes, and how much of them it takes at a time."""

from __future__ import annotations

import gc

import pytest
from websockets.server import ServerProtocol

from chatnode.transport.frames import MessageReader

UPGRADE = (
    b"GET /v1/socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PING, PONG = b"\x89\x80\0\0\0\0", b"\x8a\x00"
EMPTY_FRAGMENT = b"\x00\x80\0\0\0\0"


def text(payload: bytes, first: int = 0x81) -> bytes:
    return bytes((first, 0x80 | len(payload))) + bytes(4) + payload


def close(code: int) -> bytes:
    return text(code.to_bytes(2, "big"), 0x88)


@pytest.fixture
def reader() -> MessageReader:
    reader = MessageReader(1_000)
    assert reader.upgrade(UPGRADE)
    assert b" 101 " in reader.closing()
    return reader


def test_pongs_are_there_before_the_texts_they_came_with_are_answered(reader: MessageReader) -> None:
    assert reader.feed(text(b"one") + PING + text(b"two")) == [b"one", b"two"]
    assert (reader.control(), reader.closing()) == (PONG, b"")


def test_a_close_frame_is_kept_for_behind_the_answers(reader: MessageReader) -> None:
    assert reader.feed(text(b"one") + PING + close(1000) + text(b"two")) == [b"one"]
    assert (reader.open, reader.control()) == (False, b"")
    assert reader.closing() == PONG + b"\x88\x02\x03\xe8"


def test_a_close_frame_inside_a_fragmented_message_is_answered_and_the_message_dropped(reader: MessageReader) -> None:
    assert reader.feed(text(b"half", 0x01) + close(1000) + text(b"rest", 0x80)) == []
    assert reader.closing() == b"\x88\x02\x03\xe8"


@pytest.mark.parametrize("frame", [PING, EMPTY_FRAGMENT], ids=["pings", "empty fragments"])
def test_frames_that_say_nothing_are_taken_a_few_at_a_time(reader: MessageReader, frame: bytes) -> None:
    reader.feed(text(b"", 0x01))
    assert reader.feed(frame * 1_000 + PING) == []
    turns = 1
    while reader.unread:
        before = reader.frames
        assert reader.feed(b"") == []
        assert reader.frames - before <= 32
        turns += 1
    assert turns > 1_000 / 32
    assert reader.frames == 1_002
    assert reader.control().endswith(PONG)


def test_what_waits_keeps_its_order(reader: MessageReader) -> None:
    said = reader.feed((PING * 3 + text(b"x")) * 50 + text(b"the last"))
    while reader.unread:
        said += reader.feed(b"")
    assert said == [b"x"] * 50 + [b"the last"]
    assert reader.control() == PONG * 150


def test_fragments_are_bounded_together(reader: MessageReader) -> None:
    for _ in range(11):
        reader.feed(text(b"x" * 100, 0x01 if reader.frames == 0 else 0x00))
    assert reader.closing()[2:4] == (1009).to_bytes(2, "big")


def has_protocol(reader: MessageReader) -> bool:
    return any(isinstance(each, ServerProtocol) for each in gc.get_referents(reader))


def test_the_protocol_is_there_only_while_it_has_something_to_do(reader: MessageReader) -> None:
    assert not has_protocol(reader)
    assert reader.feed(text(b"one")) == [b"one"]
    assert not has_protocol(reader)
    assert reader.feed(PING + text(b"two", 0x01)) == []
    assert reader.control() == PONG
    assert has_protocol(reader)  # in the middle of a message
    assert reader.feed(text(b"three", 0x80)) == [b"twothree"]
    assert reader.control() == b""
    assert not has_protocol(reader)


def test_a_protocol_made_again_judges_as_the_first_did(reader: MessageReader) -> None:
    for _ in range(3):
        assert reader.feed(PING) == []
        assert reader.control() == PONG
    assert reader.feed(text(b"x" * 100, 0x01) + text(b"y" * 100, 0x00) * 10) == []  # 1,100 of 1,000 bytes
    assert not reader.open
    assert reader.closing()[:4][2:] == (1009).to_bytes(2, "big")
