"""Commands of the operator, and how a running node is asked for them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from chatnode.control_socket import ControlSocket


class OperatorCall(Protocol):
    """Runs a command; returns its result as plain values. Raises `Refusal`."""

    def __call__(self, name: str, /, **fields: Any) -> Awaitable[Any]: ...


class BlockingCall(Protocol):
    """The same, for code without an event loop."""

    def __call__(self, name: str, /, **fields: Any) -> Any: ...


def remote(node: ControlSocket) -> OperatorCall:
    """Runs commands on a running node; awaiting them blocks."""

    async def call(name: str, /, **fields: Any) -> Any:
        return node.call(name, **fields)

    return call
