"""A hostile packet must not matter (security.md).

Each test sends one and then asks for three things: the node is the process it was, it has logged no unhandled
fault, and two bystanders who were connected all the time still get their messages.
"""

import json
import re
from collections.abc import Iterator, Mapping

import pytest

from .bystanders import nothing_kept
from .commands import AFTER_HELLO, BEFORE_HELLO, Outcome, Request
from .frames import Op, build_frame, close_body
from .node_process import NodeProcess
from .packets import PACKETS, Packet, head, post, sized
from .wire import PATIENCE, STATUS_LINE, Chat, Json, Wire, new_cid, upgrade_request, welcome_of

pytestmark = pytest.mark.usefixtures("unharmed")

#: Pauses after which a node that waits for more is taken to have said what it had to say.
QUIET = {"quiet": 0.2, "quiet_after": 0.05}


@pytest.fixture(scope="module")
def conversation(node: NodeProcess, tokens: Mapping[str, str]) -> str:
    """A conversation that mallory is in."""
    with Chat(node.address, tokens["mallory"]) as chat:
        return chat.direct("carol")


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind(node: NodeProcess) -> Iterator[None]:
    """All the packets together never made the node large, and every connection was let go of."""
    with nothing_kept(node, files=10):
        yield


# -- before anybody has said who they are --------------------------------------------------------------------


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet.name)
def test_a_packet(node: NodeProcess, tokens: Mapping[str, str], packet: Packet) -> None:
    with Wire(node.address) as wire:
        wire.send(packet.data.replace(b"%TOKEN%", tokens["mallory"].encode()))
        data, _ = wire.receive_all(**QUIET)
    statuses = [int(status) for status in STATUS_LINE.findall(data) if int(status) != 100]
    assert len(statuses) <= packet.answers, f"answered more than was asked: {statuses}"
    assert 500 not in statuses
    assert b"root:" not in data
    if packet.refused or packet.status:
        assert all(status >= 400 for status in statuses), f"not refused: {data[:300]!r}"
    if packet.status:
        assert statuses
        assert statuses[0] in packet.status


