"""The outbox over a real pair of sockets: order, frame borders, the bound, and peers that are gone."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.protocol.envelopes import text_frame
from chatnode.routing.outbox import Outbox, SocketWire, StreamWire
from tests.quick import examples

CLOSE = b"\x88\x02\x10\x04"


class CountingWire(SocketWire):
    """A plain connection that counts what is asked of it."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.sends = 0

    def send_now(self, data: bytes | memoryview) -> int:
        self.sends += 1
        return super().send_now(data)


@attrs.define
class Line:
    """An outbox, the other end of its connection, and how often it overflowed."""

    outbox: Outbox
    wire: CountingWire
    near: socket.socket
    far: trio.SocketStream
    tasks: trio.Nursery
    overflows: int = 0
    started: int = 0

    async def received(self, size: int) -> bytes:
        """The next `size` bytes at the other end."""
        data = bytearray()
        while len(data) < size:
            chunk = await self.far.receive_some(size - len(data))
            if not chunk:
                break
            data += chunk
        return bytes(data)

    async def received_all(self) -> bytes:
        """Everything until the near end is closed."""
        data = bytearray()
        async for chunk in self.far:
            data += chunk
        return bytes(data)


@contextmanager
def make_line(tasks: trio.Nursery, most_bytes: int = 0) -> Iterator[Line]:
    """A line to a near end that takes some 4 KiB at a time; an outbox that overflows is closed."""
    near, far = socket.socketpair()
    near.setblocking(False)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    wire = CountingWire(near)

    def overflow() -> None:
        line.overflows += 1
        line.outbox.close_with(CLOSE, now=True)

    def start(task: Callable[[], Awaitable[object]]) -> None:
        line.started += 1
        tasks.start_soon(task)

    stream = trio.SocketStream(trio.socket.from_stdlib_socket(far))
    line = Line(Outbox(wire, most_bytes, overflow, start), wire, near, stream, tasks)
    try:
        yield line
    finally:
        near.close()
        stream.socket.close()


@pytest.fixture
async def line(nursery: trio.Nursery) -> AsyncIterator[Line]:
    """An outbox without bound."""
    with make_line(nursery) as line:
        yield line


@pytest.fixture
async def bounded(nursery: trio.Nursery) -> AsyncIterator[Line]:
    """An outbox of at most 20,000 bytes."""
    with make_line(nursery, 20_000) as line:
        yield line


