"""Checks that requests of a plugin's commands can be read from JSON: a field that cannot is refused to every client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from chatnode.dispatch.table import Command
from chatnode.errors import StartError
from chatnode.model.records import is_written
from chatnode.protocol import codec


def check_requests(commands: Iterable[Command[Any, Any]]) -> None:
    """Raises `StartError`. Records that nobody has needed yet are left as they are: a start would write them all."""
    for command in commands:
        if is_written(command.takes) and (fault := fault_of_request(command)) is not None:
            raise StartError(fault)


def fault_of_request(command: Command[Any, Any]) -> str | None:
    """What is wrong with the class of a command's requests; None if nothing is."""
    if not attrs.has(command.takes):
        return f"the command {command.name} takes {_name(command.takes)}; expected a class of attrs"
    if (found := codec.unreadable(command.takes)) is None:
        return None
    field, kind = found
    return (
        f"the command {command.name} has the field {field} of type {_name(kind)}, which cannot be read from JSON; "
        "use str, int, float, bool, a list, a dict, a Literal, or a class of these"
    )


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
