"""Running commands from within the node, as a user or as its operator."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import attrs
import outcome
import trio

from chatnode.dispatch.accounts import KnownAccounts
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import BegunRequest, CommandTable
from chatnode.errors import Refusal
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.protocol import codec
from chatnode.storage.people import people

MOST_NESTED = 8
"""How deep commands may call other commands, so that a plugin cannot call itself forever."""


async def call(caller: Caller, name: str, /, **fields: Any) -> Any:
    """Run a command for `caller`, with all the checks of a client's request; returns its result as plain values.

    Raises `Refusal`.
    """
    nested = attrs.evolve(caller, depth=caller.depth + 1, takes_json=False)
    return codec.to_plain(await _run(nested, name, fields))


def _run(caller: Caller, name: str, fields: dict[str, Any]) -> Awaitable[Any]:
    """Run a command; returns its result as an object of its reply class. `fields` are plain values, not checked yet."""
    request = _begin(caller, name, fields)
    # In a session of its own, `finish` keeps the order of its requests.
    return _submit(request) if request.is_planned and caller.turn is None else request.finish()


def _begin(caller: Caller, name: str, fields: dict[str, Any]) -> BegunRequest:
    if caller.depth > MOST_NESTED:
        raise Refusal("internal", f"{name}: commands are nested more than {MOST_NESTED} deep")
    return caller.core.part(CommandTable).begin(caller, name, fields)


async def _submit(request: BegunRequest) -> Any:
    """`finish` for a plan: it is carried out together with its neighbours, as the requests of client sockets are."""
    try:
        await trio.lowlevel.checkpoint_if_cancelled()
    except BaseException:
        request.abandon()
        raise
    delivery = _Delivery()
    request.submit(delivery.put)
    return await delivery.wait()


class _Delivery:
    """Hands one result to the task that waits for it. Cancelling ends only the waiting."""

    __slots__ = ("_result", "_task")

    def __init__(self) -> None:
        self._result: outcome.Outcome[Any] | None = None
        self._task: trio.lowlevel.Task | None = None

    def put(self, result: outcome.Outcome[Any]) -> None:
        task, self._task, self._result = self._task, None, result
        if task is not None:
            trio.lowlevel.reschedule(task, result)

    async def wait(self) -> Any:
        if self._result is not None:  # an inline database is done already
            await trio.lowlevel.cancel_shielded_checkpoint()
            return self._result.unwrap()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._task = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._task = trio.lowlevel.current_task()
        return await trio.lowlevel.wait_task_rescheduled(abort)


@record(frozen=True)
class AsOperator:
    """Runs commands as the operator, without checks of permissions and rates."""

    _core: Core
    _depth: int = 0
    _plugin: str | None = None

    async def run(self, name: str, fields: dict[str, Any]) -> Any:
        """Run a command with plain values as `fields`; returns an object of its reply class. Raises `Refusal`."""
        return await _run(self._caller(), name, fields)

    def _caller(self) -> Caller:
        return Caller(self._core, operator=True, depth=self._depth + 1, plugin=self._plugin)

    def _begin(self, name: str, fields: dict[str, Any]) -> BegunRequest:
        return _begin(self._caller(), name, fields)

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command; returns its result as plain values. Raises `Refusal`."""
        return codec.to_plain(await self.run(name, fields))


@record(frozen=True)
class AsPerson:
    """Runs commands as one user, as if that user's own client sent them: permissions, rates, hooks and audit apply.

    A change of role or a deactivation applies at once. With `limited` false, no rate limits apply.
    """

    _core: Core
    _who: str
    _depth: int = 0
    _plugin: str | None = None
    limited: bool = True

    async def account(self) -> Account:
        """The account as it is now.

        Raises `Refusal`: `not_found` if there is no such user, and `forbidden` if the account is deactivated.
        """
        account = await self._core.part(KnownAccounts).find(self._who)
        people.check_reachable(account)
        return account

    async def run(self, name: str, fields: dict[str, Any]) -> Any:
        """Run a command with plain values as `fields`; returns an object of its reply class.

        Raises `Refusal`: also `not_found` if there is no such user, and `forbidden` if the account is deactivated.
        """
        return await _run(self._caller(await self.account()), name, fields)

    def _caller(self, account: Account) -> Caller:
        depth = self._depth + 1
        return Caller(self._core, account=account, depth=depth, plugin=self._plugin, limited=self.limited)

    def _begin(self, name: str, fields: dict[str, Any]) -> BegunRequest | None:
        account = self._core.part(KnownAccounts).kept(self._who)
        if account is None:
            return None
        people.check_reachable(account)
        return _begin(self._caller(account), name, fields)

    async def call(self, name: str, /, **fields: Any) -> Any:
        """`run`, but returns plain values."""
        return codec.to_plain(await self.run(name, fields))


def begin(acting: AsOperator | AsPerson, name: str, fields: dict[str, Any]) -> BegunRequest | None:
    """The first half of `run`, which does not wait; None if the account has to be looked up. Raises `Refusal`."""
    return acting._begin(name, fields)  # pyright: ignore[reportPrivateUsage] - not for plugins, who have the classes
