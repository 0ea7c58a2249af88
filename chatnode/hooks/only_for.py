"""What an implementation of a hook wants to be called for; anything else costs nothing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from chatnode.counting import counted
from chatnode.model.ephemeral import EPHEMERAL
from chatnode.model.events import Event
from chatnode.model.records import record

F = TypeVar("F", bound=Callable[..., Any])
Predicate = Callable[[Any], object]
_MARK = "chatnode_only_for"


@record(frozen=True)
class Wanted:
    """`names` of commands or events, None for all. `when` is a plain function of the command, draft or event."""

    names: frozenset[str] | None = None
    when: Predicate | None = None

    def includes(self, name: str) -> bool:
        """Whether commands or events with this name are wanted; `when` may still exclude some."""
        return self.names is None or name in self.names


_ALL = Wanted()


def only_for(*names: type[Event] | str, when: Predicate | None = None) -> Callable[[F], F]:
    """Put this below `hookimpl` to call the implementation only for certain commands, events or drafts; others cost
    nothing.

    `names` are commands for `check_command`, and events (classes or names) for `audience` and `in_transaction`. `when`
    is a plain function that gets the command, the draft of `prepare_draft`, or the event, and returns whether it is
    wanted: `@only_for(MessagePosted, when=lambda event: event.message.files)`. It must be quick and have no
    side effects. If it raises, that counts as a failure of the plugin, and the hook is called. For `prepare_draft`,
    pass `when` only.
    """
    if not names and when is None:
        raise TypeError("only_for takes names of commands or events, or when=")
    called = frozenset(each if isinstance(each, str) else each.name for each in names)

    def mark(function: F) -> F:
        setattr(function, _MARK, Wanted(called or None, when))
        return function

    return mark


def wanted_by(function: Any) -> Wanted:
    """What an implementation wants; everything, without `only_for`."""
    return getattr(function, _MARK, _ALL)


def fault_of_wanted(
    hook: str, functions: Collection[Any], commands: Collection[str], events: Collection[str]
) -> str | None:
    """What is wrong with `only_for` on a plugin's implementations of one hook; None if nothing is.

    `commands` and `events` are all names of the node and of the plugins that run. An unknown name with one of their
    prefixes is a mistake: the hook would never be called.
    """
    marked = [found for each in functions if (found := wanted_by(each)) is not _ALL]
    if not marked:
        return None
    if hook not in ("check_command", "prepare_draft", "audience", "in_transaction"):
        return f"{hook} cannot be limited with only_for"
    if len(functions) > 1:
        return f"{hook} is implemented {counted(len(functions), 'time')}; with only_for, implement it once"
    (wanted,) = marked
    if iscoroutinefunction(wanted.when):
        return f"`when` of {hook} must be def, not async def"
    if hook == "prepare_draft":
        return f"{hook} accepts no names in only_for; use when=" if wanted.names else None
    kind, named = ("command", commands) if hook == "check_command" else ("event", events)
    known = set(named) - set(EPHEMERAL)
    begun = {name.partition(".")[0] for name in named}
    for name in sorted(wanted.names or ()):
        if name not in known and name.partition(".")[0] in begun:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"{hook} wants the {kind} {name}, which does not exist{hint}"
    return None