@pytest.mark.parametrize(
    "data",
    [sized(b"{}"), post(b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")],
    ids=["length", "chunked"],
)
def test_what_is_right_is_not_refused(node: NodeProcess, tokens: Mapping[str, str], data: bytes) -> None:
    with Wire(node.address) as wire:
        wire.send(data.replace(b"%TOKEN%", tokens["mallory"].encode()))
        answer = wire.response()
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize("cut", [1, 10, 60, 120], ids=lambda cut: f"after-{cut}-bytes")
@pytest.mark.parametrize("end", ["close", "reset", "half_close"])
def test_a_head_cut_off(node: NodeProcess, cut: int, end: str) -> None:
    with Wire(node.address) as wire:
        wire.send(upgrade_request()[:cut])
        getattr(wire, end)()


def test_connections_that_say_nothing(node: NodeProcess) -> None:
    for _ in range(50):
        Wire(node.address).close()
        Wire(node.address).reset()


def test_many_requests_in_one_segment(node: NodeProcess) -> None:
    with Wire(node.address) as wire:
        wire.send(head(b"GET /health HTTP/1.1") * 100)
        data, _ = wire.receive_all(**QUIET)
    assert set(STATUS_LINE.findall(data)) <= {b"200", b"429", b"503"}


# -- upgrades that ask for too much --------------------------------------------------------------------------


def test_deflate_is_offered_and_declined(node: NodeProcess, tokens: Mapping[str, str]) -> None:
    with Wire(node.address) as wire:
        answer = wire.upgrade(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
        assert answer.status == 101
        assert "sec-websocket-extensions" not in answer.headers
        # A compressed frame after that is a reserved bit without a meaning.
        wire.send_frame(Op.TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=4)
        assert wire.close_code() == 1002


def test_a_subprotocol_nobody_knows_is_not_agreed_to(node: NodeProcess) -> None:
    with Wire(node.address) as wire:
        answer = wire.upgrade(Sec_WebSocket_Protocol="cow, moon")
        assert answer.status == 101
        assert "sec-websocket-protocol" not in answer.headers


# -- frames --------------------------------------------------------------------------------------------------

FRAMES = {
    "length-2^63": build_frame(Op.TEXT, declared_length=1 << 63, length_form=64),
    "length-2^64-1": build_frame(Op.TEXT, declared_length=(1 << 64) - 1, length_form=64),
    "length-2^63-1": build_frame(Op.TEXT, declared_length=(1 << 63) - 1, length_form=64),
    "length-4-gib-binary": build_frame(Op.BINARY, declared_length=1 << 32, length_form=64),
    "length-1-gib-continuation": build_frame(Op.CONTINUATION, declared_length=1 << 30, length_form=64),
    "ping-length-2^40": build_frame(Op.PING, declared_length=1 << 40, length_form=64),
    "close-length-65535": build_frame(Op.CLOSE, bytes(65_535)),
    "unmasked": build_frame(Op.TEXT, b'{"id": 2, "op": "inbox.list"}', mask=False),
    "unmasked-close": build_frame(Op.CLOSE, close_body(1000), mask=False),
    "reserved-opcode": build_frame(0xB, b"x"),
    "reserved-bits": build_frame(Op.TEXT, b"{}", rsv=7),
    "all-bits-set": b"\xff" * 1000,
    "zeros": bytes(1000),
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "not-utf8": build_frame(Op.TEXT, b"\xff\xfe"),
    "close-with-half-a-code": build_frame(Op.CLOSE, b"\x03"),
    "close-code-0": build_frame(Op.CLOSE, close_body(0)),
    "empty-fragments": build_frame(Op.TEXT, fin=False) + build_frame(Op.CONTINUATION, fin=False) * 5000,
    "frame-too-big": build_frame(Op.TEXT, b" " * 300_000),
    "fragments-too-big": build_frame(Op.TEXT, b" " * 60_000, fin=False)
    + build_frame(Op.CONTINUATION, b" " * 60_000, fin=False) * 20,
    "one-byte-fragments-too-many": build_frame(Op.TEXT, b"[", fin=False)
    + build_frame(Op.CONTINUATION, b"[", fin=False) * 100_000,
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
@pytest.mark.parametrize("greeted", [False, True], ids=["before-hello", "after-hello"])
def test_a_frame(node: NodeProcess, tokens: Mapping[str, str], frame: bytes, greeted: bool) -> None:
    with connection(node, tokens, greeted) as wire:
        wire.send(frame)
        wire.receive_all(**QUIET)


@pytest.mark.parametrize("end", ["close", "reset", "half_close"])
def test_a_frame_cut_off(mallory: Chat, conversation: str, end: str) -> None:
    post = json.dumps({"id": 2, "op": "messages.post", "conversation": conversation, "text": "x"}).encode()
    mallory.send(build_frame(Op.TEXT, post)[:-5])
    getattr(mallory, end)()


@pytest.mark.parametrize("end", ["close", "reset"])
def test_leaving_with_answers_under_way(mallory: Chat, conversation: str, end: str) -> None:
    for _ in range(50):
        post = {"op": "messages.post", "conversation": conversation, "cid": new_cid(), "text": "and gone"}
        mallory.send_json({"id": 2} | post)
    getattr(mallory, end)()


# -- requests ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", AFTER_HELLO, ids=lambda request: request.name)
def test_a_request(mallory: Chat, tokens: Mapping[str, str], conversation: str, request_: Request) -> None:
    mallory.send_frame(Op.TEXT, filled_in(request_.text, mallory, tokens, conversation))
    reply = answer_or_close(mallory)
    assert_owed(reply, request_.outcome)
    if request_.outcome is Outcome.ERROR:
        assert mallory.alive()


@pytest.mark.parametrize("request_", BEFORE_HELLO, ids=lambda request: request.name)
def test_a_request_before_hello(
    node: NodeProcess, tokens: Mapping[str, str], mallory: Chat, conversation: str, request_: Request
) -> None:
    with connection(node, tokens, greeted=False) as chat:
        chat.send_frame(Op.TEXT, filled_in(request_.text, mallory, tokens, conversation))
        reply = answer_or_close(chat)
    assert_owed(reply, request_.outcome)
    if request_.name.startswith("cursor-") and "error" not in reply:
        # A place in the log that does not exist can only be answered with a snapshot, never with a part.
        assert welcome_of(reply)["mode"] == "reset"


def test_requests_without_end_and_without_reading(mallory: Chat) -> None:
    mallory.sock.settimeout(2)
    flood = b"".join(build_frame(Op.TEXT, b'{"id": 2, "op": "inbox.list"}') for _ in range(1000))
    try:
        for _ in range(20):
            if not mallory.send(flood):
                break
    except TimeoutError:
        pass  # The node stopped reading from somebody who does not read: right.


@pytest.mark.parametrize(
    "field",
    [
        b"Last-Event-ID: abc",
        b"Last-Event-ID: -1",
        b"Last-Event-ID: 99999999999999999999999",
        b"Last-Event-ID: \xff",
    ],
    ids=["text", "negative", "huge", "not-ascii"],
)
def test_an_event_stream_from_a_strange_place(node: NodeProcess, tokens: Mapping[str, str], field: bytes) -> None:
    with Wire(node.address) as wire:
        bearer = b"Authorization: Bearer " + tokens["mallory"].encode()
        wire.send(head(b"GET /v1/events HTTP/1.1", bearer, field))
        data, _ = wire.receive_all(**QUIET)
    assert b"500" not in STATUS_LINE.findall(data)


@pytest.mark.parametrize("request_", [r for r in AFTER_HELLO if b'"op"' in r.text], ids=lambda request: request.name)
def test_the_same_request_over_http(
    node: NodeProcess, tokens: Mapping[str, str], mallory: Chat, conversation: str, request_: Request
) -> None:
    text = filled_in(request_.text, mallory, tokens, conversation)
    op = re.search(rb'"op": "([a-z.]+)"', text)
    body = re.sub(rb'"(id|op)": ("[^"]*"|[0-9]+),? ?', b"", text, count=2)
    with Wire(node.address) as wire:
        bearer = b"Authorization: Bearer " + tokens["mallory"].encode()
        path = b"/v1/" + (op[1] if op else b"inbox.list")
        fields = (b"Content-Type: application/json", b"Content-Length: %d" % len(body), bearer)
        wire.send(head(b"POST " + path + b" HTTP/1.1", *fields) + body)
        answer = wire.response()
    assert answer is not None
    assert answer.status != 500, answer.body


# -- helpers -------------------------------------------------------------------------------------------------


def connection(node: NodeProcess, tokens: Mapping[str, str], greeted: bool) -> Wire:
    """A WebSocket connection, with or without a hello."""
    if greeted:
        return Chat(node.address, tokens["mallory"], device="mallory")
    wire = Wire(node.address)
    answer = wire.upgrade()
    assert answer.status == 101
    return wire


def filled_in(text: bytes, chat: Chat, tokens: Mapping[str, str], conversation: str) -> bytes:
    """The text of a request with its placeholders replaced."""
    for name, value in {
        b"%CONVERSATION%": conversation,
        b"%TOKEN%": tokens["mallory"],
        b"%EPOCH%": str(chat.welcome["epoch"]),
    }.items():
        text = text.replace(name, value.encode())
    return text


def answer_or_close(wire: Wire) -> Json:
    """The first reply that comes, or an error made up for a close."""
    while (frame := wire.next_frame(PATIENCE)) is not None:
        if frame.opcode == Op.CLOSE:
            return {"error": {"code": "closed", "message": repr(frame)}, "close": frame.close_code}
        if frame.opcode == Op.TEXT and "event" not in (reply := json.loads(frame.payload)):
            assert isinstance(reply, dict)
            return reply
    return {"error": {"code": "closed", "message": "without a close frame"}, "close": None}


def assert_owed(reply: Json, outcome: Outcome) -> None:
    """The reply is one that the outcome allows."""
    error = reply.get("error")
    if outcome is not Outcome.ANY:
        assert error is not None, f"not refused: {reply}"
    if outcome is Outcome.ERROR:
        assert "close" not in reply, f"closed instead of an error reply: {reply}"
    if error is not None:
        assert "internal" not in str(error.get("code")), error
        assert reply.get("close") != 1011, reply
