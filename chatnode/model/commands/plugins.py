"""Plugins and their consumers, for operators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from chatnode.model.fields import Gid, Limit, Seq, Text
from chatnode.model.plugins import ConsumerStatus, PluginStatus, SetAside, TaskStatus
from chatnode.model.records import record

PluginName = Annotated[str, Text(31, 1, r"[a-z][a-z0-9]*", hint="expected a plugin's name (a-z and digits)")]
Word = Annotated[str, Text(100, 1)]


@record
class PluginList:
    """All installed plugins, and the tasks of running ones."""

    plugins: list[PluginStatus]
    tasks: list[TaskStatus]


@record
class ConsumerList:
    consumers: list[ConsumerStatus]


@record
class ListSetAside:
    """`before` is the number of the last entry of the previous page."""

    plugin: PluginName | None = None
    consumer: Word | None = None
    before: Seq | None = None
    limit: Limit = 50


@record
class SetAsidePage:
    set_aside: list[SetAside]


@record
class ReplayConsumer:
    """`gid`: the consumer continues with the rows after this one; 0 means from the first row."""

    plugin: PluginName
    consumer: Word
    gid: Gid


@record
class ConsumerReplays:
    """Where it continues, and where it was before."""

    cursor: int
    before: int


@record
class OfSetAside:
    entry: Seq


@record
class RowRetried:
    """Whether the row succeeded and was removed from the list, or how it failed."""

    ok: bool
    error: str | None = None


@record
class OfPlugin:
    plugin: PluginName


@record
class PluginSwitched:
    """`takes_effect`: at the next start of the node."""

    plugin: str
    disabled: bool
    takes_effect: Literal["at the next start"] = "at the next start"


@record
class DropPlugin:
    """`confirm` repeats the plugin's name."""

    plugin: PluginName
    confirm: Word


@record
class PluginDropped:
    """The tables that were dropped, and how many files of how many bytes were deleted."""

    tables: list[str]
    files: int = 0
    bytes: int = 0


@record
class ExportPlugin:
    """Without `table`, lists only the names of its tables. `after` is the `next` of the previous page."""

    plugin: PluginName
    table: Word | None = None
    after: Seq | None = None
    limit: Limit = 500


@record
class PluginRows:
    """Rows of one table, by column. Bytes are given as {"base64": …}. `next` is the `after` of the next page; absent
    on the last page."""

    tables: list[str]
    rows: list[dict[str, Any]]
    next: int | None = None
