"""A program in a pseudo-terminal: type at it, and see what it shows."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import trio

_STEERING = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[=>()][0-9A-Za-z]?|\r")

_WHERE_IS_THE_CURSOR = b"\x1b[6n"


class Terminal:
    """`raw` is all that was written to the terminal so far; what was seen once is not looked for again."""

    def __init__(self, process: trio.Process, master: trio.lowlevel.FdStream) -> None:
        self._process = process
        self._master = master
        self._seen = 0
        self._more = trio.Event()
        self._sending = trio.Lock()
        self.raw = ""

    async def pump(self) -> None:
        """Reads until the program has closed the terminal."""
        try:
            while data := await self._master.receive_some():
                self.raw += data.decode("utf-8", "replace")
                self._more.set()
                self._more = trio.Event()
                for _ in range(data.count(_WHERE_IS_THE_CURSOR)):
                    await self.press("\x1b[20;1R")
        except trio.BrokenResourceError:
            pass  # how Linux says that nobody has the other side open any more

    async def see(self, text: str) -> None:
        """Wait until `text` appears, after what was seen before."""
        with trio.move_on_after(30):
            while (found := self.shown.find(text, self._seen)) < 0:
                await self._more.wait()
            self._seen = found + len(text)
            return
        raise AssertionError(f"{text!r} does not appear in:\n{self.shown[self._seen :]}")

    @property
    def shown(self) -> str:
        """What was written, without what steers the terminal."""
        return _STEERING.sub("", self.raw)

    async def type(self, line: str) -> None:
        """Type a line and Enter."""
        await self.press(line + "\r")

    async def press(self, keys: str) -> None:
        async with self._sending:
            await self._master.send_all(keys.encode())

    async def wait_end(self) -> int:
        """The exit status."""
        with trio.fail_after(60):
            return await self._process.wait()


@asynccontextmanager
async def terminal(command: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[Terminal]:
    """Runs `command` in a terminal of 100 by 40; kills it at the end if it still runs."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = await trio.lowlevel.open_process(
        list(command), stdin=slave, stdout=slave, stderr=slave, env=dict(environment), start_new_session=True
    )
    os.close(slave)
    stream = trio.lowlevel.FdStream(master)
    try:
        async with stream, trio.open_nursery() as nursery:
            opened = Terminal(process, stream)
            nursery.start_soon(opened.pump)
            yield opened
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
