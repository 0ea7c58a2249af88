"""Opens a node to run commands when no node serves the directory."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import click
import trio

from chatnode import control_socket
from chatnode.cli.remote import BlockingCall, OperatorCall, remote
from chatnode.errors import InUse
from chatnode.logs import get_logger
from chatnode.node import open_node
from chatnode.storage.engine.directory import DataDirectory

T = TypeVar("T")

_START_SECONDS = 5.0
"""How long to wait for a node that holds the lock but does not answer yet: it is starting or stopping."""


def run(data: Path, main: Callable[[OperatorCall], Coroutine[Any, Any, T]], *, make: bool) -> T:
    """Like `with_operator` in `chatnode.cli.operator`, in an event loop."""

    async def run() -> T:
        async with operator(data, make=make) as call:
            return await main(call)

    return trio.run(run)


@contextmanager
def opened(data: Path) -> Generator[BlockingCall]:
    """Open the node in a thread, for several commands. Meanwhile its works run, as they do in a node that serves, so
    that commands may start them and wait. Those that have not ended go on the next time.
    """
    ready: Future[tuple[trio.lowlevel.TrioToken, OperatorCall, trio.Event]] = Future()

    async def main() -> None:
        async with operator(data, works=True) as call:
            done = trio.Event()
            ready.set_result((trio.lowlevel.current_trio_token(), call, done))
            await done.wait()

    def run() -> None:
        try:
            trio.run(main)
        except BaseException as error:  # `StartError`, which is raised where the node was asked for
            if ready.done():
                raise
            ready.set_exception(error)

    thread = Thread(target=run, name="chatnode-opened")
    thread.start()
    try:
        token, call, done = ready.result()
    except BaseException:
        thread.join()
        raise

    def call_and_wait(name: str, /, **fields: Any) -> Any:
        return trio.from_thread.run(partial(call, name, **fields), trio_token=token)

    try:
        yield call_and_wait
    finally:
        token.run_sync_soon(done.set)
        thread.join()


@asynccontextmanager
async def operator(data: Path, *, make: bool = False, works: bool = False) -> AsyncGenerator[OperatorCall]:
    """Run commands on a data directory, through a running node or by opening one. Async code may also wait for other
    things. `works`: a node that is opened here also runs the works that are due.
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
            if works:
                nursery = await stack.enter_async_context(trio.open_nursery())
                stack.callback(nursery.cancel_scope.cancel)
                nursery.start_soon(node.works.run)
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
