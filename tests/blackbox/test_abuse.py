"""Clients that take too long, too much or too many: each loses its connection, and nobody else notices.

The limits here are tight so that the tests reach them; the bounds on time are against hanging, nothing else.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import pytest

from .bystanders import Bystanders
from .conftest import MakeNode
from .frames import Op, build_frame
from .node_process import Address, NodeProcess
from .packets import head
from .wire import (
    PATIENCE,
    Chat,
    Closed,
    Json,
    Refused,
    Wire,
    eventually,
    message_of,
    new_cid,
    upgrade_request,
)

MEBIBYTE = 1 << 20
CONNECTIONS = 60
CONNECTIONS_PER_ADDRESS = 40
SHUTDOWN_SECONDS = 1
LIMITS = {
    "LIMITS__HEAD_SECONDS": 1,
    "LIMITS__HELLO_SECONDS": 1,
    "LIMITS__CONNECTIONS": CONNECTIONS,
    "LIMITS__CONNECTIONS_PER_ADDRESS": CONNECTIONS_PER_ADDRESS,
    "LIMITS__OUTBOX_BYTES": 262_144,
    "SERVER__SHUTDOWN_SECONDS": SHUTDOWN_SECONDS,
}
ELSEWHERE, ELSEWHERE_TOO = "127.0.0.2", "127.0.0.3"
LONG_TEXT = "never read " * 1000

AnyWire = TypeVar("AnyWire", bound=Wire)


@pytest.fixture(scope="module")
def node(make_node: MakeNode) -> NodeProcess:
    """A node whose limits are soon reached."""
    return make_node(**LIMITS)


# -- too slow ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"", upgrade_request()[:40]], ids=["nothing", "half-a-head"])
def test_a_head_that_never_comes_is_not_waited_for(node: NodeProcess, unharmed: Bystanders, start: bytes) -> None:
    with Wire(node.address) as wire:
        wire.send(start)
        _, ended = wire.receive_all(PATIENCE)
    assert ended


def test_a_head_that_trickles_in_is_not_waited_for(node: NodeProcess, unharmed: Bystanders) -> None:
    deadline = time.monotonic() + PATIENCE
    with Wire(node.address) as wire:
        for byte in iter(lambda: b"x", None):
            assert time.monotonic() < deadline, "still listening to a head that grows by ten bytes a second"
            if not wire.send(byte) or wire.receive(0.1) == b"":
                break


def test_the_head_of_a_second_request_is_not_waited_for_either(node: NodeProcess, unharmed: Bystanders) -> None:
    with Wire(node.address) as wire:
        assert wire.request("GET", "/health").status == 200
        wire.send(b"GET /health HTTP/1.1\r\nX-")
        _, ended = wire.receive_all(PATIENCE)
    assert ended


def test_a_client_that_never_says_hello_is_not_waited_for(node: NodeProcess, unharmed: Bystanders) -> None:
    with Wire(node.address) as wire:
        assert wire.upgrade().status == 101
        wire.close_code()


def test_pings_do_not_stand_in_for_a_hello(node: NodeProcess, unharmed: Bystanders) -> None:
    deadline = time.monotonic() + PATIENCE
    with Wire(node.address) as wire:
        assert wire.upgrade().status == 101
        while wire.send_frame(Op.PING) and wire.receive(0.1) != b"":
            assert time.monotonic() < deadline


# -- never reading -------------------------------------------------------------------------------------------


def test_a_reader_who_never_reads_is_closed_and_may_resume(
    node: NodeProcess, tokens: Mapping[str, str], unharmed: Bystanders
) -> None:
    memory = node.memory()
    with Chat(node.address, tokens["mallory"], device="lazy", receive_buffer=4096) as lazy:
        group = unharmed.alice.group("a busy place", "bob", "mallory")
        last = fill(unharmed, group, messages=1500)
        assert node.memory() < memory + 100 * MEBIBYTE
        received = list(read_to_the_end(lazy))
    assert [message["seq"] for message in received] == list(range(1, len(received) + 1))
    assert len(received) < last, "the node kept everything for a client that never reads"

    cursor = {"epoch": lazy.welcome["epoch"], "gid": received[-1]["gid"] if received else lazy.welcome["head"]}
    with Chat(node.address, tokens["mallory"], device="lazy", cursor=cursor) as again:
        assert again.welcome["mode"] == "replay"
        received += take_until(again, group, last)
    assert [message["seq"] for message in received] == list(range(1, last + 1))


def test_a_reader_who_missed_more_than_an_outbox_holds_catches_up(
    node: NodeProcess, tokens: Mapping[str, str], unharmed: Bystanders
) -> None:
    group = unharmed.alice.group("while you were out", "bob", "mallory")
    with Chat(node.address, tokens["mallory"], device="away") as before:
        cursor = {"epoch": before.welcome["epoch"], "gid": before.welcome["head"]}
    last = fill(unharmed, group, messages=1500)
    with Chat(node.address, tokens["mallory"], device="away", cursor=cursor) as again:
        received = take_until(again, group, last)
        again.wait_push(lambda push: push["event"] == "live")
    assert [message["seq"] for message in received] == list(range(received[0]["seq"], last + 1))
    assert received[0]["text"].startswith("0 ")


def test_pings_without_end_and_without_reading(
    node: NodeProcess, tokens: Mapping[str, str], unharmed: Bystanders
) -> None:
    memory, files = node.memory(), node.open_files()
    pings = build_frame(Op.PING, bytes(125)) * 1000
    with Chat(node.address, tokens["mallory"], receive_buffer=4096) as chat:
        send_until_it_blocks(chat, pings, times=200)
        unharmed.exchange()
        assert node.memory() < memory + 50 * MEBIBYTE
    eventually(lambda: node.open_files() <= files)


def test_http_requests_without_end_and_without_reading(node: NodeProcess, unharmed: Bystanders) -> None:
    memory, files = node.memory(), node.open_files()
    requests = head(b"GET / HTTP/1.1") * 200
    with Wire(node.address, receive_buffer=4096) as wire:
        send_until_it_blocks(wire, requests, times=200)
        unharmed.exchange()
        assert node.memory() < memory + 50 * MEBIBYTE
    eventually(lambda: node.open_files() <= files)


# -- too many ------------------------------------------------------------------------------------------------


def test_one_address_gets_so_many_connections_and_no_more(
    node: NodeProcess, tokens: Mapping[str, str], unharmed: Bystanders
) -> None:
    with ExitStack() as stack:
        count = open_connections(stack, node, tokens["mallory"], ELSEWHERE, CONNECTIONS_PER_ADDRESS + 10)
        assert count == CONNECTIONS_PER_ADDRESS
        unharmed.exchange()
        with Chat(node.address, tokens["mallory"], source=ELSEWHERE_TOO) as other:
            assert other.alive()


def test_all_together_get_so_many_connections_and_no_more(
    node: NodeProcess, tokens: Mapping[str, str], unharmed: Bystanders
) -> None:
    count = 2  # the bystanders
    with ExitStack() as stack:

        def full() -> bool:
            nonlocal count
            source = ELSEWHERE if count % 2 else ELSEWHERE_TOO
            count += open_connections(stack, node, tokens["mallory"], source, 1)
            return count == CONNECTIONS

        eventually(full)  # connections of the test before may still be on their way out
        assert not connects(node, tokens["mallory"], ELSEWHERE)
        assert not connects(node, tokens["mallory"], ELSEWHERE_TOO)
        unharmed.exchange()


@pytest.mark.parametrize("end", ["close", "reset", "half_close"])
def test_connections_that_were_left_are_given_to_others(
    node: NodeProcess, tokens: Mapping[str, str], unharmed: Bystanders, end: str
) -> None:
    with ExitStack() as stack:
        kept: list[Wire] = []
        open_connections(stack, node, tokens["mallory"], ELSEWHERE, CONNECTIONS_PER_ADDRESS, kept)
        assert kept
        for wire in kept:
            getattr(wire, end)()
        eventually(lambda: connects(node, tokens["mallory"], ELSEWHERE))


# -- stopping ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_node_stops_in_time_with_any_client_connected(make_node: MakeNode, tokens: Mapping[str, str]) -> None:
    patient = {"LIMITS__HEAD_SECONDS": 60, "LIMITS__HELLO_SECONDS": 60, "LIMITS__OUTBOX_BYTES": 64 * MEBIBYTE}
    node = make_node(**LIMITS | patient)
    with ExitStack() as stack:
        bystanders = stack.enter_context(Bystanders.connect(node, tokens))
        scene = Scene(stack, node.address, tokens["mallory"], bystanders)
        for attach in UNPLEASANT:
            attach(scene)
        bystanders.exchange()
        status = node.stop(within=SHUTDOWN_SECONDS + PATIENCE)
        assert status == 0, node.stderr_tail()
        assert node.trouble() is None
        with pytest.raises(Closed) as closed:
            bystanders.bob.wait_push(lambda push: False)
        assert closed.value.code is not None, "the well-behaved were not told that the node is going"
    assert node.check().returncode == 0


@dataclass(frozen=True)
class Scene:
    """A node about to stop, and what keeps the connections to it open."""

    stack: ExitStack
    address: Address
    token: str
    bystanders: Bystanders

    def enter(self, wire: AnyWire) -> AnyWire:
        """Keep this connection open until the test ends."""
        return self.stack.enter_context(wire)


def attach_idle(scene: Scene) -> None:
    scene.enter(Chat(scene.address, scene.token, device="idle"))


def attach_without_hello(scene: Scene) -> None:
    scene.enter(Wire(scene.address)).upgrade()


def attach_with_half_a_head(scene: Scene) -> None:
    scene.enter(Wire(scene.address)).send(upgrade_request()[:40])


def attach_with_half_a_body(scene: Scene) -> None:
    wire = scene.enter(Wire(scene.address))
    bearer = b"Authorization: Bearer " + scene.token.encode()
    wire.send(head(b"POST /v1/inbox.list HTTP/1.1", bearer, b"Content-Length: 1000") + b'{"limit"')


def attach_with_half_a_frame(scene: Scene) -> None:
    chat = scene.enter(Chat(scene.address, scene.token, device="half a frame"))
    chat.send(build_frame(Op.TEXT, bytes(1000))[:500])


def attach_half_open(scene: Scene) -> None:
    scene.enter(Chat(scene.address, scene.token, device="half open")).half_close()


def attach_never_reading_http(scene: Scene) -> None:
    wire = scene.enter(Wire(scene.address, receive_buffer=4096))
    send_until_it_blocks(wire, head(b"GET / HTTP/1.1") * 200, times=100)


def attach_never_reading_pongs(scene: Scene) -> None:
    chat = scene.enter(Chat(scene.address, scene.token, device="pings", receive_buffer=4096))
    send_until_it_blocks(chat, build_frame(Op.PING, bytes(125)) * 1000, times=100)


def attach_never_reading_messages(scene: Scene) -> None:
    scene.enter(Chat(scene.address, scene.token, device="lazy", receive_buffer=4096))
    group = scene.bystanders.alice.group("unread", "bob", "mallory")
    fill(scene.bystanders, group, messages=700)


UNPLEASANT = [
    attach_idle,
    attach_without_hello,
    attach_with_half_a_head,
    attach_with_half_a_body,
    attach_with_half_a_frame,
    attach_half_open,
    attach_never_reading_http,
    attach_never_reading_pongs,
    attach_never_reading_messages,
]


# -- helpers -------------------------------------------------------------------------------------------------


def fill(bystanders: Bystanders, group: str, messages: int) -> int:
    """Alice posts long messages, Bob reads them; the seq of the last."""
    seq = 0
    for number in range(messages):
        text = f"{number} {LONG_TEXT}"
        seq = bystanders.alice.post(group, text, new_cid())["seq"]
        bystanders.alice.pushes.clear()
        bystanders.bob.wait_message(text)
    return seq


def read_to_the_end(chat: Chat) -> Iterator[Json]:
    """The messages that come until the node closes the connection."""
    yield from (message for push in chat.pushes if (message := message_of(push)))
    with contextlib.suppress(Closed):
        while True:
            if message := message_of(chat.next_json()):
                yield message


def take_until(chat: Chat, group: str, last: int) -> list[Json]:
    """The pushed messages of a group up to a seq."""
    messages: list[Json] = []
    while not messages or messages[-1]["seq"] < last:
        push = chat.wait_push(lambda push: message_of(push).get("conversation") == group)
        messages.append(message_of(push))
    return messages


def send_until_it_blocks(wire: Wire, data: bytes, times: int) -> None:
    """Send over and over without reading, until the node stops reading or closes."""
    wire.sock.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        for _ in range(times):
            if not wire.send(data):
                break


def open_connections(
    stack: ExitStack, node: NodeProcess, token: str, source: str, wanted: int, kept: list[Wire] | None = None
) -> int:
    """Open so many connections with a hello; how many the node took."""
    count = 0
    for number in range(wanted):
        try:
            chat = stack.enter_context(Chat(node.address, token, device=f"device {number}", source=source))
        except (Closed, Refused, OSError, AssertionError):
            continue
        count += 1
        if kept is not None:
            kept.append(chat)
    return count


def connects(node: NodeProcess, token: str, source: str) -> bool:
    """Whether the node takes one more connection from there."""
    with ExitStack() as stack:
        return open_connections(stack, node, token, source, 1) == 1
