"""Counts failures of a plugin's commands, routes and pages; the errors are raised again unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, cast

import attrs

from chatnode.dispatch.table import Command
from chatnode.errors import Refusal, WrongKind, WrongValue
from chatnode.hooks.guard import FAILURES, ReportFailure, describe_error
from chatnode.hooks.plugin import Page, Plugin
from chatnode.hooks.routes import Disconnected, FilePart, Response, Route


def with_failures_counted(plugin: Plugin, report: ReportFailure) -> Plugin:
    """The plugin, with functions that report what they raise, unless that is the client's: a refusal, or that it went
    away."""

    def command(each: Command[Any, Any]) -> Command[Any, Any]:
        hook = f"command {each.name}"
        earlier = _counted(each.earlier, hook, report) if each.earlier is not None else None
        return attrs.evolve(each, handler=_counted(each.handler, hook, report, each.gives), earlier=earlier)

    def route(each: Route) -> Route:
        hook = f"route {each.rule}"
        return attrs.evolve(each, handler=_counted(each.handler, hook, report, Response))

    def page(each: Page) -> Page:
        hook = f"page {each.path!r}"
        submit = _counted(each.submit, hook, report, str, Mapping) if each.submit is not None else None
        return attrs.evolve(each, render=_counted(each.render, hook, report, str), submit=submit)

    return attrs.evolve(
        plugin,
        commands=tuple(map(command, plugin.commands)),
        routes=tuple(map(route, plugin.routes)),
        pages=tuple(map(page, plugin.pages)),
    )


def _counted(function: Callable[..., Any], hook: str, report: ReportFailure, *gives: type[Any]) -> Any:
    """`gives`: the classes of what it may return, if the node relies on them."""

    @wraps(function)
    async def run(*arguments: Any) -> Any:
        try:
            result = await function(*arguments)
            if gives and not isinstance(result, gives):
                wanted = " or ".join(each.__name__ for each in gives)
                raise WrongKind(f"it must return {wanted}, not {type(result).__name__}")
            if isinstance(result, Response):
                _check_response(result)
        except (Refusal, Disconnected):
            raise
        except FAILURES as error:
            report(hook, describe_error(error))  # the transport logs the traceback, under a reference
            raise
        return result

    return run


_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def _check_response(response: Response) -> None:
    """A fault found here is reported as the route's; once the response has begun, it could not be."""
    body = cast("object", response.body)
    if not isinstance(body, str | bytes | FilePart) and not hasattr(body, "__aiter__"):
        raise WrongKind(
            f"the body of its response must be str, bytes, a FilePart or an async iterator, not {type(body).__name__}"
        )
    for name, value in {"content-type": response.content_type, **response.headers}.items():
        if not _VALUE.fullmatch(value):
            raise WrongValue(f"the header {name} of its response has a character other than those of Latin-1")
