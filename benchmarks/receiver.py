"""Receivers of webhooks that answer 204: `python -m benchmarks.receiver TEMPER…`, one for each temper.

`well` answers at once, `slow` after some seconds, `dead` never; the last two are not counted. Each has a loopback
address of its own, as receivers have. The program prints where they listen as a line of JSON. For each line that it
reads from standard input it prints how many have come, and the 99th percentile of the time from the event to here since
the line before, in milliseconds.
"""

import asyncio
import json
import re
import sys
import time
from datetime import datetime
from functools import partial

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
SLOW_SECONDS = 5.0
_LENGTH = b"content-length:"
_AT = re.compile(rb'"timestamp":"([^"]+)"')


class Tally:
    """What has come, over all ports that are counted."""

    def __init__(self) -> None:
        self.count = 0
        self.took_ms: list[float] = []

    def add(self, body: bytes) -> None:
        self.count += 1
        if found := _AT.search(body):
            self.took_ms.append(time.time() * 1_000 - datetime.fromisoformat(found[1].decode()).timestamp() * 1_000)

    def report(self) -> dict[str, float]:
        took, self.took_ms = sorted(self.took_ms), []
        return {"count": self.count, "p99_ms": took[len(took) * 99 // 100] if took else 0.0}


class Receiver(asyncio.Protocol):
    """One connection, kept open."""

    def __init__(self, tally: Tally, temper: str) -> None:
        self.tally = tally
        self.temper = temper

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            start = head.index(_LENGTH) + len(_LENGTH)
            length = int(head[start:].partition(b"\r\n")[0])
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        if self.temper == "slow":
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self.transport.write, ANSWER)
        elif self.temper != "dead":
            self.tally.add(body)
            self.transport.write(ANSWER)


async def main(tempers: list[str]) -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    servers = [
        await loop.create_server(partial(Receiver, tally, temper), f"127.0.1.{number}", 0)
        for number, temper in enumerate(tempers, 1)
    ]
    print(json.dumps(["{}:{}".format(*server.sockets[0].getsockname()) for server in servers]), flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(tally.report()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
