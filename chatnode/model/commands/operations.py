"""The node itself."""

from __future__ import annotations

import attrs


@attrs.define
class Check:
    """What one check found; `problems` is empty when all is well."""

    name: str
    problems: list[str]


@attrs.define
class Checked:
    clean: bool
    checks: list[Check]


@attrs.define
class Repair:
    """`rows` of what `name` says were changed."""

    name: str
    rows: int


@attrs.define
class Repaired:
    """What was repaired, and what the checks find now."""

    repairs: list[Repair]
    clean: bool
    checks: list[Check]


@attrs.define
class NodeInfo:
    """For anybody: that this is a chatnode, and whether it still waits for its first administrator."""

    name: str
    version: str
    needs_setup: bool


@attrs.define
class NodeStatistics:
    people: int
    conversations: int
    messages: int
    head: int
    epoch: str
    live_sessions: int
    uptime_seconds: float
