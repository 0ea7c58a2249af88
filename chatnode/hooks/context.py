"""The node as one of its plugins sees it: in handlers, hooks, tasks and consumers alike."""

from __future__ import annotations

from collections.abc import Callable
from logging import Logger, LoggerAdapter
from typing import Any, Protocol, TypeVar

import attrs

from chatnode.dispatch import acting
from chatnode.dispatch.acting import AsOperator, AsPerson
from chatnode.dispatch.caller import Caller
from chatnode.model.people import Account
from chatnode.model.presence import Badge, Presence
from chatnode.routing.presence import PresenceBoard
from chatnode.storage.engine.transaction import Read, Write
from chatnode.storage.presence.presence import Found

T = TypeVar("T")
S = TypeVar("S")


class Ask(Protocol):
    """Calls a hook that some plugin offers; gives what the implementations gave."""

    async def __call__(self, caller: Caller, hook: str, /, **arguments: Any) -> list[Any]: ...


@attrs.frozen
class Scope:
    """What is one plugin's own in its contexts. Made once, when the plugin is added to a node."""

    name: str
    log: Logger | LoggerAdapter[Logger]
    ask: Ask
    wake: Callable[[str], None]


class Context:
    """Who asks, and what the plugin can do for them.

    In the handler of a command, in hooks that get one, in routes and pages, `account` is the user who asks. Tasks,
    consumers, health and metrics act for nobody: `account` is None, `me` and `call` refuse, and what they do in the
    chat they do through `as_person` or `as_operator`. One is made for each request; none outlives it.
    """

    __slots__ = ("_caller", "_core", "_scope")

    def __init__(self, caller: Caller, scope: Scope) -> None:
        self._caller = caller
        self._core = caller.core
        self._scope = scope

    # ---- who asks

    @property
    def account(self) -> Account | None:
        """The user who asks; None for the operator, for a request without a token, and outside of requests."""
        return self._caller.account

    @property
    def me(self) -> Account:
        """The user who asks. Raises `Refusal` where there is none."""
        return self._caller.me

    @property
    def operator(self) -> bool:
        """Whether the operator of the machine asks, who is no user."""
        return self._caller.operator

    @property
    def permissions(self) -> frozenset[str]:
        """Everything the requester may do."""
        return self._caller.permissions

    def may(self, permission: str, *, reads: bool = False) -> bool:
        """Whether the requester's role has the permission and their token does not take it away.

        `reads`: for something that only reads, for which the scope `<permission>:read` is enough.
        """
        return self._caller.may(permission, reads=reads)

    def check(self, permission: str, *, reads: bool = False) -> None:
        """Raises `Refusal` unless `may`: `unauthenticated` without an account, else `forbidden`."""
        self._caller.check(permission, reads=reads)

    # ---- the database

    async def read(self, function: Read[T]) -> T:
        """Run `function` with a reader, in a snapshot of the database, in a thread.

        It sees what the same client wrote before.
        """
        return await self._caller.read(function)

    async def query(self, function: Read[T], *, seconds: float | None = None) -> T:
        """`read`, for what costs more than the page it returns: in turn, and with a deadline.

        One user's queries run one after the other, and always leave one reader to others. Raises `Refusal("too_large")`
        after `seconds` (None: `limits.query_seconds`; 0: no deadline).
        """
        return await self._caller.query(function, seconds=seconds)

    async def write(self, function: Write[T], *, repeatable: bool = False) -> T:
        """Run `function` in a transaction; returns when what it did is on disk. Cancelling ends only the waiting.

        `repeatable`: it has no effect but through the transaction, so that it may be undone and run again together
        with others. Raises `Refusal("unauthenticated")`, and writes nothing, for a session that was revoked meanwhile.
        """
        return await self._caller.write(function, repeatable=repeatable)

    def page_size(self, limit: int) -> int:
        """`limit`, but no more than `limits.page_items`."""
        return self._caller.page_size(limit)

    # ---- acting

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command for the user who asks, with every check that their own request would pass.

        Gives its result as plain values. Raises `Refusal`.
        """
        return await acting.call(attrs.evolve(self._caller, plugin=self._scope.name), name, **fields)

    def as_person(self, who: str) -> AsPerson:
        """Act as the user with this handle or id: `await ctx.as_person("pollbot").call("messages.post", …)`.

        Permissions, rates, hooks and audit apply as to any client. A plugin is trusted not to act for users who did
        not ask for it; bots of its own are what it should speak as.
        """
        return AsPerson(self._core, who, self._caller.depth, self._scope.name)

    def as_operator(self) -> AsOperator:
        """Act as the operator of the machine, who may run every command but takes part in no conversation."""
        return AsOperator(self._core, self._caller.depth, self._scope.name)

    # ---- the plugin's own

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self._scope.name

    @property
    def log(self) -> Logger | LoggerAdapter[Logger]:
        """The plugin's log. Never write there what people said."""
        return self._scope.log

    def settings(self, kind: type[S]) -> S:
        """The settings of a plugin, by their class."""
        return self._core.settings(kind)

    def state(self, kind: type[S]) -> S:
        """What `Plugin.state` gave for this node, by its class.

        Raises `Refusal("unavailable")` while there is none: it failed and is being opened again, or the node closes.
        """
        return self._core.state(kind)

    def count(self, metric: str, amount: float = 1) -> None:
        """Count up a metric that the plugin declares."""
        self._core.metrics.count(self._scope.name, metric, amount)

    def wake(self, task: str) -> None:
        """Run a task of the plugin's that has a period now, rather than when it is due.

        While it runs, it is run once more afterwards. Raises `LookupError` when it declares no such task.
        """
        self._scope.wake(task)

    async def ask(self, hook: str, /, **arguments: Any) -> list[Any]:
        """Call a hook that this plugin, or one that it requires, offers with `add_hookspecs`.

        Gives what each implementation gave, the offering plugin's among them if it has one. An implementation that
        takes `ctx` gets its own plugin's context for the same requester; it is not among the arguments. What failed is
        left out, and reported. Raises `LookupError` for any other hook.
        """
        return await self._scope.ask(self._caller, hook, **arguments)

    # ---- the node

    @property
    def base_url(self) -> str:
        """How people reach the node, without a slash at the end."""
        return self._core.base_url

    @property
    def epoch(self) -> str:
        """Changes when a backup is restored: what was pending before means nothing any more."""
        return self._core.epoch

    def url(self, path: str = "") -> str:
        """A link: `/…` is an address of the node, anything else one below `/plugins/<name>/`."""
        local = path if path.startswith("/") else f"/plugins/{self._scope.name}/{path}"
        return f"{self._core.base_url}{local}"

    def is_online(self, person: int) -> bool:
        """Whether the user with this key has a live session. Who may know is for the caller to check."""
        return self._core.part(PresenceBoard).is_online(person)

    def presence_of(self, found: Found) -> Presence:
        """How a user is now: a row of `find_presence` with what is only in memory."""
        return self._core.part(PresenceBoard).as_known(found)

    def badge(
        self, person: int, active_at: int | None, text: str | None, emoji: str | None, until: int | None
    ) -> Badge:
        """How the user with the key `person` is now, from that user's columns of `presence`.

        Only for a user whom the requester may see, which `MAY_SEE_PRESENCE` tells within a query.
        """
        return self._core.part(PresenceBoard).badge(person, active_at, text, emoji, until)
