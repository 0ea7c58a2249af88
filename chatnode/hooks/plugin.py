"""What a plugin declares: one object that says everything it adds to a node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import attrs

from chatnode.dispatch.table import Command
from chatnode.hooks.context import Context
from chatnode.storage.engine.additions import EventKind, Table
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Write
from chatnode.storage.filters.collection import Collection

if TYPE_CHECKING:
    import click

API_VERSION = "2.0"
"""Of what `chatnode.api` offers: the second number grows with what is added, the first with what is taken away."""


@attrs.frozen
class Step:
    """One step of a plugin's tables: applied once, in the order in which the plugin names them.

    `functions` are what its SQL may call beside SQLite's own, by name: they take and give texts, numbers and None.
    """

    name: str
    sql: str
    functions: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict[str, "Callable[..., Any]"])


def steps_in(
    package: str, folder: str = "schema", functions: Mapping[str, Callable[..., Any]] | None = None
) -> tuple[Step, ...]:
    """The `.sql` files in a folder of a package, in the order of their names; `functions` are those of each `Step`."""
    files = resources.files(package).joinpath(folder).iterdir()
    found = sorted((file for file in files if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(
        Step(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"), functions or {}) for file in found
    )


@attrs.frozen
class Permission:
    """`name` begins with the plugin's and a dot. `roles` have it from when the plugin first runs; `admin` always has
    it."""

    name: str
    meaning: str
    roles: tuple[str, ...] = ("member", "moderator")


@attrs.frozen
class Limit:
    """A rate that commands of the plugin name as their `limit`. `setting` is a whole number of the plugin's settings:
    so many a minute for one person, 0 for no limit."""

    name: str
    what: str
    setting: str


@attrs.frozen
class Consumer:
    """A reader of the log with a durable cursor of its own: it catches up after a crash, and delays nobody.

    `kinds` are the names of the events it wants, None for all. `consume` gets the rows in their order, up to `most` at
    a time, at least once. What it returns is carried out in the transaction that moves the cursor: exactly once, and
    within `plugins.transaction_seconds`. It does nothing that the transaction does not undo, as it may be undone and
    called again. A row that fails `plugins.consumer_tries` times is set aside, visibly, and the
    consumer goes on after it; when one of several rows fails, it is given them one by one. `Refusal("unavailable")`, or
    a disk that is full, is no row's fault: it is tried until it succeeds. `pause`: seconds to wait for more before it
    looks again.
    """

    name: str
    consume: Callable[[Context, Sequence[Row]], Awaitable[Write[object] | None]]
    kinds: frozenset[str] | None = None
    most: int = 500
    pause: float = 0.0
    from_start: bool = False
    """Whether it begins with the first row there is, or with what happens after the plugin was first loaded."""


@attrs.frozen
class Task:
    """Something that the plugin does by itself while the node serves.

    Without `every` it runs on and on: when it ends or raises it is started again, after a pause that grows up to a
    minute, and is short again when it has run for half a minute. With
    `every`, seconds or a function of the plugin's settings (0 is never), it is a job: run every so often, also by an
    operator, and not beside another job of the same plugin. One that gives None did nothing; what it gives is logged.
    """

    name: str
    run: Callable[[Context], Awaitable[str | None]]
    every: float | Callable[[Any], float] | None = None


@attrs.frozen
class Request:
    """An HTTP request to a plugin's route. `path` holds what the rule's `<name>`s stand for; header names are in lower
    case."""

    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@attrs.frozen
class Response:
    """`body` as text is sent as UTF-8."""

    body: str | bytes = b""
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen
class Route:
    """An address of the plugin's: `rule` below `/plugins/<name>/`, such as `feed/<list>`.

    Commands are in the protocol, the document and the command line by themselves; a route is for what is none, such as
    a feed or a webhook. With a permission, who asks must be signed in and have it; with None, anybody may ask.
    """

    rule: str
    handler: Callable[[Context, Request], Awaitable[Response]]
    permission: str | None
    methods: tuple[Literal["GET", "POST", "PUT", "DELETE"], ...] = ("GET",)
    summary: str = ""


@attrs.frozen
class Page:
    """A page for people, `/plugins/<name>/<path>`, for whoever has the permission; `/plugins` lists them.

    `render` gives the HTML of its content, without head and body. No scripts run on it.
    """

    path: str
    title: str
    render: Callable[[Context, Mapping[str, str]], Awaitable[str]]
    permission: str = "operate"


@attrs.frozen
class Metric:
    """A figure in `/metrics`, as `chatnode_<plugin>_<name>`: counted with `count`, which puts `_total` after the name,
    or asked for when somebody looks, within `plugins.hook_seconds`."""

    name: str
    help: str
    value: Callable[[Context], Awaitable[float]] | None = None


@attrs.frozen(kw_only=True)
class Plugin:
    """Everything that a plugin adds to a node.

    `name` (a-z, 0-9) begins the names of its commands and permissions, with a dot, and of its tables, with a _.
    `api` is the version of `chatnode.api` it was written for. `settings` is a class of fields made with `setting`: the
    section `[plugins.<name>]`. `health` gives figures, or raises to say that the plugin is not well. `cli` is a click
    command or group, `chatnode <name>`; what it gets with `@click.pass_obj` runs commands as the operator:
    `call(name, **fields)`.
    """

    name: str
    version: str
    api: str
    about: str
    requires: Sequence[str] = ()
    """Names of plugins without which it does not run. It is loaded after them, and `Context.ask` reaches what they
    offer. Which versions will do is for the dependencies of its distribution to say."""
    settings: type[Any] | None = None
    steps: Sequence[Step] = ()
    tables: Sequence[Table] = ()
    permissions: Sequence[Permission] = ()
    limits: Sequence[Limit] = ()
    commands: Sequence[Command[Any, Any]] = ()
    events: Sequence[EventKind] = ()
    collections: Sequence[Collection] = ()
    consumers: Sequence[Consumer] = ()
    tasks: Sequence[Task] = ()
    routes: Sequence[Route] = ()
    pages: Sequence[Page] = ()
    metrics: Sequence[Metric] = ()
    state: Callable[[Context], AbstractAsyncContextManager[object]] | None = None
    """What the plugin keeps while a node is open, such as a pool or a queue: entered before the node serves, left after
    everything else of the plugin has ended, and read as `ctx.state(Kind)`, `Kind` being the class of what it gives. It
    runs on a task of its own: when it fails it is reported, and opened again after a pause."""
    health: Callable[[Context], Awaitable[Mapping[str, Any] | None]] | None = None
    cli: click.Command | None = None
    check: Callable[[Reader], list[str]] | None = None
    """What `node.check` asks about the plugin's tables: a line for each problem."""
