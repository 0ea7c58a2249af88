"""The node as a plugin sees it, in handlers, hooks, tasks and consumers alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any, Protocol, TypeVar

import attrs
from trio.lowlevel import in_trio_run

from chatnode.dispatch import acting, querying
from chatnode.dispatch.acting import AsOperator, AsPerson
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.signing import Signer
from chatnode.errors import Misuse, UnknownName
from chatnode.hooks.log_growth import LogGrowth
from chatnode.model.events import Event
from chatnode.model.people import Account
from chatnode.model.presence import Badge, Presence
from chatnode.model.records import record
from chatnode.outbound.client import Outbound
from chatnode.outbound.mail import Mailer
from chatnode.protocol.envelopes import ephemeral_frame
from chatnode.routing import ephemeral
from chatnode.routing.ephemeral import ConnectedSession
from chatnode.routing.presence import PresenceBoard
from chatnode.routing.sessions import SessionRegistry
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.snapshot import Snapshot
from chatnode.storage.engine.transaction import Read, Transaction, Write
from chatnode.storage.filters.collection import Asker, Collection
from chatnode.storage.filters.query import ItemsPage
from chatnode.storage.log import plugin_log
from chatnode.storage.people import audit, bots, people
from chatnode.storage.presence.presence import PresenceRow
from chatnode.storage.upkeep import backups
from chatnode.storage.work import work
from chatnode.storage.work.work import NewWork

T = TypeVar("T")
S = TypeVar("S")


class Ask(Protocol):
    """Calls a hook that a plugin offers; returns the results of its implementations."""

    async def __call__(self, caller: Caller, hook: str, /, **arguments: Any) -> list[Any]: ...


@record(frozen=True)
class Scope:
    """What all contexts of one plugin share. Created once, when the plugin is added to a node."""

    name: str
    log: Logger | LoggerAdapter[Logger]
    ask: Ask
    implemented: Callable[[str], bool]
    """Whether any plugin implements a hook."""
    wake: Callable[[str], None]
    ephemeral: frozenset[type[Event]]
    directory: Path
    works: Mapping[str, str]
    """The plugin's kinds of work, with their titles."""
    counters: frozenset[str]


