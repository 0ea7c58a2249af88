"""The WebSocket protocol as RFC 6455 has it, case by case, in the manner of the Autobahn suite.

Section numbers are the RFC's. `inbox.list` serves as the echo: a request that arrived whole is answered.
"""

import json
from collections.abc import Iterator

import pytest

from .bystanders import Bystanders
from .frames import Frame, Op, build_frame, close_body
from .wire import Chat, Wire, new_cid, upgrade_request

pytestmark = pytest.mark.usefixtures("unharmed")

NORMAL, GOING_AWAY, PROTOCOL_ERROR = 1000, 1001, 1002
UNSUPPORTED_DATA, INVALID_DATA, TOO_BIG = 1003, 1007, 1009
FRAME_BYTES = 262_144
SMILE = "👋 žluťoučký".encode()


def request(number: int, **more: object) -> bytes:
    """A command that changes nothing and is always answered."""
    return json.dumps({"id": number, "op": "inbox.list", **more}).encode()


def long_request(number: int, size: int) -> bytes:
    """The same, padded with white space to `size` bytes."""
    return request(number).ljust(size)


def unknown(number: int, text: bytes) -> bytes:
    """A request with arbitrary bytes inside a JSON string; refused, with its id, when it arrived whole."""
    return b'{"id": %d, "op": "%s"}' % (number, text)


@pytest.fixture
def chat(mallory: Chat) -> Iterator[Chat]:
    """A connection after its hello."""
    return mallory


# -- 5.4 fragmentation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [2, 3, 30])
def test_a_message_in_fragments_is_one_message(chat: Chat, pieces: int) -> None:
    for frame in fragments(request(70), pieces):
        chat.send(frame)
    assert "ok" in chat.reply_to(70)


def test_fragments_may_be_empty(chat: Chat) -> None:
    chat.send_frame(Op.TEXT, b"", fin=False)
    chat.send_frame(Op.CONTINUATION, b"", fin=False)
    chat.send_frame(Op.CONTINUATION, request(71), fin=False)
    chat.send_frame(Op.CONTINUATION, b"", fin=True)
    assert "ok" in chat.reply_to(71)


def test_every_byte_may_be_a_fragment(chat: Chat) -> None:
    chat.send(b"".join(fragments(request(72), len(request(72)))))
    assert "ok" in chat.reply_to(72)


def test_control_frames_may_stand_between_fragments(chat: Chat) -> None:
    first, second, third = fragments(request(73), 3)
    ping = build_frame(Op.PING, b"between")
    chat.send(first + ping + second + build_frame(Op.PONG, b"unasked") + third)
    answers = {frame.opcode: frame.payload for frame in (next_answer(chat), next_answer(chat)) if frame}
    assert answers[Op.PONG] == b"between"
    assert b'"ok"' in answers[Op.TEXT]


def test_a_ping_between_fragments_is_answered_before_the_message_ends(chat: Chat) -> None:
    first, second = fragments(request(74), 2)
    chat.send(first + build_frame(Op.PING, b"now"))
    assert_pong(chat, b"now")
    chat.send(second)
    assert "ok" in chat.reply_to(74)


def test_a_close_between_fragments_ends_it(chat: Chat) -> None:
    # Control frames may be injected here; an endpoint may still complain that a message is left unfinished.
    first, _ = fragments(request(75), 2)
    chat.send(first + build_frame(Op.CLOSE, close_body(NORMAL)))
    assert chat.close_code() in {NORMAL, PROTOCOL_ERROR}


@pytest.mark.parametrize("fin", [True, False], ids=["final", "not-final"])
def test_a_continuation_of_nothing_is_refused(chat: Chat, fin: bool) -> None:
    chat.send_frame(Op.CONTINUATION, request(76), fin=fin)
    assert chat.close_code() == PROTOCOL_ERROR


def test_a_continuation_after_a_whole_message_is_refused(chat: Chat) -> None:
    chat.send(build_frame(Op.TEXT, request(77)) + build_frame(Op.CONTINUATION, request(78)))
    assert chat.close_code() == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [Op.TEXT, Op.BINARY])
