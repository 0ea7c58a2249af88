"""Running commands as the operator: through a running node's control socket, or on a node opened here."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import click
import orjson
import trio

from chatnode.errors import STATUS, Refusal, StartError
from chatnode.logs import get_logger
from chatnode.storage.engine.directory import DataDirectory, InUse
from chatnode.transport.unix import address

_START_SECONDS = 5.0
"""How long to wait for a node that holds the lock but does not answer yet: it is starting or stopping."""


class Call(Protocol):
    """Runs a command; gives its result as plain values. Raises `Refusal`."""

    def __call__(self, name: str, /, **fields: Any) -> Awaitable[Any]: ...


@asynccontextmanager
async def operator(data: Path, *, make: bool = False) -> AsyncGenerator[Call]:
    """Whichever way there is to run commands on this data directory.

    Only with `make` a node is made where there is none; else `StartError` says so, as the directory is a wrong one.
    """
    deadline: float | None = None
    while True:
        stream = await _connect(data)
        if stream is not None:
            async with stream:
                yield _Remote(stream)
            return
        directory = DataDirectory(data)
        if not make:
            directory.require_node()
        from chatnode.node import open_node  # half a second of imports, which asking a running node does without

        deadline = deadline or trio.current_time() + _START_SECONDS
        async with AsyncExitStack() as stack:
            stack.enter_context(_plugins_in_a_line())
            try:
                node = await stack.enter_async_context(open_node(data))
            except InUse:
                if trio.current_time() > deadline:
                    raise
                await trio.sleep(0.05)
                continue
            yield node.call
            return


@contextmanager
def _plugins_in_a_line() -> Generator[None]:
    """A node that is opened for one command names a broken plugin; the trace is in the log of one that serves."""
    logger, handler = get_logger("plugins"), _InALine()
    logger.addHandler(handler)
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


class _InALine(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"chatnode: {record.getMessage()}", err=True)


def is_served(data: Path) -> bool:
    """Whether a node serves the directory now."""

    async def main() -> bool:
        stream = await _connect(data)
        if stream is not None:
            await stream.aclose()
        return stream is not None

    return trio.run(main)


def run_operator_command(data: Path, name: str, /, **fields: Any) -> Any:
    """One command on the node that is there, from a program that is not async."""
    return trio.run(partial(_run, data, name, fields, make=False))


def run_making_command(data: Path, name: str, /, **fields: Any) -> Any:
    """One command with which a node may begin: it is made if need be."""
    return trio.run(partial(_run, data, name, fields, make=True))


async def _run(data: Path, name: str, fields: dict[str, Any], *, make: bool) -> Any:
    async with operator(data, make=make) as call:
        return await call(name, **fields)


async def _connect(data: Path) -> trio.SocketStream | None:
    try:
        directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    connection = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        await connection.connect(address(directory, DataDirectory(data).control_socket.name))
    except OSError:
        connection.close()
        return None
    finally:
        os.close(directory)
    return trio.SocketStream(connection)


class _Remote:
    """A running node, at the other end of its control socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffered = bytearray()
        self._count = 0

    async def __call__(self, name: str, /, **fields: Any) -> Any:
        self._count += 1
        await self._stream.send_all(orjson.dumps({"id": self._count, "op": name, **fields}) + b"\n")
        reply = orjson.loads(await self._line())
        if "ok" in reply:
            return reply["ok"]
        error = reply["error"]
        code = error["code"] if error["code"] in STATUS else "internal"
        raise Refusal(code, error["message"], path=error.get("path"), retry_after=error.get("retry_after"))

    async def _line(self) -> bytes:
        while b"\n" not in self._buffered:
            chunk = await self._stream.receive_some()
            if not chunk:
                raise StartError("the node stopped before it answered; see its log")
            self._buffered += chunk
        line, _, rest = bytes(self._buffered).partition(b"\n")
        self._buffered[:] = rest
        return line
