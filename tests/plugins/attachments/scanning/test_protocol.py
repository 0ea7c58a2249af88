"""What clamd may say on the wire, and what it then means. Only an exact answer counts."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from chatnode_attachments.addresses import ClamdAddress, check_clamd, parse_clamd
from chatnode_attachments.scanning.clamd import ClamdSession, NoAnswer, open_session, read_scan_reply
from chatnode_attachments.scanning.verdicts import Clean, Infected, Unknown
from chatnode_attachments.settings import AttachmentsSettings

from chatnode.errors import StartError

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The other end of a session, as a script plays it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._unread = b""

    async def reads(self, expected: bytes) -> None:
        """Exactly these bytes. Descriptors that come along are closed by the kernel."""
        while len(self._unread) < len(expected):
            data = await self._stream.receive_some(65_536)
            assert data, "the client went"
            self._unread += data
        got, self._unread = self._unread[: len(expected)], self._unread[len(expected) :]
        assert got == expected

    async def says(self, *parts: bytes) -> None:
        for part in parts:
            await self._stream.send_all(part)
            await trio.sleep(0.01)  # each in a packet of its own

    async def goes(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def scripted(script: Script, way: str = "unix") -> AsyncGenerator[ClamdSession]:
    """A session with a clamd that follows the script after the session has begun."""

    async def play(stream: trio.SocketStream) -> None:
        peer = Peer(stream)
        await peer.reads(b"zIDSESSION\0")
        await script(peer)
        await trio.sleep_forever()

    with tempfile.TemporaryDirectory(prefix="clamd-") as directory:
        if way == "unix":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{directory}/socket")
            listener.listen()
            listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(listener))]
            address = ClamdAddress(path=f"{directory}/socket")
        else:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            address = ClamdAddress(host="127.0.0.1", port=listeners[0].socket.getsockname()[1])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, play, listeners)
            async with open_session(address) as session:
                yield session
            nursery.cancel_scope.cancel()


@pytest.fixture
def descriptor(tmp_path: Path) -> Generator[int]:
    path = tmp_path / "file"
    path.write_bytes(b"")
    os.truncate(path, 20_000_000)
    with path.open("rb") as file:
        yield file.fileno()


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("fd[12]: OK", Clean()),
        ("stream: OK", Clean()),
        ("stream: Eicar-Test.UNOFFICIAL FOUND", Infected("Eicar-Test.UNOFFICIAL")),
        ("fd[9]: Win.Test.EICAR_HDB-1(44d88612:68) FOUND", Infected("Win.Test.EICAR_HDB-1(44d88612:68)")),
        *(
            (reply, Unknown(f"clamd answered {reply!r}"))
            for reply in (
                "", "OK", "stream: ok", "stream: OK ", "stream: OK\n", "stream: NOT OK", "stream: FOUND",
                "stream:  FOUND", "stream: \x1b FOUND",
                "fd[]: OK", "fd[1]: lstat() failed: No such file or directory. ERROR", "UNKNOWN COMMAND", "PONG",
                "INSTREAM size limit exceeded. ERROR", "stream: OK\nstream: Bad FOUND", "/etc/passwd: OK",
            )
        ),
        (
            "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
            Unknown("clamd's limits are exceeded: Heuristics.Limits.Exceeded.MaxFileSize"),
        ),
    ],
)  # fmt: skip
def test_only_the_exact_answers_count(reply: str, verdict: object) -> None:
    assert read_scan_reply(reply) == verdict


async def test_an_answer_may_come_in_pieces_or_with_another(descriptor: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.reads(b"zFILDES\0\0")
        await peer.says(b"1", b": fd[3]: O", b"K\0")
        await peer.reads(b"zVERSION\0zVERSION\0")
        await peer.says(b"3: ClamAV 1.5\x002: ClamAV 1.4\0")

    async with scripted(script) as session:
        assert await session.scan(descriptor, 1, 5) == Clean()
        versions: dict[int, str] = {}

        async def ask(n: int) -> None:
            versions[n] = await session.version(5)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, 2)
            await trio.sleep(0.05)
            nursery.start_soon(ask, 3)
        assert versions == {2: "ClamAV 1.4", 3: "ClamAV 1.5"}


GARBAGE = {
    "nothing, and goes": (b"", "closed the connection"),
    "half an answer, and goes": (b"1: fd[3]: O", "closed the connection"),
    "an answer without a number": (b"fd[3]: OK\0", "no reply to anything"),
    "an answer to another command": (b"7: fd[3]: OK\0", "no reply to anything"),
    "what is not text": (b"\xff\xfe\0", "no reply to anything"),
    "no end": (b"1: " + b"x" * 20_000, "without an end"),
}


@pytest.mark.parametrize(("said", "why"), GARBAGE.values(), ids=GARBAGE)
async def test_anything_else_ends_the_session(descriptor: int, said: bytes, why: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.reads(b"zFILDES\0\0")
        await peer.says(said)
        if why.startswith("closed"):
            await peer.goes()

    async with scripted(script) as session:
        with pytest.raises(NoAnswer, match=why):
            await session.scan(descriptor, 1, 5)
        assert session.lost.is_set()
        with pytest.raises(NoAnswer, match=why):
            await session.version(5)


async def test_a_second_answer_to_the_same_command_ends_the_session(descriptor: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.reads(b"zFILDES\0\0")
        await peer.says(b"1: fd[3]: OK\0", b"1: fd[3]: OK\0")

    async with scripted(script) as session:
        assert await session.scan(descriptor, 1, 5) == Clean()
        with trio.fail_after(5):
            await session.lost.wait()


async def test_who_is_not_clamd_is_not_believed() -> None:
    async def script(peer: Peer) -> None:
        await peer.reads(b"zVERSION\0")
        await peer.says(b"1: nginx\0")

    async with scripted(script) as session:
        with pytest.raises(NoAnswer, match="nginx"):
            await session.version(5)
        assert session.lost.is_set()


async def test_the_reason_why_clamd_wants_no_more_of_a_stream_is_read(descriptor: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.reads(b"zINSTREAM\0")
        await peer.says(b"1: INSTREAM size limit exceeded. ERROR\0")
        await peer.goes()

    async with scripted(script, "tcp") as session:
        found = await session.scan(descriptor, 2_000_000, 5)
        assert found == Unknown("clamd answered 'INSTREAM size limit exceeded. ERROR'")
        with trio.fail_after(5):
            await session.lost.wait()


async def test_a_stream_is_sent_in_chunks_to_its_end(descriptor: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.reads(b"zINSTREAM\0\0\x04\0\0" + bytes(1 << 18) + b"\0\0\0\x05" + bytes(5) + bytes(4))
        await peer.says(b"1: stream: OK\0")

    async with scripted(script, "tcp") as session:
        assert await session.scan(descriptor, (1 << 18) + 5, 5) == Clean()


async def test_a_file_that_became_shorter_is_not_scanned(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(b"abc")

    async def script(peer: Peer) -> None:
        await peer.reads(b"zINSTREAM\0\0\0\0\x03abc")

    async with scripted(script, "tcp") as session:
        with path.open("rb") as file, pytest.raises(NoAnswer, match="truncated"):
            await session.scan(file.fileno(), 10, 5)
        assert session.lost.is_set()


async def test_a_late_answer_to_one_scan_is_not_that_to_the_next(descriptor: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.reads(b"zFILDES\0\0zFILDES\0\0")
        await peer.says(b"1: fd[3]: OK\0", b"2: fd[4]: Bad FOUND\0")

    async with scripted(script) as session:
        with pytest.raises(NoAnswer, match=r"longer than 0\.1 s"):
            await session.scan(descriptor, 1, 0.1)
        assert await session.scan(descriptor, 1, 5) == Infected("Bad")


async def test_a_scan_given_up_while_it_was_sent_ends_the_session(descriptor: int) -> None:
    async def script(peer: Peer) -> None:
        await trio.sleep_forever()

    async with scripted(script, "tcp") as session:
        with pytest.raises(NoAnswer, match="longer than"):
            await session.scan(descriptor, 20_000_000, 0.3)  # more than the kernel takes
        with trio.fail_after(5):
            await session.lost.wait()
        assert session.why == "a command was not sent to its end"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", None),
        ("unix:/run/clamav/clamd.ctl", ClamdAddress(path="/run/clamav/clamd.ctl")),
        ("tcp:127.0.0.1:3310", ClamdAddress(host="127.0.0.1", port=3310)),
        ("tcp:[::1]:3310", ClamdAddress(host="::1", port=3310)),
        ("tcp:clamd.example:3310", ClamdAddress(host="clamd.example", port=3310)),
    ],
)
def test_addresses(text: str, address: ClamdAddress | None) -> None:
    assert parse_clamd(text) == address
    assert check_clamd(text) == text


@pytest.mark.parametrize(
    "text",
    ["/run/clamd", "unix:clamd", "unix:", "tcp:", "tcp:host", "tcp::3310", "tcp:host:0", "tcp:host:70000", "x:y:1"],
)
def test_what_is_no_address_stops_the_start_and_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="unix:/path"):
        parse_clamd(text)
    with pytest.raises(StartError, match="unix:/path"):
        AttachmentsSettings(clamd=text)


async def test_where_no_clamd_listens_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match=f"cannot be reached at {tmp_path}/clamd.ctl: No such file or directory"):
        async with open_session(ClamdAddress(path=f"{tmp_path}/clamd.ctl")):
            pass