def test_a_new_message_within_a_fragmented_one_is_refused(chat: Chat, opcode: Op) -> None:
    chat.send_frame(Op.TEXT, b'{"id": 79,', fin=False)
    chat.send_frame(opcode, request(79))
    assert chat.close_code() == PROTOCOL_ERROR


# -- 5.5 control frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [b"", b"hello", bytes(range(125)), b"\xff\xfe\x00"],
    ids=["empty", "short", "longest", "not-text"],
)
def test_a_ping_is_answered_with_its_payload(chat: Chat, payload: bytes) -> None:
    chat.send_frame(Op.PING, payload)
    assert_pong(chat, payload)


def test_pings_in_a_row_are_answered_in_order(chat: Chat) -> None:
    chat.send(b"".join(build_frame(Op.PING, b"%d" % n) for n in range(10)))
    # An endpoint may answer only the latest of several (5.5.3), so the last is what must come.
    last = None
    while last != b"9":
        frame = next_answer(chat)
        assert frame is not None
        assert frame.opcode == Op.PONG
        assert last is None or int(frame.payload) > int(last)
        last = frame.payload


@pytest.mark.parametrize("payload", [b"", b"nobody asked", bytes(125)], ids=["empty", "short", "longest"])
def test_an_unsolicited_pong_is_ignored(chat: Chat, payload: bytes) -> None:
    chat.send_frame(Op.PONG, payload)
    assert chat.alive()


@pytest.mark.parametrize("opcode", [Op.PING, Op.PONG, Op.CLOSE])
def test_a_control_frame_of_more_than_125_bytes_is_refused(chat: Chat, opcode: Op) -> None:
    payload = close_body(NORMAL, bytes(124)) if opcode == Op.CLOSE else bytes(126)
    chat.send_frame(opcode, payload)
    assert chat.close_code() == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [Op.PING, Op.PONG, Op.CLOSE])
def test_a_fragmented_control_frame_is_refused(chat: Chat, opcode: Op) -> None:
    chat.send_frame(opcode, close_body(NORMAL), fin=False)
    assert chat.close_code() == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_a_reserved_opcode_is_refused(chat: Chat, opcode: int) -> None:
    chat.send_frame(opcode, b"x")
    assert chat.close_code() == PROTOCOL_ERROR


@pytest.mark.parametrize("rsv", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("opcode", [Op.TEXT, Op.PING, Op.CLOSE])
def test_a_reserved_bit_without_an_extension_is_refused(chat: Chat, opcode: Op, rsv: int) -> None:
    chat.send_frame(opcode, close_body(NORMAL) if opcode == Op.CLOSE else request(80), rsv=rsv)
    assert chat.close_code() == PROTOCOL_ERROR


def test_a_reserved_bit_on_a_continuation_is_refused(chat: Chat) -> None:
    first, second = fragments(request(81), 2)
    chat.send(first + bytes([second[0] | 0x40]) + second[1:])
    assert chat.close_code() == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [Op.TEXT, Op.PING, Op.CLOSE])
def test_an_unmasked_frame_is_refused(chat: Chat, opcode: Op) -> None:
    chat.send_frame(opcode, close_body(NORMAL) if opcode == Op.CLOSE else request(82), mask=False)
    assert chat.close_code() == PROTOCOL_ERROR


# -- 5.5.1 and 7 closing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
)
def test_a_close_is_answered_with_its_code(chat: Chat, code: int) -> None:
    chat.send_frame(Op.CLOSE, close_body(code, b"bye"))
    assert chat.close_code() == code


def test_a_close_without_a_code_is_answered(chat: Chat) -> None:
    chat.send_frame(Op.CLOSE, b"")
    assert chat.close_code() in {None, NORMAL}


def test_the_longest_reason_is_fine(chat: Chat) -> None:
    chat.send_frame(Op.CLOSE, close_body(NORMAL, b"r" * 123))
    assert chat.close_code() == NORMAL


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_a_code_that_must_not_be_sent_is_refused(chat: Chat, code: int) -> None:
    chat.send_frame(Op.CLOSE, close_body(code))
    assert chat.close_code() == PROTOCOL_ERROR


