"""The control socket: how the command line asks a running node.

A Unix socket in the data directory, one JSON request a line, answered a line each, by the same command table.
Who may open it is the operator: the directory and the socket are only the node's own user's.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

import trio

from chatnode.control_socket import address
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import CommandTable
from chatnode.errors import StartError
from chatnode.logs import get_logger
from chatnode.protocol.envelopes import RequestId, ok_reply, parse_request
from chatnode.transport.failures import failed_reply

logger = get_logger("control")

LINE_BYTES = 64 * 1024 * 1024
"""The longest request: a batch of an import."""


async def serve_control(
    core: Core, table: CommandTable, path: Path, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Runs until cancelled; the caller holds the directory's lock, so a socket that is there is a dead one."""
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(_listen(path)))

    async def serve(stream: trio.SocketStream) -> None:
        # What is suppressed is that the command line went away.
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await _serve_connection(core, table, stream)

    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, serve, [listener])
            task_status.started()
    finally:
        listener.socket.close()
        os.unlink(path)


def _listen(path: Path) -> socket.socket:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        _bind(listening, address(directory, path.parent))
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


async def _serve_connection(core: Core, table: CommandTable, stream: trio.SocketStream) -> None:
    context = Caller(core, operator=True)
    buffered = bytearray()
    async with stream:
        async for chunk in stream:
            buffered += chunk
            if len(buffered) > LINE_BYTES:
                return
            if b"\n" not in chunk:
                continue
            *lines, rest = bytes(buffered).split(b"\n")
            buffered[:] = rest
            for line in lines:
                await stream.send_all(await _answer(table, context, line) + b"\n")


async def _answer(table: CommandTable, context: Caller, line: bytes) -> bytes:
    request_id: RequestId | None = None
    try:
        request = parse_request(line, 0)
        request_id = context.request = request.id
        return ok_reply(request_id, await table.run(context, request.op, request.fields))
    except Exception as error:
        return failed_reply(request_id, error)