class Context:
    """The requester, and what the plugin can do.

    In command handlers, in hooks that get a context, in routes and in pages, `account` is the requesting user. Tasks,
    consumers, health and metrics have no requester: `account` is None, `me` and `call` raise `Refusal`, and they act
    through `as_person` or `as_operator`. Each request has its own context; do not keep it longer.
    """

    __slots__ = ("_caller", "_core", "_scope")

    def __init__(self, caller: Caller, scope: Scope) -> None:
        self._caller = caller
        self._core = caller.core
        self._scope = scope

    # ---- the requester

    @property
    def account(self) -> Account | None:
        """The requesting user; None for the operator, for a request without a token, and outside of requests."""
        return self._caller.account

    @property
    def me(self) -> Account:
        """The requesting user. Raises `Refusal` if there is none."""
        return self._caller.me

    @property
    def session(self) -> int | None:
        """The key of the requester's session in the table `sessions`: the device or token that the request came with.

        A key is never used again. None where there is no session, as for `as_person`. What must end when the user signs
        out, such as a link, stores it and looks for the row.
        """
        return self._caller.session

    @property
    def operator(self) -> bool:
        """Whether the requester is the operator, who is not a user."""
        return self._caller.operator

    @property
    def permissions(self) -> frozenset[str]:
        """The permissions of the requester."""
        return self._caller.permissions

    def may(self, permission: str, *, reads: bool = False) -> bool:
        """Whether the requester's role has the permission and their token's scopes include it.

        `reads`: for reading only, where the scope `<permission>:read` is enough.
        """
        return self._caller.may(permission, reads=reads)

    def check(self, permission: str, *, reads: bool = False) -> None:
        """Raises `Refusal` unless `may`: `unauthenticated` without an account, else `forbidden`."""
        self._caller.check(permission, reads=reads)

    async def holders(self, permission: str, *, reads: bool = False) -> list[Account]:
        """The accounts that may use a permission, for example to notify them of work to do; see `holders_of`."""
        return await self.read(lambda reader: people.holders_of(reader, permission, reads=reads))

    def audit(self, tx: Transaction, action: str, target: str = "", **details: str | int | None) -> None:
        """Add an entry to the audit log, in the transaction `tx`: the requesting user did `<plugin>.<action>`.

        Without a requesting user the entry has no actor, like those of the node's own jobs. `target` is a public id or
        a name that the plugin defines. Details that are None are left out; never pass the text of a message.
        """
        audit.record(tx, self.account, f"{self._scope.name}.{action}", target, **details)

    # ---- the database

    async def read(self, function: Read[T]) -> T:
        """Run `function` with a reader, in a snapshot of the database, in a thread.

        It sees what the same client wrote before.
        """
        return await self._caller.read(function)

    async def query(self, function: Read[T], *, seconds: float | None = None) -> T:
        """Like `read`, for costly queries: queued, and with a deadline.

        A user's queries run one at a time and always leave one reader free for others. Raises `Refusal("too_large")`
        after `seconds` (None: `limits.query_seconds`; 0: no deadline).
        """
        return await self._caller.query(function, seconds=seconds)

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """For long reads: a snapshot on a connection of its own, so that it keeps no reader from others.

        `async with ctx.snapshot() as snapshot`, then `await snapshot.read(function)` for each part, which should take
        milliseconds. Two may be open at a time; others wait. While one is open, the write-ahead log grows with what is
        written: read on without waiting for clients.
        """
        return self._caller.snapshot()

    async def write(self, function: Write[T], *, repeatable: bool = False) -> T:
        """Run `function` in a transaction; returns when it is on disk. Cancelling stops waiting, not the write.

        `repeatable`: the function has no effect outside the transaction, so it may be rolled back and run again with
        other writes. If the session was revoked meanwhile, raises `Refusal("unauthenticated")` and writes nothing.
        """
        return await self._caller.write(function, repeatable=repeatable)

    def page_size(self, limit: int) -> int:
        """`limit`, but no more than `limits.page_items`."""
        return self._caller.page_size(limit)

    def asker(self, collection: Collection) -> Asker:
        """The asker on whose behalf to query the collection, for `plan_query`, `run_query` and `filter_sql`.

        Raises `Refusal` if the requester may not query it. Tasks and consumers query on behalf of no user, and may use
        every field.
        """
        return querying.asker_of(self._caller, collection)

    async def query_items(
        self,
        collection: Collection,
        *,
        filter: dict[str, Any] | None = None,
        sort: str = "",
        limit: int = 50,
        after: str | None = None,
        group_by: str = "",
        fields: str = "",
    ) -> ItemsPage:
        """Query a collection, as `items.query` does. It need not be one that the plugin declares.

        Raises `Refusal` with the path of the fault, and `too_large` after `limits.query_seconds`.
        """
        return await querying.query_items(
            self._caller,
            collection,
            filter=filter,
            sort=sort,
            limit=limit,
            after=after,
            group_by=group_by,
            fields=fields,
        )

    # ---- acting

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command for the requesting user, with all the checks of their own request.

        Returns its result as plain values. Raises `Refusal`.
        """
        return await acting.call(attrs.evolve(self._caller, plugin=self._scope.name), name, **fields)

    def as_person(self, who: str) -> AsPerson:
        """Act as the user with this handle or id: `await ctx.as_person(bot.id).call("messages.post", …)`.

        Permissions, rates, hooks and audit apply as for any client. Do not act for users who did not ask for it; post
        as the plugin's own `bot` instead.
        """
        return AsPerson(self._core, who, self._caller.depth, self._scope.name)

    async def bot(self, name: str, display_name: str | None = None) -> Account:
        """The plugin's own bot with this name. The first call creates the account; later calls return it.

        Its handle is `name`, or `name-2` and so on if that is taken. Only the plugin can act as the bot: with
        `as_person`, or with `post_message` in a transaction. The bot has no password and no tokens, is listed with the
        plugin, and is deactivated while the plugin does not run. `display_name` (by default `name`) may change between
        calls. If an administrator deactivates the bot, acting as it is refused; if it is erased, the next call creates
        another account. Raises `Refusal`.
        """
        plugin, shown = self._scope.name, display_name or name
        found = await self._core.db.read(lambda reader: bots.find(reader, plugin, name))
        if found is not None and found.name == shown:
            return found
        return await self._core.db.write(lambda tx: bots.make(tx, plugin, name, shown))

    def as_operator(self) -> AsOperator:
        """Act as the operator, who can run every command but is in no conversation."""
        return AsOperator(self._core, self._caller.depth, self._scope.name)

    # ---- notifying clients

    def push(self, event: Event, *, people: Iterable[int] = (), sessions: Iterable[ConnectedSession] = ()) -> int:
        """Send an event that the plugin declares as `ephemeral` to clients that are connected now.

        It goes to all sessions of the users with the keys `people`, and to `sessions`, from `live_sessions`. Returns
        the number of sessions it was sent to. The event has no gid and is not in the log: a client that is
        disconnected, catching up or behind never gets it. The plugin chooses the recipients; the node does not check
        that they may see what the event is about. On the trio thread only. Raises `LookupError` for an event that is
        not declared.
        """
        _check_thread("push")
        if type(event) not in self._scope.ephemeral:
            raise UnknownName(f"the plugin {self._scope.name} does not declare {type(event).__name__} as ephemeral")
        return ephemeral.push(self._core.part(SessionRegistry), ephemeral_frame(event), people, sessions)

    def live_sessions(self, person: int) -> list[ConnectedSession]:
        """The user's clients that are connected now, by the user's key; the longest connected first.

        Does not check whether the requester is allowed to know.
        """
        return ephemeral.connected(self._core.part(SessionRegistry), person)

    def last_active(self, person: int) -> int | None:
        """When the user with this key was last active on any device since the node started, in milliseconds.

        None if they have not been active since then; `presence.active_at` has the time before that. Does not check
        whether the requester is allowed to know.
        """
        return self._core.part(PresenceBoard).last_active(person)

    # ---- the log

    def event(self, reader: Reader, row: Row) -> dict[str, Any] | None:
        """The event of a row of the log, in the form in which clients get it, with `gid` and `event` and the current
        state.

        It is complete: nothing is left out that some users may not see (see `events_for`). None if there is nothing
        left to send. Call it in a function passed to `read` or `query`.
        """
        return plugin_log.event(reader, row)

    def event_for(self, reader: Reader, person: int, row: Row) -> dict[str, Any] | None:
        """Like `event`, as the user with the key `person` may see it now: for a row that `log_rows_for` returned.

        None if there is nothing left for them to see.
        """
        return plugin_log.event_for(reader, person, row)

    async def events_for(self, person: int, after_gid: int, most: int = 500) -> tuple[list[dict[str, Any]], int]:
        """The events that a client of the user with the key `person` would get if it resumed at `after_gid`, oldest
        first.

        Returns up to `most` events, and the gid to pass as `after_gid` for the next page. A page may have fewer events
        than `most`, or none, before the end: the end is reached when the returned gid equals `after_gid`. A gid is only
        valid within one `epoch`. To choose among rows before events are made of them, use `log_rows_for` and
        `event_for`. Raises `Refusal("forbidden")` for an account that cannot act, and `ValueError` if `most` is below
        1.
        """
        return await self.query(lambda reader: plugin_log.events_for(reader, person, after_gid, most))

    async def wait_for_log(self, after_gid: int, kinds: frozenset[str] | None = None) -> None:
        """Wait until the log has rows above `after_gid`, of events with these names; with None, of any.

        For tasks that follow the log: read it first, then wait with the gid up to which you have read. It may return
        before there is a row of these kinds.
        """
        await self._core.part(LogGrowth).wait(after_gid, kinds)

    # ---- the plugin

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self._scope.name

    @property
    def log(self) -> Logger | LoggerAdapter[Logger]:
        """The plugin's log. Never log message text."""
        return self._scope.log

    @property
    def directory(self) -> Path:
        """The plugin's own directory, for files; it exists, and only the node's user can open it.

        All of it is on one file system, so renaming within it is atomic. `plugins.drop` deletes it. What is in it is in
        backups only if `Plugin.stored_files` lists it.
        """
        return self._scope.directory

    def free_bytes(self) -> int:
        """How many bytes plugins may still write to the file system of `directory`: what is free beyond
        `storage.least_free_mib`, which is left to the database."""
        kept = self._core.config.storage.least_free_mib << 20
        return max(0, shutil.disk_usage(self._scope.directory).free - kept)

    def commits(self) -> int:
        """How many times the node has committed writes since it started. While users write, it grows: work in the
        background that sees it grow rests between its steps, so that they do not wait for it."""
        return self._core.db.commits.jobs.count

    def backup_running(self) -> bool:
        """Whether a backup is being made now, which may still need files whose rows are gone.

        Ask *after* the transaction that removed the rows, and right before deleting the files; if it returns True, keep
        them and try again later. A backup that begins after that does not know the files any more.
        """
        return backups.is_running(self._core.directory)

    def settings(self, kind: type[S]) -> S:
        """The plugin's settings, by their class. Raises `LookupError` for another class."""
        try:
            return self._core.settings(kind)
        except KeyError:
            name = self._scope.name
            raise UnknownName(f"{kind.__name__} is not the class that Plugin.settings of {name} names") from None

    def state(self, kind: type[S]) -> S:
        """The state that `Plugin.state` opened for this node, by its class. Raises `Refusal("unavailable")` while it is
        not open, because it failed and is being reopened, or because the node is closing.
        """
        return self._core.state(kind)

    def sign(self, purpose: str, *fields: str | int, seconds: float) -> str:
        """A signature for a link that works without signing in, valid for `seconds`, up to 7 days.

        It says who asks for what, so the fields must include the user: `ctx.sign("download", file, ctx.me.id,
        seconds=3600)`. Put it into the link together with the fields, and give the same fields to `verify`, in the same
        order. It is safe in a URL. Signatures of other purposes and plugins are never confused with it; a restored
        backup makes all void. Raises `ValueError` for other lengths of time.
        """
        return self._core.part(Signer).sign(seconds, self._scope.name, purpose, *map(str, fields))

    def verify(self, signature: str, purpose: str, *fields: str | int) -> bool:
        """Whether this node made the signature of these fields with `sign`, and it has not expired.

        It does not say that the user may still have what they ask for: decide that again, as for a signed-in user.
        """
        return self._core.part(Signer).is_valid(signature, self._scope.name, purpose, *map(str, fields))

    def count(self, metric: str, amount: float = 1) -> None:
        """Increase a counter that the plugin declares. Raises `LookupError` for another name."""
        if metric not in self._scope.counters:
            raise UnknownName(f"the plugin {self._scope.name} declares no counter {metric}")
        self._core.metrics.count(self._scope.name, metric, amount)

    def wake(self, task: str) -> None:
        """Run a periodic task of the plugin now instead of when it is due.

        If it is running, it runs once more afterwards. On the trio thread only: after a write, not within it. Raises
        `LookupError` if the plugin declares no such task.
        """
        _check_thread("wake")
        self._scope.wake(task)

    def start_work(
        self,
        tx: Transaction,
        kind: str,
        arguments: Mapping[str, Any],
        *,
        title: str | None = None,
        resource: str | None = None,
        not_before: int | None = None,
        owner: int | None = None,
    ) -> str:
        """Start work of a kind that the plugin declares, in the transaction `tx`; returns the id of the work item.

        The item exists if and only if the transaction is committed, and runs after that, in the background. `arguments`
        are JSON, of up to 1 MiB. It belongs to the requesting user, or to the user with the key `owner`, who sees it as
        `title` and can pause and cancel it; without a user, it belongs to the plugin. Of the plugin's items with the
        same `resource`, one runs at a time. It starts at `not_before` at the earliest, in milliseconds. Raises
        `LookupError` for a kind that is not declared, and `ValueError` for arguments that are not JSON.
        """
        if kind not in self._scope.works:
            raise UnknownName(f"the plugin {self._scope.name} declares no work kind {kind}")
        name, account = self._scope.name, self.account
        new = NewWork(
            f"{name}.{kind}", title or self._scope.works[kind], arguments,
            owner if owner is not None or account is None else account.key,
            f"{name}:{resource}" if resource is not None else None, not_before,
        )  # fmt: skip
        return work.start(tx, new)

    def is_implemented(self, hook: str) -> bool:
        """Whether any plugin implements this hook, which this plugin, or one that it requires, offers: nothing else has
        to be prepared for `ask` if none does."""
        return self._scope.implemented(hook)

    async def ask(self, hook: str, /, **arguments: Any) -> list[Any]:
        """Call a hook that this plugin, or one that it requires, offers with `add_hookspecs`.

        Returns the result of each implementation, including the offering plugin's own. Do not pass `ctx`: an
        implementation that takes it gets its own plugin's context for the same requester. Implementations that fail are
        reported and left out, or raise `Refusal`, as the hook declares. Raises `LookupError` for any other hook.
        """
        return await self._scope.ask(self._caller, hook, **arguments)

    # ---- the node

    @property
    def outbound(self) -> Outbound:
        """For requests to other hosts; never open connections to them otherwise."""
        return self._core.part(Outbound)

    @property
    def mail(self) -> Mailer:
        """For mail by the operator's SMTP server."""
        return self._core.part(Mailer)

    @property
    def base_url(self) -> str:
        """The URL at which users reach the node, without a trailing slash."""
        return self._core.base_url

    @property
    def epoch(self) -> str:
        """Changes when a backup is restored, which makes pending state from before invalid."""
        return self._core.epoch

    def url(self, path: str = "") -> str:
        """The full URL of a path: `/…` is relative to the node, anything else to `/plugins/<name>/`."""
        local = path if path.startswith("/") else f"/plugins/{self._scope.name}/{path}"
        return f"{self._core.base_url}{local}"

    def is_online(self, person: int) -> bool:
        """Whether the user with this key has a live session. Does not check if the requester is allowed to know."""
        return self._core.part(PresenceBoard).is_online(person)

    def presence_of(self, found: PresenceRow) -> Presence:
        """A user's presence now: a row of `find_presence`, updated with what is only in memory."""
        return self._core.part(PresenceBoard).as_known(found)

    def badge(
        self, person: int, active_at: int | None, text: str | None, emoji: str | None, until: int | None
    ) -> Badge:
        """The presence of the user with the key `person` now, from the user's columns of `presence`.

        Only for users whose presence the requester may see; `MAY_SEE_PRESENCE` selects them in a query.
        """
        return self._core.part(PresenceBoard).badge(person, active_at, text, emoji, until)


def _check_thread(method: str) -> None:
    """Called in a database thread, it would change what the trio thread may be changing."""
    if not in_trio_run():
        raise Misuse(f"Context.{method} runs on the trio thread only: call it after ctx.read or ctx.write, not within")
