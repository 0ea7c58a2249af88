"""A client of clamd.

One connection is one `IDSESSION`: clamd numbers its replies, so several scans run at a time, and all of them are known
to be done by the same process. What was proved of that process holds until the connection ends.
"""

from __future__ import annotations

import array
import os
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

from chatnode_attachments.addresses import ClamdAddress
from chatnode_attachments.scanning.verdicts import Clean, Infected, ScanVerdict, Unknown

CONNECT_SECONDS = 10.0
CHUNK = 1 << 18
_MOST_REPLY = 1 << 14
_REPLY = re.compile(r"([0-9]{1,15}): (.*)", re.DOTALL)
_SCANNED = re.compile(r"(?:fd\[[0-9]+\]|stream): (?:(OK)|([ -~]{1,300}) FOUND)")
_NOT_SCANNED = "Heuristics.Limits.Exceeded"
"""What clamd "finds" in a file that it did not scan, or not to its end."""


class NoAnswer(Exception):
    """clamd cannot be reached, was too slow, ended the connection, or sent what is no reply."""


@attrs.define(eq=False)
class _Awaited:
    """The reply to one command; None when the connection was lost before it came."""

    came: trio.Event = attrs.field(factory=trio.Event)
    text: str | None = None


class ClamdSession:
    """A connection to one clamd process. Any number of tasks may use it at a time."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._sending = trio.Lock()
        self._awaited: dict[int, _Awaited] = {}
        self._sent = 0
        self.lost = trio.Event()
        self.why = ""
        """Why it was lost."""

    async def version(self, seconds: float) -> str:
        """The version of clamd and of its database. Raises `NoAnswer`, and then the session is lost, also after
        `seconds`: a clamd that is busy answers only between scans."""
        version = None
        with trio.move_on_after(seconds):
            async with self._command() as awaited:
                await self._send(b"zVERSION\0")
            version = await self._reply(awaited)
        if version is None:
            self.lose(f"clamd did not answer within {seconds:g} s")
        elif not version.startswith("ClamAV"):
            self.lose(f"clamd's answer to VERSION was {version[:100]!r}")
        else:
            return version
        raise NoAnswer(self.why)

    async def scan(self, descriptor: int, bytes: int, seconds: float) -> ScanVerdict:
        """Scan a file from its beginning. Raises `NoAnswer`, also after `seconds`.

        After a scan that took too long the session goes on, unless the file was still being sent.
        """
        give = self._pass if self._stream.socket.family == socket.AF_UNIX else self._stream_file
        with trio.move_on_after(seconds):
            return read_scan_reply(await give(descriptor, bytes))
        raise NoAnswer(f"the scan took longer than {seconds:g} s")

    async def _pass(self, descriptor: int, bytes: int) -> str:
        """clamd gets the descriptor and reads the file by itself; it needs no rights to the path."""
        async with self._command() as awaited:
            command = b"zFILDES\0\0"  # the descriptor belongs to the last byte
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
            try:
                sent = await self._stream.socket.sendmsg([command], ancillary)
            except OSError:
                sent = len(command)  # the connection is broken; `pump` learns how
            if sent < len(command):
                raise NoAnswer("a command was sent in part")
        return await self._reply(awaited)

    async def _stream_file(self, descriptor: int, bytes: int) -> str:
        async with self._command() as awaited:
            complete = await self._send(b"zINSTREAM\0") and await self._send_chunks(descriptor, bytes, awaited)
            if complete:
                await self._send(b"\0\0\0\0")
            else:  # clamd does not want the rest: its reply may still come, and then no more commands can follow
                await awaited.came.wait()
                self.lose(awaited.text or self.why)
        return await self._reply(awaited)

    async def _send_chunks(self, descriptor: int, bytes: int, awaited: _Awaited) -> bool:
        at = 0
        while at < bytes:
            chunk = await trio.to_thread.run_sync(os.pread, descriptor, min(CHUNK, bytes - at), at)
            if not chunk:
                raise NoAnswer("the file was truncated while it was sent")
            if awaited.came.is_set() or not await self._send(len(chunk).to_bytes(4, "big") + chunk):
                return False
            at += len(chunk)
        return True

    # ---- sending and receiving

    @asynccontextmanager
    async def _command(self) -> AsyncGenerator[_Awaited]:
        """Send one command in the block, whole: else the session is lost. Yields what will have the reply."""
        async with self._sending:
            if self.lost.is_set():
                raise NoAnswer(self.why)
            self._sent += 1
            awaited = self._awaited[self._sent] = _Awaited()
            try:
                yield awaited
            except BaseException:
                self.lose("a command was not sent to its end")
                raise

    async def _send(self, data: bytes) -> bool:
        """False if the connection is broken. Why, and what clamd still said, is for `pump` to read."""
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            return False
        return True

    async def _reply(self, awaited: _Awaited) -> str:
        await awaited.came.wait()
        if awaited.text is None:
            raise NoAnswer(self.why)
        return awaited.text

    async def pump(self) -> None:
        """Read replies until the session is lost."""
        buffer = bytearray()
        while not self.lost.is_set():
            try:
                data = await self._stream.receive_some(1 << 16)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                return self.lose("clamd closed the connection")
            buffer += data
            *replies, rest = bytes(buffer).split(b"\0")
            buffer = bytearray(rest)
            for reply in replies:
                self._receive(reply.decode("utf-8", "replace"))
            if len(buffer) > _MOST_REPLY:
                self.lose("clamd sent a reply without an end")

    def _receive(self, reply: str) -> None:
        match = _REPLY.fullmatch(reply)
        awaited = self._awaited.pop(int(match[1]), None) if match is not None else None
        if match is None or awaited is None:
            return self.lose(f"clamd sent {reply[:100]!r}, which is no reply to anything")
        awaited.text = match[2]
        awaited.came.set()

    def lose(self, why: str) -> None:
        """End the session; commands without a reply get none."""
        if not self.lost.is_set():
            self.why = why
            self.lost.set()
        for awaited in self._awaited.values():
            awaited.came.set()
        self._awaited.clear()


@asynccontextmanager
async def open_session(address: ClamdAddress) -> AsyncGenerator[ClamdSession]:
    """A session with clamd until the block ends. Raises `NoAnswer` if it cannot be reached."""
    failure: Exception | None = None
    async with await _connect(address) as stream:
        session = ClamdSession(stream)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.pump)
            try:
                await stream.send_all(b"zIDSESSION\0")
                yield session
            except trio.BrokenResourceError:
                failure = NoAnswer("clamd closed the connection")
            except Exception as error:
                failure = error  # raised below, outside of the nursery, as itself
            session.lose("the session was ended")
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _connect(address: ClamdAddress) -> trio.SocketStream:
    try:
        with trio.fail_after(CONNECT_SECONDS):
            return await address.connect()
    except trio.TooSlowError:
        raise NoAnswer(f"clamd could not be reached at {address} within {CONNECT_SECONDS:g} s") from None
    except OSError as error:
        raise NoAnswer(f"clamd cannot be reached at {address}: {error.strerror or error}") from error


def read_scan_reply(text: str) -> ScanVerdict:
    """What a reply to a scan says. Only the exact answers count."""
    match = _SCANNED.fullmatch(text)
    if match is None:
        return Unknown(f"clamd answered {text[:200]!r}")
    if match[1] is not None:
        return Clean()
    if match[2].startswith(_NOT_SCANNED):
        return Unknown(f"clamd's limits are exceeded: {match[2]}")
    return Infected(match[2])
