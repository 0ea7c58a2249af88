"""The node's end of the sandbox: starting the child process, handing it jobs, ending it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib import resources
from itertools import count
from json import dumps, loads
from pathlib import Path
from typing import Any

import trio

from chatnode.api import python_variables

_ANSWER_BYTES = 4096
_START_SECONDS = 10
_STOP_SECONDS = 2
_BOOT = """
import sys, types
sys.path[:] = {path!r}
for name, places in {packages!r}:
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = places
from chatnode_attachments.images.zygote import serve
serve({descriptor})
"""
"""The packages are set up empty, so that importing the zygote does not import the node with it."""


class SandboxLost(Exception):
    """The child process ended, cannot start, or does not answer."""


def command_of_child(descriptor: int) -> list[str]:
    """The command that runs the child with a socket at `descriptor`; the only place that knows how to start it.

    It is this interpreter, isolated, and finds what this process would find, also where the node is embedded in
    another program or runs from an archive.
    """
    path = [os.path.abspath(entry) for entry in sys.path]
    packages = [
        (name, [str(resources.files(name))]) for name in ("chatnode_attachments", "chatnode_attachments.images")
    ]
    return [sys.executable, "-I", "-c", _BOOT.format(path=path, packages=packages, descriptor=descriptor)]


class Zygote:
    """A child process that is running. Used by one task at a time, except for `answer`."""

    def __init__(self, process: trio.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._numbers = count(1)
        self.namespaces = False
        """Whether it has no network, and no rights over other processes."""

    @classmethod
    async def start(cls, directory: Path) -> Zygote:
        """Start it in `directory`. Raises `SandboxLost`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            process = await trio.lowlevel.open_process(
                command_of_child(theirs.fileno()),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),), cwd=directory, env=python_variables(), start_new_session=True,
            )  # fmt: skip
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError):
                raise SandboxLost(f"cannot start {sys.executable}: {error.strerror}") from None
            raise
        finally:
            theirs.close()  # so that the end of the child ends the socket
        zygote = cls(process, ours)
        try:
            hello = await _receive(ours, _START_SECONDS)
        except BaseException:
            await zygote.stop()
            raise
        if hello is None:
            raise SandboxLost(f"the process for pictures does not start: {await zygote.stop() or 'no answer'}")
        zygote.namespaces = loads(hello)["namespaces"]
        return zygote

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def begin(self, request: dict[str, Any], descriptors: Sequence[int]) -> PictureJob:
        """Hand over a job. Raises `SandboxLost`."""
        number = next(self._numbers)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            message = dumps({"job": number, **request}).encode()
            try:
                socket.send_fds(self._control, [message], [theirs.fileno(), *descriptors], socket.MSG_DONTWAIT)
            except OSError:
                ours.close()
                self.kill()
                raise SandboxLost from None
        return PictureJob(ours, partial(self._end, number))

    def _end(self, number: int) -> None:
        try:
            self._control.send(dumps({"end": number}).encode(), socket.MSG_DONTWAIT)
        except OSError:  # it has ended, or is stuck
            self.kill()

    def kill(self) -> None:
        """The kernel then kills its jobs."""
        self._process.kill()

    async def stop(self) -> str:
        """End it and all its jobs, and return the last line of its errors. Not cancellable."""
        self._control.close()
        stderr = self._process.stderr
        assert stderr is not None
        with trio.CancelScope(shield=True):
            with trio.move_on_after(_STOP_SECONDS):
                await self._process.wait()
            self.kill()
            await self._process.wait()
            async with stderr:
                with trio.move_on_after(_STOP_SECONDS):
                    written = bytes(await stderr.receive_some(65_536)).decode("utf-8", "replace")
                    return (written.strip().splitlines() or [""])[-1][:300]
        return ""


class PictureJob:
    """A job that was handed over: a context manager, which ends it."""

    def __init__(self, channel: socket.socket, end: partial[None]) -> None:
        self._channel = channel
        self._end = end

    def __enter__(self) -> PictureJob:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._end()

    async def answer(self, seconds: float) -> dict[str, Any] | None:
        """Its answer; None if it ended without one. Raises `trio.TooSlowError`, and `ValueError` for no JSON."""
        data = await _receive(self._channel, seconds, may_be_late=False)
        return None if data is None else loads(data)


async def _receive(channel: socket.socket, seconds: float, *, may_be_late: bool = True) -> bytes | None:
    """One message; None at the end."""
    with trio.move_on_after(seconds):
        while True:
            with suppress(BlockingIOError):
                return channel.recv(_ANSWER_BYTES, socket.MSG_DONTWAIT) or None
            await trio.lowlevel.wait_readable(channel)
    if may_be_late:
        return None
    raise trio.TooSlowError
