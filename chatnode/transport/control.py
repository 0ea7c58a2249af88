"""The control socket: how the command line asks a running node, and how other processes attach to it.

A Unix socket in the data directory. A connection takes one JSON request a line and answers a line each, by the same
command table, or it begins with `attach` and is given to `ServeAttached`. Who may open it is the operator: the
directory and the socket are only the node's own user's.
"""

from __future__ import annotations

import os
import socket
import stat
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Protocol, cast

import trio

from chatnode import forking
from chatnode.concurrency import Signal, behind_barrier
from chatnode.control_socket import ATTACH, address
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import CommandTable
from chatnode.errors import Refusal, StartError
from chatnode.logs import get_logger
from chatnode.protocol.envelopes import RequestFrame, RequestId, ok_reply, parse_request
from chatnode.storage.engine.file_owners import fault
from chatnode.transport.failures import failed_reply
from chatnode.transport.lines import LineReader, send_lines

logger = get_logger("control")

STOP_SECONDS = 2.0
"""How long a stopping node waits until the calls of attached processes are answered."""


class ServeAttached(Protocol):
    """Serves a connection of an attached process, from its request `attach` on.

    Once `stopping` is set, it begins nothing more, and returns when what was begun is answered.
    """

    async def __call__(
        self, stream: trio.SocketStream, reader: LineReader, request: RequestFrame, stopping: trio.Event
    ) -> None: ...


async def serve_control(
    core: Core,
    table: CommandTable,
    path: Path,
    attached: ServeAttached,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Runs until cancelled; the caller holds the directory's lock, so a socket that is there is a dead one."""
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(_listen(path)))
    descriptor = listener.socket.fileno()
    forking.keep_from_children(descriptor)
    server = _Server(core, table, attached)
    try:
        async with trio.open_nursery() as nursery:
            connections = await nursery.start(_hold_connections)
            try:
                await nursery.start(
                    partial(trio.serve_listeners, server.serve, [listener], handler_nursery=connections)
                )
                task_status.started()
                await trio.sleep_forever()
            finally:
                forking.forget(descriptor)  # it is closed by now, and its number may be another file's
                with trio.CancelScope(shield=True):
                    await server.stop()
                connections.cancel_scope.cancel()
    finally:
        forking.forget(descriptor)
        listener.socket.close()
        os.unlink(path)


async def _hold_connections(task_status: trio.TaskStatus[trio.Nursery]) -> None:
    """Shielded from cancellation, so that calls of attached processes are answered before the end."""
    with trio.CancelScope(shield=True):
        async with trio.open_nursery() as nursery:
            task_status.started(nursery)
            await trio.sleep_forever()


def _listen(path: Path) -> socket.socket:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        _bind(listening, address(directory, path.parent))
    except OSError as error:
        raise StartError(f"{path}: cannot be made: {fault(path.parent) or error.strerror}") from None
    finally:
        os.close(directory)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    listening.listen()
    return listening


def _bind(listening: socket.socket, address: str) -> None:
    try:
        listening.bind(address)
    except OSError as error:
        if error.errno is not None:
            raise
        raise StartError(  # Python's own, for a path that is too long
            f"{address}: longer than a socket's path may be; mount /proc, or choose another --data"
        ) from None


class _Server:
    """Everybody at the control socket."""

    def __init__(self, core: Core, table: CommandTable, attached: ServeAttached) -> None:
        self._core = core
        self._table = table
        self._serve_attached = attached
        self._attached = Counter[bool]()
        """Connections of attached processes; True: those of requests and sockets of their clients."""
        self._detached = Signal()
        self._stopping = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        descriptor = stream.socket.fileno()
        forking.keep_from_children(descriptor)
        async with stream:
            try:
                error = await behind_barrier(partial(self._serve, stream))
                if error is not None and not _is_gone(error):
                    logger.error("a connection to the control socket failed", exc_info=error)
            finally:
                forking.forget(descriptor)

    async def stop(self) -> None:
        """Let attached processes go, once what they asked is answered, or `STOP_SECONDS` are over."""
        self._stopping.set()
        with trio.move_on_after(STOP_SECONDS):
            while self._attached.total():
                await self._detached.wait()

    async def _serve(self, stream: trio.SocketStream) -> None:
        context = Caller(self._core, operator=True)
        reader = LineReader(stream)
        while lines := await reader.read():
            for number, line in enumerate(lines, 1):
                request_id: RequestId | None = None
                try:
                    request = parse_request(line, 0)
                    request_id = context.request = request.id
                    if request.op == ATTACH:
                        reader.put_back(lines[number:])
                        await self._attach(stream, reader, request)
                        return
                    reply = ok_reply(request_id, await self._table.run(context, request.op, request.fields))
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    raise
                except Exception as error:
                    reply = failed_reply(request_id, error)
                await send_lines(stream, [reply])

    async def _attach(self, stream: trio.SocketStream, reader: LineReader, request: RequestFrame) -> None:
        """Raises `Refusal` if there are too many; then the connection may go on."""
        limits, mounted = self._core.config.limits, request.fields.get("for") == "exchange"
        most = limits.attached_requests if mounted else limits.attached_connections
        if most and self._attached[mounted] >= most:
            setting = "limits.attached_requests" if mounted else "limits.attached_connections"
            raise Refusal("unavailable", f"attached processes have {most} connections open already: {setting}")
        self._attached[mounted] += 1
        try:
            error = await behind_barrier(
                partial(self._serve_attached, stream, reader, request, self._stopping), failures=(Exception,)
            )
        finally:
            self._attached[mounted] -= 1
            self._detached.notify()
        if error is not None and not _is_gone(error):
            logger.error("a connection of an attached process failed", exc_info=error)


def _is_gone(error: BaseException) -> bool:
    """Whether nothing is wrong but that the other end went away."""
    gone = (trio.BrokenResourceError, trio.ClosedResourceError)
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).split(gone)[1] is None
    return isinstance(error, gone)
