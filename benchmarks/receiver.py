"""Receivers of webhooks that answer 204 and count: `python -m benchmarks.receiver PORT…`.

For each line that it reads from standard input it prints how many have come.
"""

import asyncio
import sys

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH = b"content-length:"


class Receiver(asyncio.Protocol):
    """One connection, kept open."""

    count = 0

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
            self.buffer = self.buffer[end + 4 + length :]
            Receiver.count += 1
            self.transport.write(ANSWER)


async def main(ports: list[int]) -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    for port in ports:
        await loop.create_server(Receiver, "127.0.0.1", port)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(Receiver.count, flush=True)


if __name__ == "__main__":
    asyncio.run(main([int(port) for port in sys.argv[1:]]))
