"""Which events are wanted: names such as `message.posted`, beginnings such as `crm.contact.*`, or `*` for all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from chatnode.api import Text

CHANGED = "webhooks.endpoint.changed"
"""The plugin's own event, which no endpoint gets."""
MESSAGES = "message.*"

Kind = Annotated[
    str,
    Text(
        100, 1, r"\*|[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?", hint="expected a name such as message.posted, crm.* or *"
    ),
]


class EventFilter:
    """`names` are the events by name; None if there are beginnings among them."""

    def __init__(self, patterns: Iterable[str]) -> None:
        every = list(patterns)
        self._exact = frozenset(each for each in every if not each.endswith("*"))
        self._beginnings = tuple(each[:-1] for each in every if each.endswith("*"))
        self.names = None if self._beginnings else self._exact

    def __contains__(self, kind: str) -> bool:
        return kind != CHANGED and (kind in self._exact or kind.startswith(self._beginnings))

    def covers(self, pattern: str) -> bool:
        """Whether it wants everything that the pattern does."""
        if pattern.endswith("*"):
            return pattern[:-1].startswith(self._beginnings)
        return pattern in self
