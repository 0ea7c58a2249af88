"""The consumers of the program that a node is embedded in (`chatnode/embed/consumer.py`): which are open, and where."""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.plugins import ConsumerStatus

OF_PROGRAM = "(program)"
"""Stands for the plugin's name with their positions; no plugin can be called so."""


class Programs:
    """One per node, on the trio thread, but for `close`."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, name: str) -> None:
        """Take a name; raises `Refusal("conflict")` while it is taken."""
        if name in self._open:
            hint = "close it first, or choose another name"
            raise Refusal("conflict", f"the consumer {name} is already running; {hint}", path="name")
        self._open[name] = 0

    def reached(self, name: str, gid: int) -> None:
        """Note that a consumer has dealt with everything up to `gid`, if it is open."""
        if name in self._open:
            self._open[name] = gid

    def close(self, name: str) -> None:
        """Give a name back. From any thread."""
        self._open.pop(name, None)

    def statuses(self, head: int) -> list[ConsumerStatus]:
        """The position of each, when the log ends at `head`."""
        return [
            ConsumerStatus(OF_PROGRAM, name, place, max(0, head - place), 0)
            for name, place in sorted(self._open.items())
        ]
