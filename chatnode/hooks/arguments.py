"""Whether the functions of a declaration take what the node passes them: otherwise each call of them would fail."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from chatnode.hooks.plugin import Plugin


def wrong_arguments(plugin: Plugin) -> Iterator[str]:
    """A line for each function that cannot be called as the node calls it."""
    for what, function, passed in _functions(plugin):
        if callable(function) and not _takes(function, passed.count(",") + 1):
            yield f"{what} must take ({passed}); it takes {inspect.signature(function)}"


def _takes(function: Any, number: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * number)
    except TypeError:
        return False
    except ValueError:  # of what is not written in Python, nothing is known
        return True
    return True


def _functions(plugin: Plugin) -> Iterator[tuple[str, Any, str]]:
    for command in plugin.commands:
        yield f"the command {command.name}", command.handler, "ctx, asked"
        yield f"`earlier` of the command {command.name}", command.earlier, "ctx, asked"
    for kind in plugin.events:
        yield f"`make` of the event {kind.event.name}", kind.make, "reader, row"
        yield f"`show` of the event {kind.event.name}", kind.show, "reader, person, row, event"
    yield from ((f"the consumer {each.name}", each.consume, "ctx, rows") for each in plugin.consumers)
    for task in plugin.tasks:
        yield f"the task {task.name}", task.run, "ctx"
        yield f"`every` of the task {task.name}", task.every, "settings"
    for work in plugin.works:
        yield f"the work {work.name}", work.run, "ctx, work"
        yield f"`ended` of the work {work.name}", work.ended, "tx, work"
    yield from ((f"the slash command /{each.name}", each.handler, "ctx, call") for each in plugin.slash)
    for route in plugin.routes:
        yield f"the route {route.rule}", route.handler, "ctx, request"
        yield f"`most_bytes` of the route {route.rule}", route.most_bytes, "settings"
    for page in plugin.pages:
        yield f"the page {page.path!r}", page.render, "ctx, query"
        yield f"`submit` of the page {page.path!r}", page.submit, "ctx, query, sent"
    yield from ((f"the value of the metric {each.name}", each.value, "ctx") for each in plugin.metrics)
    yield from ((f"`learn` of the collection {each.name}", each.learn, "source, asker") for each in plugin.collections)
    yield "state", plugin.state, "ctx"
    yield "health", plugin.health, "ctx"
    yield "check", plugin.check, "reader, directory"
    yield "repair", plugin.repair, "ctx"
    yield "stored_files", plugin.stored_files, "reader"
    yield "after_restore", plugin.after_restore, "tx, note"
    yield "after_removal", plugin.after_removal, "ctx, note"
