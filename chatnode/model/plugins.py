"""The status of plugins and their parts."""

from __future__ import annotations

from typing import Literal

from chatnode.model.records import record

PluginState = Literal["running", "disabled", "broken"]


@record
class PluginStatus:
    """An installed plugin. `reason`: why it is broken. `failures` counts hooks that failed or took too long,
    `held_thread` how often it held the node's thread for longer than `plugins.thread_seconds`. `at_next_start`: its
    state after the next start, if it was enabled or disabled since this one. `bots`: handles of the accounts it made
    for itself.
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
    held_thread: int = 0
    last_held: str | None = None


@record(frozen=True)
class ConsumerStatus:
    """A consumer's position: `behind` rows of the log are still to be read. `failing`: what it fails on now, and
    how."""

    plugin: str
    consumer: str
    cursor: int
    behind: int
    set_aside: int
    failing: str | None = None


@record(frozen=True)
class SetAside:
    """A row of the log that a consumer set aside after repeated failures."""

    entry: int
    plugin: str
    consumer: str
    gid: int
    kind: str
    tries: int
    error: str
    at: str


@record(frozen=True)
class TaskStatus:
    """A continuous task of a plugin. `restarts` counts how often it ended, with or without a failure."""

    plugin: str
    task: str
    running: bool
    restarts: int = 0
    failures: int = 0
    last_failure: str | None = None
