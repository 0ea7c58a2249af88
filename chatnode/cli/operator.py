"""Runs commands as the operator: on a running node through its control socket, or on a node opened here.

With a running node, it imports neither the server nor an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from chatnode import control_socket
from chatnode.cli.remote import BlockingCall, OperatorCall, remote

T = TypeVar("T")


def with_operator(data: Path, main: Callable[[OperatorCall], Coroutine[Any, Any, T]], *, make: bool = False) -> T:
    """Run `main`, which runs commands one after the other and awaits nothing else; returns its result.

    With `make`, it creates a node if there is none. Otherwise it raises `StartError`, because the directory is probably
    the wrong one.
    """
    node = control_socket.connect(data)
    if node is None:
        from chatnode.cli import opening

        return opening.run(data, main, make=make)
    with node:
        return _without_an_event_loop(main(remote(node)))


@contextmanager
def operator_session(data: Path) -> Generator[BlockingCall]:
    """Run commands on an existing node one after the other, as one session. Without a running node, it is opened here
    until the session ends, and its works run meanwhile.
    """
    node = control_socket.connect(data)
    if node is None:
        from chatnode.cli import opening

        with opening.opened(data) as call:
            yield call
        return
    with node:
        yield node.call


def run_operator_command(data: Path, name: str, /, **fields: Any) -> Any:
    """Run one command on an existing node."""
    return with_operator(data, partial(_run, name, fields))


def run_making_command(data: Path, name: str, /, **fields: Any) -> Any:
    """Run one command, creating a node if there is none."""
    return with_operator(data, partial(_run, name, fields), make=True)


def is_served(data: Path) -> bool:
    """Whether a node serves the directory now."""
    node = control_socket.connect(data)
    if node is None:
        return False
    with node:
        return True


async def _run(name: str, fields: dict[str, Any], call: OperatorCall) -> Any:
    return await call(name, **fields)


def _without_an_event_loop(main: Coroutine[Any, Any, T]) -> T:
    try:
        main.send(None)
    except StopIteration as done:
        return done.value
    main.close()
    raise RuntimeError("main awaited something other than commands")
