"""The node as one of its plugins sees it: in handlers, hooks, tasks and consumers alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from logging import Logger, LoggerAdapter
from typing import Any, Protocol, TypeVar

import attrs

from chatnode.dispatch import acting
from chatnode.dispatch.acting import AsOperator, AsPerson
from chatnode.dispatch.caller import Caller
from chatnode.model.events import Event
from chatnode.model.people import Account
from chatnode.model.presence import Badge, Presence
from chatnode.protocol.envelopes import passing
from chatnode.routing import ephemeral
from chatnode.routing.ephemeral import ConnectedSession
from chatnode.routing.presence import PresenceBoard
from chatnode.routing.sessions import SessionRegistry
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Read, Write
from chatnode.storage.log import retelling
from chatnode.storage.people import bots
from chatnode.storage.presence.presence import Found

T = TypeVar("T")
S = TypeVar("S")


class Ask(Protocol):
    """Calls a hook that some plugin offers; gives what the implementations gave."""

    async def __call__(self, hook: str, /, **arguments: Any) -> list[Any]: ...


@attrs.frozen
class Scope:
    """What is one plugin's own in its contexts. Made once, when the plugin is added to a node."""

    name: str
    log: Logger | LoggerAdapter[Logger]
    ask: Ask
    wake: Callable[[str], None]
    ephemeral: frozenset[type[Event]]


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
        return await acting.call(self._caller, name, **fields)

    def as_person(self, who: str) -> AsPerson:
        """Act as the user with this handle or id: `await ctx.as_person(bot.id).call("messages.post", …)`.

        Permissions, rates, hooks and audit apply as to any client. A plugin is trusted not to act for users who did
        not ask for it; it should speak as a `bot` of its own.
        """
        return AsPerson(self._core, who, self._caller.depth)

    async def bot(self, name: str, display_name: str | None = None) -> Account:
        """The plugin's own bot of this name, made at the first call; the same account ever after.

        Its handle is `name`, or `name-2` and so on where that is taken. Only the plugin speaks as it: with `as_person`,
        or with `post_message` in a transaction. It has no password and no tokens, is listed with the plugin, and is
        deactivated while the plugin does not run. `display_name` (by default `name`) may change between calls. An
        administrator may deactivate it, after which acting as it is refused; after an erasure the next call makes
        another account. Raises `Refusal`.
        """
        plugin, shown = self._scope.name, display_name or name
        found = await self._core.db.read(lambda reader: bots.find(reader, plugin, name))
        if found is not None and found.name == shown:
            return found
        return await self._core.db.write(lambda tx: bots.make(tx, plugin, name, shown))

    def as_operator(self) -> AsOperator:
        """Act as the operator of the machine, who may run every command but takes part in no conversation."""
        return AsOperator(self._core, self._caller.depth)

    # ---- telling clients

    def push(self, event: Event, *, people: Iterable[int] = (), sessions: Iterable[ConnectedSession] = ()) -> int:
        """Tell clients that are connected now of an event that the plugin declares as `ephemeral`.

        All sessions of the users with the keys `people`, and `sessions`, which `live_sessions` gives. Returns to how
        many it was sent. It has no gid and is not in the log: a client that is away, catches up or is behind never gets
        it. The plugin chooses who is told: nothing checks that they may see what the event is about. On the trio thread
        only. Raises `LookupError` for an event that is not declared.
        """
        if type(event) not in self._scope.ephemeral:
            raise LookupError(f"the plugin {self._scope.name} does not declare {type(event).__name__} as ephemeral")
        return ephemeral.push(self._core.part(SessionRegistry), passing(event), people, sessions)

    def live_sessions(self, person: int) -> list[ConnectedSession]:
        """The clients with which the user with this key is connected now, the longest connected first.

        Who may know is for the caller to check.
        """
        return ephemeral.connected(self._core.part(SessionRegistry), person)

    def last_active(self, person: int) -> int | None:
        """When the user with this key last did something on any device, in milliseconds, as far as memory tells.

        None for a user who was not active since the node started: `presence.active_at` says when they were before. Who
        may know is for the caller to check.
        """
        return self._core.part(PresenceBoard).last_active(person)

    # ---- the log

    def event(self, reader: Reader, row: Row) -> dict[str, Any] | None:
        """The event of a row of the log as clients are sent it, with `gid` and `event`, as things are now.

        It is whole: what one user may not see of it is not left out (see `events_for`). None when there is nothing left
        to tell. For a function that is given to `read` or `query`.
        """
        return retelling.event(reader, row)

    async def events_for(self, person: int, after_gid: int, most: int = 500) -> tuple[list[dict[str, Any]], int]:
        """What a client of the user with the key `person` would be sent that resumes at `after_gid`, oldest first.

        Gives up to `most` events and the gid at which the next page begins; that page is empty when it has caught up.
        Fewer events than `most`, even none, do not mean the end: compare the gid. A gid means nothing in another
        `epoch`. A page costs as much as finding all that the user missed. Raises `Refusal("forbidden")` for an account
        that cannot act.
        """
        return await self.query(lambda reader: retelling.events_for(reader, person, after_gid, most))

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

        What failed is left out, and reported. Raises `LookupError` for any other hook.
        """
        return await self._scope.ask(hook, **arguments)

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
