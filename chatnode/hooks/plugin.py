"""A plugin's declaration: one object with everything it adds to a node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from chatnode.dispatch.table import Command
from chatnode.hooks.context import Context
from chatnode.hooks.pages import PageContext
from chatnode.hooks.routes import Route
from chatnode.hooks.slash import Slash
from chatnode.hooks.work import WorkKind
from chatnode.model.events import Event
from chatnode.model.records import record
from chatnode.storage.engine.additions import EventKind, Table
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.stored_files import StoredFile
from chatnode.storage.engine.transaction import Transaction, Write
from chatnode.storage.filters.collection import Collection
from chatnode.storage.node.restored import RestoreNote

if TYPE_CHECKING:
    import click

API_VERSION = "2.1"
"""The version of `chatnode.api`: additions raise the second number, removals and changes of meaning the first."""


@record(frozen=True)
class Step:
    """A migration of a plugin's tables. Steps are applied once each, in the order in which the plugin lists them. Never
    rename one that was applied, nor change it: the change would have no effect, and the log warns of it.

    `functions` are SQL functions that the step may call, by name; they take and return strings, numbers and None.
    """

    name: str
    sql: str
    functions: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict[str, "Callable[..., Any]"])


def steps_in(
    package: str, folder: str = "schema", functions: Mapping[str, Callable[..., Any]] | None = None
) -> tuple[Step, ...]:
    """Steps from the `.sql` files in a folder of a package, in order of their names; each gets `functions`."""
    return tuple(Step(name, sql, functions or {}) for name, sql in _scripts(package, folder))


@cache
def _scripts(package: str, folder: str) -> list[tuple[str, str]]:
    """The names and contents of the `.sql` files, read once: a plugin is asked for its declaration by every node."""
    files = resources.files(package).joinpath(folder).iterdir()
    found = sorted((file for file in files if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")) for file in found]


@record(frozen=True)
class Permission:
    """A permission of a plugin. `name` begins with the plugin's name and a dot. `roles` get it when the plugin first
    runs; `admin` always has it."""

    name: str
    meaning: str
    roles: tuple[str, ...] = ("member", "moderator")


@record(frozen=True)
class PluginRole:
    """A role that the plugin offers. The node creates it when the plugin first runs, unless it has a role with that
    name.

    `permissions` may be the plugin's or the node's. With `extends`, `member` or `moderator`, the role also gets the
    permissions of that role, and those that plugins add to it later: an account has only one role. Otherwise the role,
    once made, belongs to the operator: the plugin never
    undoes a change or a deletion. To give the role a permission that a later version adds, name the role in
    `Permission.roles`. While the plugin is disabled, the role stays, but the plugin's permissions in it have no effect.
    `plugins.drop` deletes the role if no account has it, and otherwise removes only the plugin's permissions from it.
    """

    name: str
    permissions: tuple[str, ...]
    extends: str | None = None


@record(frozen=True)
class Limit:
    """A rate limit, which commands and routes of the plugin name as their `limit`. `setting` names an integer setting
    of the plugin: requests per user and minute, 0 for no limit."""

    name: str
    what: str
    setting: str


@record(frozen=True)
class Consumer:
    """A reader of the log with its own durable cursor: it catches up after a crash, and never delays requests.

    `kinds` are the names of the events it wants, None for all. `consume` gets the rows in order, up to `most` at a
    time, at least once. The function it returns runs in the transaction that moves the cursor: exactly once, and within
    `plugins.transaction_seconds`. That function must have no effect but through the transaction, which may be rolled
    back and run again. A row that fails `plugins.consumer_tries` times is set aside and listed, and the consumer
    continues after it; if a batch fails, its rows are retried one by one. `Refusal("unavailable")` and a full disk do
    not count as failures of the row: it is retried until it succeeds. `pause`: seconds to wait for more rows before
    reading again.
    """

    name: str
    consume: Callable[[Context, Sequence[Row]], Awaitable[Write[object] | None]]
    kinds: frozenset[str] | None = None
    most: int = 500
    pause: float = 0.0
    from_start: bool = False
    """Whether a new consumer starts with the first row of the log, or with rows written after the plugin was first
    loaded."""
    where: str | None = None
    """A condition in SQL on the row of the log, such as `log.conversation IN (SELECT ...)`: it gets only the rows that
    meet it when they are read, and the others cost next to nothing. Columns are `gid`, `conversation` (its key, or
    NULL), `kind`, `subject`, `actor` and `at` of `log`."""
    repeatable: bool = False
    """Whether rows for which `consume` returned None may be read again after a crash, since that does no more than
    reading them once. Then the cursor is not stored for each batch of them, only every 10,000 rows, and when the node
    stops: a consumer that has nothing to do for most rows costs no writes."""


@record(frozen=True)
class Task:
    """Background work of a plugin while the node serves.

    Without `every` it runs continuously: when it returns or raises, it is restarted after a backoff of up to a
    minute, which is reset once it has run for half a minute. With `every`, seconds or a function of the plugin's
    settings (0 means never), it is a job: it runs on that schedule or when an operator runs it, one job of a plugin
    at a time. Its result is logged; None means that there was nothing to do.
    """

    name: str
    run: Callable[[Context], Awaitable[str | None]]
    every: float | Callable[[Any], float] | None = None


@record(frozen=True)
class Page:
    """An HTML page at `/plugins/<name>/<path>` for users with the permission; `/plugins` lists all pages.

    `render` gets the query and the values of the path's `<name>`s, and returns the HTML of its content, without head
    and body. Scripts do not run on it. `ctx.url` makes its links.

    A page with `submit` may have forms: `<form method="post">`, each containing `ctx.form_token`. `submit` gets the
    same query and the submitted fields. It returns the address to redirect to, as for `ctx.url`, or error messages by
    field name; then, or if it raises `Refusal`, the page is rendered again with `ctx.sent` and `ctx.errors`. A form
    without the token, or with another session's, does not reach the plugin. Forms cannot upload files.
    """

    path: str
    title: str
    render: Callable[[PageContext, Mapping[str, str]], Awaitable[str]]
    permission: str = "operate"
    submit: Callable[[PageContext, Mapping[str, str], Mapping[str, str]], Awaitable[str | Mapping[str, str]]] | None = (
        None
    )


@record(frozen=True)
class Metric:
    """A metric in `/metrics`, `chatnode_<plugin>_<name>`: a counter, increased with `Context.count`, whose name gets
    the suffix `_total`; or a `value` computed on request, within `plugins.hook_seconds`."""

    name: str
    help: str
    value: Callable[[Context], Awaitable[float]] | None = None


@record(frozen=True)
class RemovalNote:
    """What was removed. `rule` is `messages` or `closed` for old messages of a conversation, given by its id, or
    `erased` for a user, given by key."""

    rule: str
    conversation: str | None = None
    person: int | None = None


@record(frozen=True, kw_only=True)
class Plugin:
    """Everything that a plugin adds to a node.

    `name` (a-z, 0-9) is the prefix of its commands and permissions (`name.`) and of its tables (`name_`).
    `api` is the version of `chatnode.api` that it was written for. `settings` is a class of fields declared with
    `setting`: the section `[plugins.<name>]`. `health` returns figures, or raises to report that the plugin is
    failing. `cli` is a click command or group, run as `chatnode <name>`; `@click.pass_obj` gives it `call(name,
    **fields)`, which runs commands as the operator.
    """

    name: str
    version: str
    api: str
    about: str
    requires: Sequence[str] = ()
    """Names of plugins that it needs to run. It is loaded after them, and can call the hooks they offer with
    `Context.ask`. Declare versions as dependencies of its distribution."""
    settings: type[Any] | None = None
    steps: Sequence[Step] = ()
    tables: Sequence[Table] = ()
    permissions: Sequence[Permission] = ()
    roles: Sequence[PluginRole] = ()
    limits: Sequence[Limit] = ()
    commands: Sequence[Command[Any, Any]] = ()
    events: Sequence[EventKind] = ()
    ephemeral: Sequence[type[Event]] = ()
    """Events for `ctx.push`: they have no gid and are not in the log."""
    collections: Sequence[Collection] = ()
    consumers: Sequence[Consumer] = ()
    tasks: Sequence[Task] = ()
    works: Sequence[WorkKind] = ()
    slash: Sequence[Slash] = ()
    routes: Sequence[Route] = ()
    pages: Sequence[Page] = ()
    metrics: Sequence[Metric] = ()
    state: Callable[[Context], AbstractAsyncContextManager[object]] | None = None
    """An async context manager for what the plugin holds while a node is open, such as a pool or a queue. It is entered
    before the node serves, and exited after everything else in the plugin has ended. `ctx.state(Kind)` returns what it
    opened, where `Kind` is its class. It runs in its own task; if it fails, the failure is reported, and it is reopened
    after a pause."""
    health: Callable[[Context], Awaitable[Mapping[str, Any] | None]] | None = None
    cli: click.Command | None = None
    check: Callable[[Reader, Path], list[str]] | None = None
    """A check of the plugin's tables, and of its directory, for `node.check`; returns a line for each problem. The node
    itself checks that what `stored_files` lists is there."""
    repair: Callable[[Context], Awaitable[Mapping[str, int]]] | None = None
    """Repairs what the check finds and can be computed again, for `node.repair`; returns how much it changed, by
    name."""
    stored_files: Callable[[Reader], Iterable[StoredFile]] | None = None
    """Lists the files in the plugin's directory that belong to rows of its tables. They are in backups, put back by
    restores, and checked. It reads a database on which other code may not run: use SQL only, and list a file if and
    only if its row is there. See `Context.backup_running` for deleting files."""
    after_restore: Callable[[Transaction, RestoreNote], None] | None = None
    """Called once after a backup was restored, before the plugin's state opens, in a transaction; the note names files
    that are missing. Whatever was in progress when the backup was made is over."""
    after_removal: Callable[[Context, RemovalNote], Awaitable[Mapping[str, int]]] | None = None
    """Called after retention or an erasure has deleted rows, for plugins that delete files with them: it deletes them
    now, and returns what the receipt shows, such as `{"files": 3, "bytes": 8192}`, within `plugins.start_seconds`. The
    receipt has these figures as `<plugin>.files` and so on."""
