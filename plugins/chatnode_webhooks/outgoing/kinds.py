"""Which events are wanted: names such as `message.posted`, beginnings such as `crm.contact.*`, or `*` for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
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


def fault_of_pattern(pattern: str, events: frozenset[str], announced: Iterable[str]) -> str | None:
    """What is wrong with a pattern that no event could match; None if nothing is.

    `events` are the names of all events of the node. `announced` are patterns that the operator has named in the
    settings: what has the same first word is of a plugin that does not run now, if no event has it.
    """
    sent = events - {CHANGED}
    wanted = EventFilter([pattern])
    if any(name in wanted for name in sent):
        return None
    first = _first_word(pattern)
    if first not in map(_first_word, events) and first in map(_first_word, announced):
        return None
    near = get_close_matches(pattern, sorted({*sent, *_beginnings(sent)}), 1)
    hint = f"did you mean {near[0]}?" if near else f"events are {', '.join(sorted(sent))}"
    return f"no event has the name {pattern}, or its plugin does not run; {hint}"


def _beginnings(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        words = name.split(".")
        yield from (f"{'.'.join(words[:count])}.*" for count in range(1, len(words)))


def _first_word(pattern: str) -> str:
    return pattern.partition(".")[0]
