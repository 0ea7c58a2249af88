"""Running commands as the operator: on a running node through its control socket, or on a node opened here.

Asking a running node imports neither the server nor an event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from chatnode import control_socket
from chatnode.control_socket import ControlSocket

T = TypeVar("T")


class OperatorCall(Protocol):
    """Runs a command; gives its result as plain values. Raises `Refusal`."""

    def __call__(self, name: str, /, **fields: Any) -> Awaitable[Any]: ...


def with_operator(data: Path, main: Callable[[OperatorCall], Coroutine[Any, Any, T]], *, make: bool = False) -> T:
    """The result of `main`, which runs commands one after the other and waits for nothing else.

    Only with `make` a node is made where there is none; else `StartError` says so, as the directory is a wrong one.
    """
    node = control_socket.connect(data)
    if node is None:
        return import_module("chatnode.cli.opening").run(data, main, make=make)
    with node:
        return _without_an_event_loop(main(remote(node)))


def run_operator_command(data: Path, name: str, /, **fields: Any) -> Any:
    """One command on the node that is there."""
    return with_operator(data, partial(_run, name, fields))


def run_making_command(data: Path, name: str, /, **fields: Any) -> Any:
    """One command with which a node may begin: it is made if need be."""
    return with_operator(data, partial(_run, name, fields), make=True)


def is_served(data: Path) -> bool:
    """Whether a node serves the directory now."""
    node = control_socket.connect(data)
    if node is None:
        return False
    with node:
        return True


def remote(node: ControlSocket) -> OperatorCall:
    """Runs commands on a running node; what it gives to await blocks instead."""

    async def call(name: str, /, **fields: Any) -> Any:
        return node.call(name, **fields)

    return call


async def _run(name: str, fields: dict[str, Any], call: OperatorCall) -> Any:
    return await call(name, **fields)


def _without_an_event_loop(main: Coroutine[Any, Any, T]) -> T:
    try:
        main.send(None)
    except StopIteration as done:
        return done.value
    main.close()
    raise RuntimeError("it waits for something else than the commands it runs")
