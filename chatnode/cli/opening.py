"""Opens a node to run commands when no node serves the directory."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import trio

from chatnode import control_socket
from chatnode.cli.remote import OperatorCall, remote
from chatnode.logs import get_logger
from chatnode.node import open_node
from chatnode.storage.engine.directory import DataDirectory, InUse

T = TypeVar("T")

_START_SECONDS = 5.0
"""How long to wait for a node that holds the lock but does not answer yet: it is starting or stopping."""


def run(data: Path, main: Callable[[OperatorCall], Coroutine[Any, Any, T]], *, make: bool) -> T:
    """Like `with_operator` in `chatnode.cli.operator`, in an event loop."""

    async def run() -> T:
        async with operator(data, make=make) as call:
            return await main(call)

    return trio.run(run)


@asynccontextmanager
async def operator(data: Path, *, make: bool = False) -> AsyncGenerator[OperatorCall]:
    """Run commands on a data directory, through a running node or by opening one. Async code may also wait for other
    things.
    """
    deadline: float | None = None
    while True:
        served = control_socket.connect(data)
        if served is not None:
            with served:
                yield remote(served)
            return
        directory = DataDirectory(data)
        if not make:
            directory.require_node()
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
    """Log broken plugins in one line each; a serving node logs their tracebacks."""
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
