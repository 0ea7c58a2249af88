"""Plugins and their consumers, for operators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs

from chatnode.model.fields import Gid, Limit, Seq, Text
from chatnode.model.plugins import ConsumerStatus, PluginStatus, SetAside, TaskStatus

PluginName = Annotated[str, Text(31, 1, r"[a-z][a-z0-9]*", hint="expected a plugin's name (a-z and digits)")]
Word = Annotated[str, Text(100, 1)]


@attrs.define
class PluginList:
    """All installed plugins, and the tasks of running ones."""

    plugins: list[PluginStatus]
    tasks: list[TaskStatus]


@attrs.define
class ConsumerList:
    consumers: list[ConsumerStatus]


@attrs.define
class ListSetAside:
    """`before` is the number of the last entry of the previous page."""

    plugin: PluginName | None = None
    consumer: Word | None = None
    before: Seq | None = None
    limit: Limit = 50


@attrs.define
class SetAsidePage:
    set_aside: list[SetAside]


@attrs.define
class ReplayConsumer:
    """`gid`: the consumer continues with the rows after this one; 0 means from the first row."""

    plugin: PluginName
    consumer: Word
    gid: Gid


@attrs.define
class ConsumerReplays:
    """Where it continues, and where it was before."""

    cursor: int
    before: int


@attrs.define
class OfSetAside:
    entry: Seq


@attrs.define
class RowRetried:
    """Whether the row succeeded and was removed from the list, or how it failed."""

    ok: bool
    error: str | None = None


@attrs.define
class OfPlugin:
    plugin: PluginName


@attrs.define
class PluginSwitched:
    """`takes_effect`: at the next start of the node."""

    plugin: str
    disabled: bool
    takes_effect: Literal["at the next start"] = "at the next start"


@attrs.define
class DropPlugin:
    """`confirm` repeats the plugin's name."""

    plugin: PluginName
    confirm: Word


@attrs.define
class PluginDropped:
    """The tables that were dropped, and how many files of how many bytes were deleted."""

    tables: list[str]
    files: int = 0
    bytes: int = 0


@attrs.define
class ExportPlugin:
    """Without `table`, lists only the names of its tables. `after` is the `next` of the previous page."""

    plugin: PluginName
    table: Word | None = None
    after: Seq | None = None
    limit: Limit = 500


@attrs.define
class PluginRows:
    """Rows of one table, by column. Bytes are given as {"base64": …}. `next` is the `after` of the next page; absent
    on the last page."""

    tables: list[str]
    rows: list[dict[str, Any]]
    next: int | None = None
