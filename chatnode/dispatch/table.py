"""Commands, and the table of all commands.

The client socket, HTTP, the OpenAPI document, the client library and `chatnode call` all read this table: a command
in it is available in all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from logging import DEBUG, INFO
from time import perf_counter
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import attrs
import outcome

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.hooks import RequestCheck, RequestHooks
from chatnode.errors import Refusal, WrongKind
from chatnode.logs import get_logger
from chatnode.model.records import record
from chatnode.protocol import codec
from chatnode.protocol.envelopes import Encoded
from chatnode.storage.engine.transaction import PlannedRead, PlannedWrite

logger = get_logger("requests")

C = TypeVar("C")
R = TypeVar("R")
HandlerResult = PlannedWrite[R] | PlannedRead[R] | Awaitable[R]
"""What a plain handler returns: a plan, for which no task has to wait, or something to await."""
PLANS = (PlannedWrite, PlannedRead)  # a tuple: isinstance would build a union again in each check
Done = Callable[[outcome.Outcome[Any]], object]


@record(frozen=True)
class Command(Generic[C, R]):
    """One command.

    `handler` is an async function. `permission` None: no sign-in needed. `or_permission` is an alternative permission,
    for commands that users run for themselves and some users run for others. `limit` names a rate limit besides that of
    all requests. `reads`: it changes nothing, and HTTP also offers it as GET. `unscoped`: tokens with scopes may not
    run it, because it would give more than their scopes. `repeatable`: a client that lost its connection may send it
    again, because running it twice has the same effect as running it once. `active`: it shows that the user, and not
    only their program, is active. `earlier` returns the stored result if this request repeats an earlier one, else
    None; a repeat, whose result has `dup` set, is not rate-limited.
    """

    name: str
    takes: type[C]
    gives: type[R]
    handler: Callable[[Any, C], HandlerResult[R]]  # of a few of the node's own commands a plain function
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
    """Declare an async handler as a command; its request and reply classes come from the annotations.

    Unless `active` says otherwise, commands that write show activity and commands that read do not. Commands that read
    are repeatable.
    """

    def make(handler: Callable[[Any, C], Awaitable[R]]) -> Command[C, R]:
        takes, gives = _annotated(handler)
        is_active = not reads if active is None else active
        return Command(
            name, takes, _without_json(gives), handler, permission, limit, reads, or_permission, unscoped, is_active,
            earlier, reads or repeatable,
        )  # fmt: skip

    return make


def plain_command(
    name: str,
    *,
    permission: str,
    limit: str | None = None,
    reads: bool = False,
    active: bool = True,
    earlier: Callable[[Any, Any], Awaitable[Any]] | None = None,
    repeatable: bool = False,
) -> Callable[[Callable[[Any, C], HandlerResult[R]]], Command[C, R]]:
    """`command` with a plain handler, annotated as returning `HandlerResult`.

    It must not block: it runs on the trio thread, before the request has a task.
    """

    def make(handler: Callable[[Any, C], HandlerResult[R]]) -> Command[C, R]:
        takes, returned = _annotated(handler)
        *_, awaitable = get_args(returned)
        (gives,) = get_args(awaitable)
        return Command(
            name, takes, _without_json(gives), handler, permission, limit, reads, active=active, earlier=earlier,
            repeatable=reads or repeatable,
        )  # fmt: skip

    return make


def _annotated(handler: Callable[..., Any]) -> tuple[Any, Any]:
    """The request class and what the handler returns."""
    names = inspect.unwrap(handler).__globals__
    # There are hundreds of handlers, and Python's compiler is not needed for what is just a name.
    hints = {key: names.get(said) if isinstance(said, str) else said for key, said in handler.__annotations__.items()}
    if None in hints.values():
        hints = get_type_hints(handler)
    returned = hints.pop("return", None)
    if returned is None or len(hints) != 2:
        raise WrongKind(f"{handler.__qualname__} must be annotated: (ctx: Context, asked: Request) -> Reply")
    _, takes = hints.values()
    return takes, returned


def _without_json(gives: Any) -> Any:
    """The reply class alone, if a handler may also return the reply `Encoded`."""
    kinds = get_args(gives)
    return next(each for each in kinds if each is not Encoded) if Encoded in kinds else gives


@record
class BegunRequest:
    """A request that has passed the checks that need no waiting. Exactly one of three is called, once: `finish` carries
    it out in a task, `submit` without one if `step` is a plan, `abandon` drops it. All three count and log it.
    """

    caller: Caller
    name: str
    id: str | int | None
    """The caller's next request may begin before this one ends."""
    mark_active: Callable[[int], None]
    found: Command[Any, Any] | None = None
    limited: Refusal | None = None
    """Set if the rate limit is exceeded: only the stored result of a repeat may be returned, else this is raised."""
    step: HandlerResult[Any] | None = None
    is_planned: bool = False
    """`step` is a plan."""
    _began: float = attrs.field(init=False, factory=perf_counter)

    async def finish(self) -> Any:
        """Carry the request out; its result."""
        step = self.step
        assert step is not None
        try:
            result = outcome.Value(await (self.caller.carry_out(step) if isinstance(step, PLANS) else step))
        except BaseException as error:
            result = outcome.Error(error)
        return self.conclude(result).unwrap()

    def submit(self, done: Done) -> None:
        """Carry the plan out without a task. `done` is called once, on the trio thread, with what `finish` would return
        or raise; with an inline database, before `submit` returns."""
        step = self.step
        assert isinstance(step, PLANS)
        reply = step.reply

        def ended(result: outcome.Outcome[Any]) -> None:
            if reply is not None and isinstance(result, outcome.Value):
                result = outcome.capture(reply, result.value)
            done(self.conclude(result))

        try:
            self.caller.submit(step, ended)
        except Refusal as refusal:
            ended(outcome.Error(refusal))

    def abandon(self) -> None:
        """Drop the request without carrying it out."""
        if inspect.iscoroutine(self.step):
            self.step.close()  # else Python warns that it was never awaited
        self._account("cancelled")

    def conclude(self, result: outcome.Outcome[Any]) -> outcome.Outcome[Any]:
        """The end of every request that was not abandoned: count and log it. Returns the result for the requester."""
        if isinstance(result, outcome.Error):
            return self._conclude_failed(result.error)
        assert isinstance(result, outcome.Value)
        found, account = self.found, self.caller.account
        assert found is not None
        if found.earlier is not None and self.limited is None and result.value.dup:
            self._give_back(found)
        if found.active and account is not None:
            self.mark_active(account.key)
        self._account("ok")
        return result

    def _conclude_failed(self, error: BaseException) -> outcome.Error:
        if isinstance(error, Refusal):
            self._account(error.code)
        else:
            self._account("internal" if isinstance(error, Exception | SystemExit) else "cancelled")
        if isinstance(error, SystemExit):
            exited = CommandExited(self.name)
            exited.__cause__ = error
            return outcome.Error(exited)
        return outcome.Error(error)

    def _give_back(self, found: Command[Any, Any]) -> None:
        """A repeat does not count."""
        if found.limit is not None and self.caller.account is not None and self.caller.limited:
            self.caller.rates[found.limit].give_back(self.caller.payer)

    def _account(self, ended_as: str) -> None:
        core, seconds = self.caller.core, perf_counter() - self._began
        core.metrics.request(self._known_name, ended_as, seconds)
        if seconds >= core.slow_seconds or logger.isEnabledFor(DEBUG):
            self._log(ended_as, seconds)

    def _log(self, ended_as: str, seconds: float) -> None:
        """Log the requester, the command and the outcome, never message text or names that a client made up."""
        caller, slow = self.caller, seconds >= self.caller.core.slow_seconds
        fields = {
            "request": self.id if isinstance(self.id, int) else None,
            "session": caller.session,
            "person": caller.account.id if caller.account else "operator" if caller.operator else None,
            "command": self._known_name,
            "outcome": ended_as,
            "ms": round(seconds * 1000, 1),
        }
        told = {key: value for key, value in fields.items() if value is not None}
        words = " ".join(f"{key}={value}" for key, value in told.items())
        logger.log(INFO if slow else DEBUG, "%s %s", "slow" if slow else "request", words, extra={"fields": told})

    @property
    def _known_name(self) -> str:
        return self.name if self.found is not None else "unknown"


