"""The node itself."""

from __future__ import annotations

from chatnode.model.records import record


@record
class CheckNode:
    """`deep`: also read all files of plugins and compare their hashes, which may take hours."""

    deep: bool = False


@record
class Check:
    """The result of one check; `problems` is empty if it passed."""

    name: str
    problems: list[str]


@record
class Checked:
    clean: bool
    checks: list[Check]


@record
class Repair:
    """`rows` counts the rows that the repair `name` changed."""

    name: str
    rows: int


@record
class Repaired:
    """What was repaired, and the result of the checks afterwards."""

    repairs: list[Repair]
    clean: bool
    checks: list[Check]


@record
class NodeInfo:
    """Public information: that this is a chatnode, and whether it still waits for its first administrator."""

    name: str
    version: str
    needs_setup: bool


@record
class NodeAddress:
    """`url` is absent if the node has no port, as in a program that mounts it."""

    url: str | None = None


@record
class NodeStatistics:
    people: int
    conversations: int
    messages: int
    head: int
    epoch: str
    live_sessions: int
    uptime_seconds: float
