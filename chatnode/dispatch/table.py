"""Commands, and the table of all commands.

The client socket, HTTP, the OpenAPI document, the client library and `chatnode call` all read this table: a command
in it is available in all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from logging import DEBUG, INFO
from time import perf_counter
from typing import Any, Generic, TypeVar, get_type_hints

import attrs

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.hooks import Check, RequestHooks
from chatnode.errors import Refusal
from chatnode.logs import get_logger
from chatnode.protocol import codec

logger = get_logger("requests")

C = TypeVar("C")
R = TypeVar("R")


@attrs.frozen
class Command(Generic[C, R]):
    """One command.

    `permission` None: no sign-in needed. `or_permission` is an alternative permission, for commands that users run
    for themselves and some users run for others. `limit` names a rate limit besides that of all requests. `reads`: it
    changes nothing, and HTTP also offers it as GET. `unscoped`: tokens with scopes may not run it, because it would
    give more than their scopes. `repeatable`: a client that lost its connection may send it again, because running it
    twice has the same effect as running it once. `active`: it shows that the user, and not only their program, is
    active. `earlier` returns the stored result if this request repeats an earlier one, else None; a repeat, whose
    result has `dup` set, is not rate-limited.
    """

    name: str
    takes: type[C]
    gives: type[R]
    handler: Callable[[Any, C], Awaitable[R]]
    permission: str | None
    limit: str | None
    reads: bool
    or_permission: str | None = None
    unscoped: bool = False
    active: bool = False
    earlier: Callable[[Any, C], Awaitable[R | None]] | None = None
    repeatable: bool = False

    @property
    def description(self) -> str:
        return inspect.getdoc(self.handler) or ""

    @property
    def summary(self) -> str:
        return self.description.partition("\n")[0]


class CommandExited(Exception):
    """A handler raised SystemExit, as a plugin that uses command-line code may. It must not end the node."""


def command(
    name: str,
    *,
    permission: str | None,
    or_permission: str | None = None,
    limit: str | None = None,
    reads: bool = False,
    unscoped: bool = False,
    active: bool | None = None,
    earlier: Callable[[Any, Any], Awaitable[Any]] | None = None,
    repeatable: bool = False,
) -> Callable[[Callable[[Any, C], Awaitable[R]]], Command[C, R]]:
    """Declare a handler as a command; its request and reply classes come from the annotations.

    Unless `active` says otherwise, commands that write show activity and commands that read do not. Commands that read
    are repeatable.
    """

    def make(handler: Callable[[Any, C], Awaitable[R]]) -> Command[C, R]:
        hints = get_type_hints(handler)
        gives = hints.pop("return")
        _, takes = hints.values()
        is_active = not reads if active is None else active
        return Command(
            name, takes, gives, handler, permission, limit, reads, or_permission, unscoped, is_active, earlier,
            reads or repeatable,
        )  # fmt: skip

    return make


class CommandTable:
    """Every command of a node by name. `active` is called with the key of each user who was just active."""

    def __init__(
        self,
        commands: Iterable[Command[Any, Any]],
        hooks: RequestHooks | None = None,
        active: Callable[[int], None] = lambda person: None,
    ) -> None:
        self._checks: dict[str, Check] = {}
        self._active = active
        self._commands: dict[str, Command[Any, Any]] = {}
        for each in commands:
            if each.name in self._commands:
                raise ValueError(f"two commands are called {each.name}")
            self._commands[each.name] = each
            if hooks is not None and (check := hooks.check_of(each.name)) is not None:
                self._checks[each.name] = check

    def __iter__(self) -> Iterator[Command[Any, Any]]:
        return iter(self._commands.values())

    def find(self, name: str) -> Command[Any, Any]:
        found = self._commands.get(name)
        if found is None:
            raise unknown_command(name)
        return found

    async def run(self, context: Caller, name: str, fields: dict[str, Any]) -> Any:
        """Run one request: permission → limit → fields → plugins' checks → handler. `fields` are unchecked. Raises
        `Refusal`; any other exception is a bug.
        """
        began, core = perf_counter(), context.core
        outcome = "cancelled"
        try:
            found = self._commands.get(name) or self.find(name)
            self._check(context, found)
            limited = self._count(context, found)
            command = codec.structure(fields, found.takes)
            if (check := self._checks.get(name)) is not None:
                await check(context, command)
            if limited is None:
                result = await found.handler(context, command)
                if found.earlier is not None and result.dup:
                    self._give_back(context, found)
            else:
                result = await self._earlier(context, found, command, limited)
            if found.active and context.account is not None:
                self._active(context.account.key)
            outcome = "ok"
            return result
        except Refusal as refusal:
            outcome = refusal.code
            raise
        except SystemExit as error:
            outcome = "internal"
            raise CommandExited(name) from error
        except Exception:
            outcome = "internal"
            raise
        finally:
            seconds = perf_counter() - began
            core.metrics.request(name if name in self._commands else "unknown", outcome, seconds)
            if seconds >= core.slow_seconds or logger.isEnabledFor(DEBUG):
                self._log(context, name, outcome, seconds)

    def _log(self, context: Caller, name: str, outcome: str, seconds: float) -> None:
        """Log the requester, the command and the outcome, never message text or names that a client made up."""
        slow = seconds >= context.core.slow_seconds
        fields = {
            "request": context.request if isinstance(context.request, int) else None,
            "session": context.session,
            "person": context.account.id if context.account else "operator" if context.operator else None,
            "command": name if name in self._commands else "unknown",
            "outcome": outcome,
            "ms": round(seconds * 1000, 1),
        }
        told = {key: value for key, value in fields.items() if value is not None}
        words = " ".join(f"{key}={value}" for key, value in told.items())
        logger.log(INFO if slow else DEBUG, "%s %s", "slow" if slow else "request", words, extra={"fields": told})

    @staticmethod
    def _check(context: Caller, found: Command[Any, Any]) -> None:
        """The only place that checks permissions and scopes of commands."""
        if found.permission is None:
            return
        other = found.or_permission
        if other is None or not context.may(other, reads=found.reads):
            context.check(found.permission, reads=found.reads)
        if found.unscoped and context.scopes is not None:
            raise Refusal("forbidden", "a token with scopes cannot do this; use a signed-in device")

    @staticmethod
    def _count(context: Caller, found: Command[Any, Any]) -> Refusal | None:
        """Raises `Refusal("rate_limited")`, or returns it for a command whose repeats are not limited."""
        if context.operator:
            return None
        core, payer = context.core, context.payer
        core.requests.take(payer)
        if found.limit is None:
            return None
        try:
            core.rates[found.limit].take(payer)
        except Refusal as limited:
            if found.earlier is None:
                raise
            return limited
        return None

    @staticmethod
    async def _earlier(context: Caller, found: Command[Any, Any], command: Any, limited: Refusal) -> Any:
        """The stored result if this request is a repeat; else raises `limited`."""
        assert found.earlier is not None
        result = await found.earlier(context, command)
        if result is None:
            raise limited
        return result

    @staticmethod
    def _give_back(context: Caller, found: Command[Any, Any]) -> None:
        if found.limit is not None and context.account is not None:
            context.core.rates[found.limit].give_back(context.payer)


def unknown_command(name: str) -> Refusal:
    return Refusal("unknown_command", f"no such command: {name[:80]!r}", path="op")