class CommandTable:
    """Every command of a node by name. `mark_active` is called with the key of each user who was just active."""

    def __init__(
        self,
        commands: Iterable[Command[Any, Any]],
        hooks: RequestHooks | None = None,
        mark_active: Callable[[int], None] = lambda person: None,
    ) -> None:
        self._checks: dict[str, RequestCheck] = {}
        self.mark_active = mark_active
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

    def run(self, context: Caller, name: str, fields: dict[str, Any]) -> Coroutine[Any, Any, Any]:
        """Run one request: permission → limit → fields → plugins' checks → handler. `fields` are unchecked. Raises
        `Refusal`; any other exception is a bug.

        Not a coroutine function itself: each coroutine between a task and trio makes every wake-up of the task slower.
        """
        return self.begin(context, name, fields).finish()

    def begin(self, context: Caller, name: str, fields: dict[str, Any]) -> BegunRequest:
        """The first half of `run`, which never waits: check the request and call its handler. Raises what `run` raises.

        A request that a plugin checks, or that is over its rate limit, is left to a task: then the handler is called
        there.
        """
        request = BegunRequest(context, name, context.request, self.mark_active)
        try:
            found = request.found = self._commands.get(name) or self.find(name)
            self._check(context, found)
            request.limited = limited = self._count(context, found)
            command = codec.structure(fields, found.takes)
            check = self._checks.get(name)
            if check is not None and not check.wants(command):
                check = None
            if check is None and limited is None:
                request.step = step = found.handler(context, command)
                request.is_planned = isinstance(step, PLANS)
            else:
                request.step = self._handle(context, found, command, check, limited)
        except BaseException as error:
            request.conclude(outcome.Error(error)).unwrap()
        return request

    async def _handle(
        self,
        context: Caller,
        found: Command[Any, Any],
        command: Any,
        check: RequestCheck | None,
        limited: Refusal | None,
    ) -> Any:
        """Run the handler if plugins allow it; with `limited`, find the result of a repeat or raise that."""
        if check is not None:
            await check.run(context, command)
        if limited is None:
            step = found.handler(context, command)
            return await (context.carry_out(step) if isinstance(step, PLANS) else step)
        assert found.earlier is not None
        result = await found.earlier(context, command)
        if result is None:
            raise limited
        return result

    @staticmethod
    def _check(context: Caller, found: Command[Any, Any]) -> None:
        """The only place that checks permissions and scopes of commands."""
        if found.permission is None:
            return
        reads, other = found.reads, found.or_permission
        if not (context.may(found.permission, reads) or (other is not None and context.may(other, reads))):
            context.check(found.permission, reads=reads)
        if found.unscoped and context.scopes is not None:
            raise Refusal("forbidden", "a token with scopes cannot do this; use a signed-in device")

    @staticmethod
    def _count(context: Caller, found: Command[Any, Any]) -> Refusal | None:
        """Raises `Refusal("rate_limited")`, or returns it for a command whose repeats are not limited."""
        if context.operator or not context.limited:
            return None
        core, payer = context.core, context.payer
        core.requests.take(payer)
        if found.limit is None:
            return None
        try:
            context.rates[found.limit].take(payer)
        except Refusal as limited:
            if found.earlier is None:
                raise
            return limited
        return None


def unknown_command(name: str) -> Refusal:
    return Refusal("unknown_command", f"no such command: {name[:80]!r}", path="op")
