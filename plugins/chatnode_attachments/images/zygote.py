"""The child process that pictures are decoded in: it has Pillow loaded and forks once for each picture.

It speaks with the node (`process.py`) through a socket that keeps messages apart. A request is an object with `job`, a
number, and the descriptors of what the job needs; the forked process sends its answer itself. `{"end": job}` kills the
job if it still runs. The end of the socket ends everything.

Imports nothing but the standard library, Pillow and modules beside it: `chatnode_attachments` itself, and with it the
node, is never imported in the child.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from json import dumps, loads
from typing import Any

from chatnode_attachments.images import confinement, pictures

_MESSAGE_BYTES = 4096


def serve(descriptor: int) -> None:
    """Serve the node at the other end of the socket until it closes."""
    for ignored in (signal.SIGINT, signal.SIGTERM):  # only the node ends it: a service manager signals all at once
        signal.signal(ignored, signal.SIG_IGN)
    pictures.load_codecs()
    control = socket.socket(fileno=descriptor)
    confined = confinement.confine_server()
    control.send(dumps({"namespaces": confined}).encode())
    running: dict[int, int] = {}
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, 16)
        if not data:
            break
        message = loads(data)
        if "end" in message:
            _end(running.pop(message["end"]))
        else:
            running[message["job"]] = _fork(message, descriptors)
    for process in running.values():
        _end(process)


def _end(process: int) -> None:
    os.kill(process, signal.SIGKILL)  # one that has exited is still ours to reap
    os.waitpid(process, 0)


def _fork(message: dict[str, Any], descriptors: list[int]) -> int:
    server = os.getpid()
    process = os.fork()
    if process == 0:
        try:
            _run(message, confinement.confine_job(server, descriptors))
        finally:
            os._exit(0)
    for descriptor in descriptors:
        os.close(descriptor)
    return process


def _run(message: dict[str, Any], descriptors: list[int]) -> None:
    """Do one job and send the answer. Whatever fails is an answer too; only a crash sends none."""
    answer, source, *outputs = descriptors
    channel = socket.socket(fileno=answer)
    try:
        with os.fdopen(source, "rb", closefd=False) as file:
            found = pictures.run(message, file, outputs)
    except Exception as error:  # including MemoryError
        found = {"refused": f"{type(error).__name__}: {error}"[:500]}
    with suppress(OSError):  # the node does not wait any more
        channel.send(dumps(found).encode())