def test_a_close_with_half_a_code_is_refused(chat: Chat) -> None:
    chat.send_frame(Op.CLOSE, b"\x03")
    assert chat.close_code() == PROTOCOL_ERROR


def test_a_reason_that_is_not_utf8_is_refused(chat: Chat) -> None:
    chat.send_frame(Op.CLOSE, close_body(NORMAL, b"\xce\xba\xff"))
    assert chat.close_code() == INVALID_DATA


def test_what_comes_after_a_close_is_ignored(chat: Chat) -> None:
    bye, late = build_frame(Op.CLOSE, close_body(NORMAL)), build_frame(Op.TEXT, request(83))
    chat.send(bye + late + build_frame(Op.PING, b"late") + build_frame(Op.CLOSE, close_body(GOING_AWAY)))
    codes = []
    while (frame := next_answer(chat)) is not None:
        assert frame.opcode == Op.CLOSE, f"answered after the close: {frame}"
        codes.append(frame.close_code)
    assert codes == [NORMAL]


def test_a_request_before_the_close_is_still_carried_out(chat: Chat, unharmed: Bystanders) -> None:
    conversation = chat.direct("alice")
    post = {"id": 84, "op": "messages.post", "conversation": conversation, "cid": new_cid()}
    data = json.dumps(post | {"text": "last words"}).encode()
    chat.send(build_frame(Op.TEXT, data) + build_frame(Op.CLOSE, close_body(NORMAL)))
    assert chat.close_code() == NORMAL
    unharmed.alice.wait_message("last words")


# -- 5.6 and 8.1 text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\x80",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    ],
    ids=[
        "ff",
        "overlong-2",
        "overlong-3",
        "surrogate",
        "above-max",
        "five-bytes",
        "lone-continuation",
        "mixed",
    ],
)
def test_text_that_is_not_utf8_is_refused(chat: Chat, text: bytes) -> None:
    chat.send_frame(Op.TEXT, unknown(85, text))
    assert chat.close_code() == INVALID_DATA


def test_text_that_ends_within_a_character_is_refused(chat: Chat) -> None:
    chat.send_frame(Op.TEXT, SMILE[:2])
    assert chat.close_code() == INVALID_DATA


@pytest.mark.parametrize("pieces", [2, 5])
def test_text_that_is_not_utf8_is_refused_across_fragments(chat: Chat, pieces: int) -> None:
    for frame in fragments(unknown(86, b"abc\xed\xa0\x80def"), pieces):
        chat.send(frame)
    assert chat.close_code() == INVALID_DATA


def test_text_that_ends_within_a_character_is_refused_across_fragments(chat: Chat) -> None:
    chat.send_frame(Op.TEXT, b'{"id": 87, "op": "', fin=False)
    chat.send_frame(Op.CONTINUATION, SMILE[:3])
    assert chat.close_code() == INVALID_DATA


def test_a_character_may_be_split_between_fragments(chat: Chat, unharmed: Bystanders) -> None:
    conversation, text = chat.direct("alice"), SMILE.decode() + " in pieces"
    post = {"id": 88, "op": "messages.post", "conversation": conversation, "cid": new_cid(), "text": text}
    data = json.dumps(post, ensure_ascii=False).encode()
    chat.send(b"".join(fragments(data, len(data))))
    assert "ok" in chat.reply_to(88)
    unharmed.alice.wait_message(text)


@pytest.mark.parametrize("payload", [b"", request(89)], ids=["empty", "json"])
def test_a_binary_message_is_refused(chat: Chat, payload: bytes) -> None:
    chat.send_frame(Op.BINARY, payload)
    assert chat.close_code() == UNSUPPORTED_DATA


# -- 5.2 lengths ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [125, 126, 127, 65535, 65536, FRAME_BYTES])
def test_every_form_of_length_is_understood(chat: Chat, size: int) -> None:
    chat.send_frame(Op.TEXT, long_request(90, size))
    assert "ok" in chat.reply_to(90)


