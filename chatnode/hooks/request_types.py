"""Checks that requests of a plugin's commands can be read from JSON: a field that cannot is refused to every client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from chatnode.dispatch.table import Command
from chatnode.errors import StartError
from chatnode.protocol import codec


def check_requests(commands: Iterable[Command[Any, Any]]) -> None:
    """Raises `StartError`."""
    for command in commands:
        if not attrs.has(command.takes):
            raise StartError(f"the command {command.name} takes {command.takes}; expected a class of attrs")
        if (found := codec.unreadable(command.takes)) is not None:
            field, kind = found
            raise StartError(
                f"the command {command.name} has the field {field} of type {_name(kind)}, which cannot be read from "
                "JSON; use str, int, float, bool, a list, a dict, a Literal, or a class of these"
            )


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
