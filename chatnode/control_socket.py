"""The control socket's place, and its client side for the command line. It imports little, to start quickly."""

from __future__ import annotations

import json
import os
import socket
from types import TracebackType
from typing import Any, Self

from chatnode.errors import STATUS, Refusal, StartError

NAME = "control.sock"
"""In the data directory."""
ATTACH = "attach"
"""The `op` of the first line of an attached process; no command. What follows is in `chatnode/embed/frames.py`."""


_OF_REQUESTS = {"id", "op"}
"""What a request says beside the fields of its command."""


def address(directory: int, path: str | os.PathLike[str]) -> str:
    """The socket's path, through the descriptor of the open data directory: socket paths are limited to 108 bytes.

    Without /proc it is the shorter one of the directory's own paths.
    """
    through = f"/proc/self/fd/{directory}"
    if not os.path.isdir(through):
        through = min(os.path.abspath(path), os.path.relpath(path), key=len)
    return f"{through}/{NAME}"


def connect(data: str | os.PathLike[str]) -> ControlSocket | None:
    """Connect to the node that serves this directory; None if there is none."""
    try:
        directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(address(directory, data))
    except OSError:
        connection.close()
        return None
    finally:
        os.close(directory)
    return ControlSocket(connection)


class ControlSocket:
    """A connection to a running node, made by `connect`; closed at the end of a `with` block. Its calls block."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._connection.close()

    def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command as the operator; returns its result as plain values.

        Raises `Refusal`, or `StartError` if the node stops before it answers.
        """
        if taken := _OF_REQUESTS & fields.keys():
            raise Refusal(
                "invalid", f"a command cannot have the field {min(taken)}: requests use it themselves", path=min(taken)
            )
        self._count += 1
        request = {"id": self._count, "op": name, **fields}
        try:
            self._connection.sendall(json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            line = self._lines.readline()
        except ConnectionError:
            line = b""
        if not line.endswith(b"\n"):
            raise StartError("the node stopped before it answered; look at its log")
        reply = json.loads(line)
        if "ok" in reply:
            return reply["ok"]
        raise refusal_of(reply["error"])


def refusal_of(error: dict[str, Any]) -> Refusal:
    """The `error` part of a reply."""
    code = error["code"] if error["code"] in STATUS else "internal"
    return Refusal(code, error["message"], path=error.get("path"), retry_after=error.get("retry_after"))


def shown(result: Any) -> str:
    """The result of a command as `chatnode call` prints it."""
    return json.dumps(result, indent=2, ensure_ascii=False)
