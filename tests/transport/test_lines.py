"""Lines over a stream: whole, in order, in batches, and bounded."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from chatnode.transport import lines
from chatnode.transport.lines import LineReader, LineSender, send_lines


async def test_lines_come_whole_however_they_were_cut() -> None:
    there, here = trio.testing.memory_stream_pair()
    reader = LineReader(here)
    await there.send_all(b"one\ntw")
    assert await reader.read() == [b"one"]
    await there.send_all(b"o\nthree\nfo")
    assert await reader.read() == [b"two", b"three"]
    with trio.move_on_after(0):
        await reader.read()
    await there.send_all(b"ur\n")
    assert await reader.read() == [b"four"]
    await there.send_all(b"cut off")
    await there.aclose()
    assert await reader.read() == []


async def test_what_was_read_and_put_back_comes_first() -> None:
    there, here = trio.testing.memory_stream_pair()
    reader = LineReader(here)
    await send_lines(there, [b"one", b"two", b"three"])
    first, *rest = await reader.read()
    reader.put_back(rest)
    with trio.move_on_after(0):
        await reader.read()
    assert [first, *await reader.read()] == [b"one", b"two", b"three"]


async def test_a_line_that_is_too_long_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES", 1_000)
    there, here = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(there.send_all, b"x" * (lines.LINE_BYTES + 1))
        assert await LineReader(here).read() == []
        nursery.cancel_scope.cancel()


async def test_a_sender_is_full_until_the_other_end_takes_what_waits() -> None:
    there, here = trio.testing.memory_stream_pair()
    sender, long = LineSender(here), b"x" * (lines.UNSENT_BYTES + 1)
    sender.put(long)
    assert sender.full
    with trio.move_on_after(0.01) as waiting:
        await sender.wait_room()
    assert waiting.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        await sender.wait_sent()
        assert await LineReader(there).read() == [long]
        await there.aclose()
        sender.put(b"to nobody")
        await sender.wait_sent()
        sender.put(long)
        assert not sender.full
