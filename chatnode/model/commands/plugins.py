"""Plugins and their consumers, for whoever runs the node."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs

from chatnode.model.fields import Gid, Limit, Seq, Text
from chatnode.model.plugins import ConsumerStatus, PluginStatus, SetAside, TaskStatus

PluginName = Annotated[str, Text(31, 1, r"[a-z][a-z0-9]*", hint="expected a plugin's name (a-z and digits)")]
Word = Annotated[str, Text(100, 1)]


@attrs.define
class PluginsGiven:
    """Every plugin that is installed, and the tasks of those that run."""

    plugins: list[PluginStatus]
    tasks: list[TaskStatus]


@attrs.define
class ConsumersGiven:
    consumers: list[ConsumerStatus]


@attrs.define
class ListSetAside:
    """`before` is the number of the last entry of the page before."""

    plugin: PluginName | None = None
    consumer: Word | None = None
    before: Seq | None = None
    limit: Limit = 50


@attrs.define
class SetAsideGiven:
    set_aside: list[SetAside]


@attrs.define
class ReplayConsumer:
    """`gid`: the consumer goes on with what comes after this one; 0 is from the first row there is."""

    plugin: PluginName
    consumer: Word
    gid: Gid


@attrs.define
class ConsumerReplays:
    """From where it goes on, and where it was."""

    cursor: int
    before: int


@attrs.define
class OfSetAside:
    entry: Seq


@attrs.define
class RowRetried:
    """Whether the row succeeded, and is off the list; or else how it failed."""

    ok: bool
    error: str | None = None


@attrs.define
class OfPlugin:
    plugin: PluginName


@attrs.define
class PluginSwitched:
    """`takes_effect`: when the node is started the next time."""

    plugin: str
    disabled: bool
    takes_effect: Literal["at the next start"] = "at the next start"


@attrs.define
class DropPlugin:
    """`confirm` is the plugin's name once more."""

    plugin: PluginName
    confirm: Word


@attrs.define
class PluginDropped:
    """The tables that there were."""

    tables: list[str]


@attrs.define
class ExportPlugin:
    """Without `table`, only the names of its tables are given. `after` is the `next` of the page before."""

    plugin: PluginName
    table: Word | None = None
    after: Seq | None = None
    limit: Limit = 500


@attrs.define
class PluginRows:
    """Rows of one table by its columns. What is stored as bytes is given as {"base64": …}. `next` is the `after` of the
    following page, absent on the last."""

    tables: list[str]
    rows: list[dict[str, Any]]
    next: int | None = None
