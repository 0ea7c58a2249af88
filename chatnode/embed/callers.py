"""Who acts in the program that a node is embedded in: the operator, users, bots."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from chatnode.dispatch import acting
from chatnode.dispatch.accounts import KnownAccounts
from chatnode.dispatch.acting import AsOperator, AsPerson
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import BegunRequest
from chatnode.embed._calls import AsyncCalls
from chatnode.embed.kinds import checked_who
from chatnode.errors import Refusal
from chatnode.model.commands.resume import Cursor
from chatnode.model.people import Account
from chatnode.protocol import codec

if TYPE_CHECKING:
    from chatnode.embed.events import LocalEvents


class EmbeddedCaller(AsyncCalls):
    """Runs commands as one requester: `await caller.messages.post(conversation=…, text=…)`.

    Every command of the node is a method, by its name; it returns an object of the command's reply class. Commands of
    plugins are run with `call`, or with the classes that `chatnode plugin docs --python` prints. Whatever is refused
    raises `Refusal`. Nothing is looked up before a command is run. On another thread than the node's own, its calls
    raise `WrongThread`.
    """

    __slots__ = ("_acting", "_core")

    def __init__(self, core: Core, requester: AsOperator | AsPerson) -> None:
        super().__init__(partial(_run_at_home, core, requester))
        self._core = core
        self._acting = requester

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command by its name, with plain values; returns its result as plain values."""
        return codec.to_plain(await self._run(name, fields))

    async def run(self, name: str, fields: dict[str, Any]) -> Any:
        """Run a command by its name, with plain values; returns an object of its reply class."""
        return await self._run(name, fields)

    def begin(self, name: str, fields: dict[str, Any]) -> BegunRequest | None:
        """The first half of `run`, if that needs no waiting: then no task is needed for a plan. Raises `Refusal`."""
        return acting.begin(self._acting, name, fields)

    def events(
        self,
        after: Cursor | None = None,
        *,
        kinds: Collection[str] | None = None,
        conversations: Collection[str] | None = None,
    ) -> LocalEvents:
        """What happens for this user, from `after` on: an async iterator of `Pushed`, `Reset` and `Live`.

        Only events with the names `kinds`, and only those of the conversations with these ids, if they are given; then
        events that belong to no conversation are left out. Each item's `cursor` is where to go on after it. Raises
        `Refusal("forbidden")` for the operator, and `ValueError` for names that no event has.
        """
        if isinstance(self._acting, AsOperator):
            raise Refusal(
                "forbidden",
                "the operator is not a user and gets no events; read the log with node.consumer(name, kinds), "
                "or a user's events with node.person(who).events()",
            )
        self._core.db.require_home()
        from chatnode.embed.events import LocalEvents  # with the client library's types

        return LocalEvents(self._core, self._acting.account, after, kinds, conversations)


def _run_at_home(core: Core, requester: AsOperator | AsPerson, name: str, fields: dict[str, Any]) -> Awaitable[Any]:
    core.db.require_home()  # before hooks and rate limits, which belong to that thread as well
    return requester.run(name, fields)


def operator(core: Core) -> EmbeddedCaller:
    """The operator, who may run every command but is a member of no conversation."""
    return EmbeddedCaller(core, AsOperator(core))


def person(core: Core, who: str, *, limits: bool) -> EmbeddedCaller:
    """The user with this handle or id; without `limits`, no rate limits apply."""
    return EmbeddedCaller(core, AsPerson(core, checked_who(who), limited=limits))


def bot(core: Core, handle: str, *, create: bool) -> EmbeddedCaller:
    """The bot with this handle, which the first call creates if `create` says so."""
    return EmbeddedCaller(core, _AsBot(core, checked_who(handle), create=create))


@attrs.frozen
class _AsBot(AsPerson):
    create: bool = attrs.field(default=True, kw_only=True)

    async def account(self) -> Account:
        accounts = self._core.part(KnownAccounts)
        try:
            found = await accounts.find(self._who)
        except Refusal:
            if not self.create:
                raise
            found = await self._made(accounts)
        if not found.bot:
            raise Refusal("conflict", f"{found.handle} is the account of a user, not of a bot", path="handle")
        return await super().account()

    def _begin(self, name: str, fields: dict[str, Any]) -> BegunRequest | None:
        known = self._core.part(KnownAccounts).kept(self._who)
        return super()._begin(name, fields) if known is not None and known.bot else None

    async def _made(self, accounts: KnownAccounts) -> Account:
        try:
            await AsOperator(self._core).run("people.create", {"handle": self._who, "bot": True})
        except Refusal as refusal:
            try:
                return await accounts.find(self._who)  # another task was quicker
            except Refusal:
                raise refusal from None
        return await accounts.find(self._who)