@pytest.mark.parametrize("length", [1 << 63, (1 << 63) + 5, (1 << 64) - 1])
def test_a_length_with_the_highest_bit_is_refused(chat: Chat, length: int) -> None:
    chat.send_frame(Op.TEXT, b"hello", declared_length=length, length_form=64)
    assert chat.close_code() in {PROTOCOL_ERROR, TOO_BIG}


@pytest.mark.parametrize("length", [FRAME_BYTES + 1, 1 << 24, 1 << 32, (1 << 63) - 1])
def test_a_length_above_the_limit_is_refused_before_the_payload_comes(chat: Chat, length: int) -> None:
    chat.send_frame(Op.TEXT, declared_length=length, length_form=64)
    assert chat.close_code() == TOO_BIG


def test_a_message_too_big_in_all_its_fragments_is_refused(chat: Chat) -> None:
    piece = b" " * (FRAME_BYTES // 4)
    chat.send_frame(Op.TEXT, piece, fin=False)
    for _ in range(4):
        if not chat.send_frame(Op.CONTINUATION, piece, fin=False):
            break
    assert chat.close_code() == TOO_BIG


@pytest.mark.parametrize("form", [16, 64])
def test_a_length_in_a_longer_form_than_needed_does_no_harm(chat: Chat, form: int) -> None:
    # The minimal form must be used (5.2); a server may refuse or put up with another.
    chat.send_frame(Op.TEXT, request(91), length_form=form)
    frame = next_answer(chat)
    if frame is not None and frame.opcode == Op.CLOSE:
        assert frame.close_code == PROTOCOL_ERROR
    elif frame is not None:
        assert "ok" in json.loads(frame.payload)


# -- segments ------------------------------------------------------------------------------------------------


def test_frames_may_arrive_byte_by_byte(chat: Chat) -> None:
    for byte in build_frame(Op.TEXT, long_request(92, 200)) + build_frame(Op.PING, b"slow"):
        chat.send(bytes([byte]))
    answers = {frame.opcode for frame in (next_answer(chat), next_answer(chat)) if frame}
    assert answers == {Op.TEXT, Op.PONG}


def test_many_frames_may_arrive_in_one_segment(chat: Chat) -> None:
    numbers = range(100, 130)
    chat.send(b"".join(build_frame(Op.TEXT, request(n)) for n in numbers))
    answered = set()
    for _ in numbers:
        frame = next_answer(chat)
        assert frame is not None
        answered.add(json.loads(frame.payload)["id"])
    assert answered == set(numbers)


def test_the_first_frame_may_come_with_the_upgrade_request(chat: Chat) -> None:
    # Not quite allowed (the client should wait for the 101), yet it must not be lost or misread.
    with Wire(chat.address) as wire:
        wire.send(upgrade_request() + build_frame(Op.PING, b"eager"))
        answer = wire.response()
        assert answer is not None
        assert answer.status == 101
        frame = wire.next_frame()
        assert frame is not None
        assert (frame.opcode, frame.payload) == (Op.PONG, b"eager")


# -- helpers -------------------------------------------------------------------------------------------------


def fragments(payload: bytes, pieces: int) -> list[bytes]:
    """The frames of one text message cut into so many pieces."""
    cuts = [len(payload) * n // pieces for n in range(pieces + 1)]
    return [
        build_frame(Op.CONTINUATION if n else Op.TEXT, payload[cuts[n] : cuts[n + 1]], fin=n == pieces - 1)
        for n in range(pieces)
    ]


def assert_pong(chat: Chat, payload: bytes) -> None:
    """The next frame is the pong to this ping."""
    frame = next_answer(chat)
    assert frame is not None
    assert (frame.opcode, frame.payload) == (Op.PONG, payload)


def next_answer(chat: Chat) -> Frame | None:
    """The next frame that is not a push."""
    while (frame := chat.next_frame()) is not None:
        if frame.opcode != Op.TEXT or "event" not in json.loads(frame.payload):
            return frame
    return None