def frames_in(data: bytes) -> Iterator[bytes]:
    """The frames of a stream; fails when it ends within one."""
    rest = data
    while rest:
        size, start = rest[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(rest[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(rest[2:10], "big"), 10
        assert len(rest) >= start + size, f"the stream ends within a frame, {len(rest)} of {start + size} bytes"
        assert rest[0] in (0x81, 0x88), f"no frame begins with {rest[:4]!r}"
        yield rest[: start + size]
        rest = rest[start + size :]


def some_frames(number: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    return [text_frame(b"%d:" % each + b"x" * chance.randrange(3_000)) for each in range(number)]


# ---- sending


async def test_what_the_kernel_takes_is_sent_at_once_and_without_a_task(line: Line) -> None:
    line.outbox.send(b"hello")
    assert await line.received(5) == b"hello"
    assert (line.started, line.outbox.waiting) == (0, False)


async def test_what_was_added_leaves_in_one_call(line: Line) -> None:
    for word in (b"one ", b"two ", b"three"):
        line.outbox.add(word)
    assert line.wire.sends == 0
    line.outbox.flush()
    line.outbox.flush()
    assert line.wire.sends == 1
    assert await line.received(13) == b"one two three"


async def test_everything_arrives_in_order_however_little_the_kernel_takes(line: Line) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    frames = some_frames(200, seed)
    for frame in frames:
        line.outbox.send(frame)
    assert line.started == 1, "one task drains the queue"
    line.tasks.start_soon(_close_when_empty, line)
    assert list(frames_in(await line.received_all())) == frames


async def _close_when_empty(line: Line) -> None:
    await line.outbox.wait_empty()
    line.near.close()


async def test_what_is_sent_while_it_drains_goes_behind(line: Line) -> None:
    line.outbox.send(b"a" * 50_000)
    for _ in range(10):
        await line.received(4_000)
        line.outbox.send(b"b" * 10)
    await trio.testing.wait_all_tasks_blocked()
    assert await line.received(10_100) == b"a" * 10_000 + b"b" * 100


async def test_it_drains_again_after_it_was_empty(line: Line) -> None:
    for _ in range(3):
        line.outbox.send(b"a" * 50_000)
        assert await line.received(50_000) == b"a" * 50_000
        await line.outbox.wait_empty()
        assert not line.outbox.waiting
    assert line.started == 3


async def test_over_an_encrypted_stream_order_is_kept_too(nursery: trio.Nursery) -> None:
    near, far = trio.testing.memory_stream_pair()
    outbox = Outbox(StreamWire(near), 0, lambda: None, nursery.start_soon)
    for word in (b"one ", b"two ", b"three"):
        outbox.send(word)
    await outbox.wait_empty()
    await near.aclose()
    assert b"".join([chunk async for chunk in far]) == b"one two three"


# ---- waiting until it is empty


async def test_waiting_for_an_empty_outbox_waits_for_all_of_it(line: Line) -> None:
    line.outbox.send(b"a" * 50_000)
    line.outbox.add(b"the end")
    empty = trio.Event()

    async def wait() -> None:
        await line.outbox.wait_empty()
        empty.set()

    for _ in range(2):
        line.tasks.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    assert not empty.is_set()
    assert (await line.received(50_007)).endswith(b"athe end")
    with trio.fail_after(10):
        await empty.wait()


async def test_an_outbox_that_has_nothing_is_empty(line: Line) -> None:
    with trio.fail_after(10):
        await line.outbox.wait_empty()


# ---- a reader that is too slow


async def test_a_reader_that_is_too_slow_overflows_once_and_is_told_at_a_frame_border(bounded: Line) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    frames = some_frames(100, seed)
    for frame in frames:
        bounded.outbox.send(frame)
    assert bounded.overflows == 1
    bounded.tasks.start_soon(_close_when_empty, bounded)
    *whole, last = frames_in(await bounded.received_all())
    assert last == CLOSE
    assert whole == frames[: len(whole)], "what arrived is the beginning of what was sent, without holes"
    assert len(whole) < len(frames)


async def test_several_frames_in_one_flush_overflow_at_a_frame_border_too(bounded: Line) -> None:
    frames = some_frames(60, 1)
    for number, frame in enumerate(frames):
        bounded.outbox.add(frame)
        if number % 5 == 4:
            bounded.outbox.flush()
    bounded.tasks.start_soon(_close_when_empty, bounded)
    *whole, last = frames_in(await bounded.received_all())
    assert (bounded.overflows, last) == (1, CLOSE)
    assert whole == frames[: len(whole)]


async def test_what_is_sent_while_nothing_is_queued_is_taken_whatever_its_size(bounded: Line) -> None:
    large = text_frame(b"x" * 300_000)
    bounded.outbox.send(large)
    assert bounded.overflows == 0
    assert await bounded.received(len(large)) == large


async def test_without_a_bound_nothing_overflows(line: Line) -> None:
    for _ in range(100):
        line.outbox.send(b"x" * 100_000)
    assert line.overflows == 0


async def test_a_reader_that_catches_up_does_not_overflow(bounded: Line) -> None:
    for _ in range(20):
        bounded.outbox.send(b"x" * 15_000)
        await bounded.received(15_000)
        await bounded.outbox.wait_empty()
    assert bounded.overflows == 0


# ---- ending


async def test_the_last_frame_goes_behind_what_is_queued_and_nothing_follows_it(line: Line) -> None:
    frames = some_frames(50, 2)
    for frame in frames:
        line.outbox.send(frame)
    line.outbox.close_with(CLOSE)
    line.outbox.send(text_frame(b"too late"))
    line.outbox.close_with(CLOSE)
    line.tasks.start_soon(_close_when_empty, line)
    assert list(frames_in(await line.received_all())) == [*frames, CLOSE]


async def test_ending_now_drops_what_is_queued_but_for_the_frame_that_is_half_sent(line: Line) -> None:
    frames = [text_frame(b"x" * 40_000) for _ in range(5)]
    for frame in frames:
        line.outbox.send(frame)
    line.outbox.close_with(CLOSE, now=True)
    line.tasks.start_soon(_close_when_empty, line)
    assert list(frames_in(await line.received_all())) == [frames[0], CLOSE]


async def test_when_draining_is_cancelled_nothing_is_sent_into_the_middle_of_a_frame() -> None:
    """The frame that is half sent stays half sent: what came behind it would be read as part of it."""
    frame = text_frame(b"x" * 100_000)
    async with trio.open_nursery() as tasks:
        with make_line(tasks) as line:
            line.outbox.send(frame)
            await trio.testing.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await line.outbox.wait_empty()
                sent = await line.far.receive_some(1_000_000)
                line.outbox.send(text_frame(b"and then"))
                line.outbox.close_with(CLOSE)
                line.near.close()
                sent += await line.received_all()
    assert frame.startswith(sent)


# ---- peers that are gone


async def test_a_peer_that_is_gone_breaks_the_outbox_and_raises_nothing(line: Line) -> None:
    await line.far.aclose()
    line.outbox.send(b"hello")
    assert line.outbox.broken
    line.outbox.send(b"hello?")
    line.outbox.close_with(CLOSE)
    await line.outbox.wait_empty()
    assert line.wire.sends == 1


async def test_a_peer_that_goes_while_much_is_queued_ends_the_waiting(line: Line) -> None:
    line.outbox.send(b"x" * 1_000_000)
    line.tasks.start_soon(line.far.aclose)
    with trio.fail_after(5):
        await line.outbox.wait_empty()
    assert line.outbox.broken
    line.outbox.send(b"hello?")
    assert not line.outbox.waiting


async def test_a_stream_that_breaks_breaks_the_outbox(nursery: trio.Nursery) -> None:
    near, far = trio.testing.memory_stream_pair()
    outbox = Outbox(StreamWire(near), 0, lambda: None, nursery.start_soon)
    await far.aclose()
    outbox.send(b"hello")
    await outbox.wait_empty()
    assert outbox.broken


# ---- whatever the kernel takes


@attrs.define
class MoodyWire:
    """Takes as many bytes of each send as a list says, and then all."""

    takes: list[int]
    sent: bytearray = attrs.field(factory=bytearray)

    def send_now(self, data: bytes | memoryview) -> int:
        size = min(len(data), self.takes.pop(0)) if self.takes else len(data)
        self.sent += data[:size]
        return size

    async def send_rest(self, data: bytes | memoryview) -> int:
        await trio.lowlevel.checkpoint()
        return self.send_now(data)


@settings(max_examples=examples(100), deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(1, 300), st.sampled_from(("add", "send", "pause"))), max_size=20),
    takes=st.lists(st.integers(0, 200), max_size=20),
    most_bytes=st.sampled_from((0, 500)),
    now=st.booleans(),
)
def test_whole_frames_in_order_and_then_the_last(
    steps: list[tuple[int, str]], takes: list[int], most_bytes: int, now: bool
) -> None:
    wire = MoodyWire(list(takes))
    frames = [text_frame(bytes([number]) * size) for number, (size, _) in enumerate(steps)]
    overflows: list[int] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            outbox = Outbox(wire, most_bytes, partial(overflow, nursery), nursery.start_soon)
            outboxes.append(outbox)
            for frame, (_, how) in zip(frames, steps, strict=True):
                outbox.add(frame)
                if how != "add":
                    outbox.flush()
                if how == "pause":
                    await trio.lowlevel.checkpoint()
            outbox.close_with(CLOSE, now=now)
            await outbox.wait_empty()

    def overflow(nursery: trio.Nursery) -> None:
        overflows.append(1)
        outboxes[0].close_with(CLOSE, now=True)

    outboxes: list[Outbox] = []
    trio.run(main)
    *whole, last = frames_in(bytes(wire.sent))
    assert last == CLOSE
    assert whole == frames[: len(whole)]
    assert len(overflows) <= 1
    if not overflows and not now:
        assert whole == frames
