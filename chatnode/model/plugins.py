"""How plugins fare."""

from __future__ import annotations

from typing import Literal

import attrs

PluginState = Literal["running", "disabled", "broken"]


@attrs.define
class PluginStatus:
    """One installed plugin. `reason`: why it is broken. `failures`: how often a hook of it failed or took too long.

    `at_next_start`: what becomes of it then, where it was enabled or disabled since the node started. `bots`: handles
    of the accounts that it made for itself.
    """

    name: str
    version: str
    state: PluginState
    about: str = ""
    distribution: str = ""
    reason: str | None = None
    failures: int = 0
    last_failure: str | None = None
    at_next_start: Literal["enabled", "disabled"] | None = None
    bots: list[str] | None = None


@attrs.frozen
class ConsumerStatus:
    """How far a consumer is: `behind` rows of the log are before it. `failing`: what it fails on now, and how."""

    plugin: str
    consumer: str
    cursor: int
    behind: int
    set_aside: int
    failing: str | None = None


@attrs.frozen
class SetAside:
    """A row of the log that a consumer failed on again and again, and went on without."""

    entry: int
    plugin: str
    consumer: str
    gid: int
    kind: str
    tries: int
    error: str
    at: str


@attrs.frozen
class TaskStatus:
    """A task of a plugin's that runs on and on. `restarts`: how often it ended, by itself or by a failure."""

    plugin: str
    task: str
    running: bool
    restarts: int = 0
    failures: int = 0
    last_failure: str | None = None
