"""Commands, and the table that everything is made from.

The client socket, HTTP, the OpenAPI document, the client library and `chatnode call` all read this table:
a command that is in it is in all of them.
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

    `permission` None means that nobody need be signed in; `or_permission` is another one that is enough, for what
    everybody may do for themselves and some for others. `limit` counts against a further rate beside that of all
    requests. `reads`: it changes nothing, and HTTP offers it as GET too. `unscoped`: not for tokens with scopes, as it
    would give more than they have. `active`: whoever does it is there, and not only their program. `earlier` returns
    the stored result if this request repeats one, else None: a repeat, whose result has `dup` set, is not limited.
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
    earlier: Callable[[Caller, C], Awaitable[R | None]] | None = None

    @property
    def description(self) -> str:
        return inspect.getdoc(self.handler) or ""

    @property
    def summary(self) -> str:
        return self.description.partition("\n")[0]


class CommandExited(Exception):
    """A handler raised SystemExit, as a plugin's may that uses code of a command line. It ends no node."""


def command(
    name: str,
    *,
    permission: str | None,
    or_permission: str | None = None,
    limit: str | None = None,
    reads: bool = False,
    unscoped: bool = False,
    active: bool | None = None,
    earlier: Callable[[Caller, Any], Awaitable[Any]] | None = None,
) -> Callable[[Callable[[Any, C], Awaitable[R]]], Command[C, R]]:
    """Make a command of a handler; what it takes and gives is read from the handler's annotations.

    Unless `active` says otherwise, who changes something is active and who reads something is not.
    """

    def make(handler: Callable[[Any, C], Awaitable[R]]) -> Command[C, R]:
        hints = get_type_hints(handler)
        gives = hints.pop("return")
        _, takes = hints.values()
        is_active = not reads if active is None else active
        return Command(
            name, takes, gives, handler, permission, limit, reads, or_permission, unscoped, is_active, earlier
        )  # fmt: skip

    return make


class CommandTable:
    """Every command of a node by name. `active` is told the key of each person who has just done something."""

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
        """Carry out one request: permission → limit → handler. `fields` are not checked yet.

        Raises `Refusal`; anything else is a fault of ours.
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
        """Who asked for what and what came of it; never what was said. Only names of ours, no client's own."""
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
        """The one place where permissions and scopes are asked for."""
        if found.permission is None:
            return
        other = found.or_permission
        if other is None or not context.may(other, reads=found.reads):
            context.check(found.permission, reads=found.reads)
        if found.unscoped and context.scopes is not None:
            raise Refusal("forbidden", "a token with scopes cannot do this; use a signed-in device")

    @staticmethod
    def _count(context: Caller, found: Command[Any, Any]) -> Refusal | None:
        """Raises `Refusal("rate_limited")`, or returns it for a command whose repeats are answered anyway."""
        if context.operator:
            return None
        core = context.core
        core.requests.take(context.payer)
        if found.limit is None:
            return None
        try:
            core.rates[found.limit].take(context.payer)
        except Refusal as limited:
            if found.earlier is None:
                raise
            return limited
        return None

    @staticmethod
    async def _earlier(context: Caller, found: Command[Any, Any], command: Any, limited: Refusal) -> Any:
        """The stored result that this request repeats; raises `limited` if it repeats none."""
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
    return Refusal("unknown_command", f"there is no command {name[:80]!r}", path="op")
