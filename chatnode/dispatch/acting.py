"""Running commands from within the node, as a user or as its operator."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import CommandTable
from chatnode.errors import Refusal
from chatnode.protocol import codec
from chatnode.storage.people import people

MOST_NESTED = 8
"""How deep commands may call other commands, so that a plugin cannot call itself forever."""


async def call(caller: Caller, name: str, /, **fields: Any) -> Any:
    """Run a command for `caller`, with all the checks of a client's request; returns its result as plain values.

    Raises `Refusal`.
    """
    if caller.depth >= MOST_NESTED:
        raise Refusal("internal", f"{name}: commands call each other more than {MOST_NESTED} deep")
    nested = attrs.evolve(caller, depth=caller.depth + 1, takes_json=False)
    return codec.to_plain(await caller.core.part(CommandTable).run(nested, name, fields))


@attrs.frozen
class AsOperator:
    """Runs commands as the operator, without checks of permissions and rates."""

    _core: Core
    _depth: int = 0
    _plugin: str | None = None

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command; returns its result as plain values. Raises `Refusal`."""
        caller = Caller(self._core, operator=True, depth=self._depth, plugin=self._plugin)
        return await call(caller, name, **fields)


@attrs.frozen
class AsPerson:
    """Runs commands as one user, as if that user's own client sent them: permissions, rates, hooks and audit apply.

    Each call looks up the account, so a change of role or a deactivation applies at once.
    """

    _core: Core
    _who: str
    _depth: int = 0
    _plugin: str | None = None

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command; returns its result as plain values.

        Raises `Refusal`: also `not_found` if there is no such user, and `forbidden` if the account is deactivated.
        """
        account = await self._core.db.read(lambda reader: people.find(reader, self._who))
        people.check_reachable(account)
        caller = Caller(self._core, account=account, depth=self._depth, plugin=self._plugin)
        return await call(caller, name, **fields)
