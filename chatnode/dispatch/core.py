"""What the handlers of commands work with: the node without its connections."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, TypeVar

import attrs
import trio

from chatnode.addresses import parse_url
from chatnode.config import Config
from chatnode.dispatch.hooks import LiveConsumers, LivePlugins, LiveTasks, RequestHooks
from chatnode.dispatch.jobs import JobRunner
from chatnode.dispatch.limits import KeyedLocks, Rate, Turns
from chatnode.dispatch.presence import LivePresence
from chatnode.errors import Refusal
from chatnode.metrics import Metrics
from chatnode.model import permissions
from chatnode.storage.database import Database
from chatnode.storage.filters.collection import Collections
from chatnode.storage.filters.collections import COLLECTIONS

S = TypeVar("S")
RATES = frozenset({"posts", "changes", "logins", "reports", "statuses", "typing"})
"""What the node's own commands name as their limit."""


@attrs.define
class Core:
    """One per node. `roles` maps a role to its permissions; `base_url` is where people reach the node, empty while
    nobody knows: the port is not picked before the node serves.

    `collections` are what `items.query` can ask for; more may be added before the node serves.
    `presence` is set by the node, which has the connections that it follows from.
    """

    config: Config
    db: Database
    epoch: str
    roles: dict[str, frozenset[str]]
    base_url: str = ""
    live_sessions: Callable[[], int] = lambda: 0
    collections: Collections = attrs.field(factory=lambda: Collections(COLLECTIONS))
    started_at: float = attrs.field(factory=trio.current_time)
    requests: Rate = attrs.field(init=False)
    logins: Rate = attrs.field(init=False)
    rates: dict[str, Rate] = attrs.field(init=False)
    """By the name that a command gives as its `limit`."""
    hashers: trio.CapacityLimiter = attrs.field(init=False)
    slow_seconds: float = attrs.field(init=False)
    own_origins: frozenset[str] = attrs.field(init=False)
    """Origins whose pages may use the cookie, whatever name a request says the node has."""
    metrics: Metrics = attrs.field(factory=Metrics)
    jobs: JobRunner = attrs.field(init=False)
    requests_at_last_look: int = attrs.field(init=False, default=0)
    requests_at_rest: int = attrs.field(init=False, default=-1)
    """How many requests there had been when memory was last given back (`services/memory.py`)."""
    changing_roles: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    queries: Turns = attrs.field(init=False)
    preparing: KeyedLocks = attrs.field(init=False, factory=KeyedLocks)
    """Messages that plugins are preparing now, by (sender's key, cid)."""
    presence: LivePresence = attrs.field(init=False)
    plugins: LivePlugins = attrs.field(init=False)
    consumers: LiveConsumers = attrs.field(init=False)
    tasks: LiveTasks = attrs.field(init=False)
    hooks: RequestHooks = attrs.field(init=False, factory=RequestHooks)
    of_plugins: dict[type, Any] = attrs.field(init=False, factory=dict[type, Any])
    """The settings of plugins, by their class."""

    def __attrs_post_init__(self) -> None:
        limits = self.config.limits
        self.requests = Rate("requests", limits.requests_per_minute)
        self.logins = Rate("attempts to sign in", limits.logins_per_minute)
        self.rates = {
            "posts": Rate("messages", limits.posts_per_minute),
            "changes": Rate("changes", limits.changes_per_minute),
            "logins": self.logins,
            "reports": Rate("reports", limits.reports_per_minute),
            "statuses": Rate("changes of status", limits.statuses_per_minute),
            "typing": Rate("signs of typing", limits.typing_per_minute),
        }
        self.queries = Turns(max(1, self.config.storage.readers - 1))
        self.hashers = trio.CapacityLimiter(self.config.accounts.password_hashers)
        self.jobs = JobRunner(self)
        self.slow_seconds = self.config.logs.slow_ms / 1000 or inf
        public = self.config.server.public_url
        self.own_origins = frozenset([*self.config.server.origins, *([parse_url(public).origin] if public else [])])

    @property
    def permissions(self) -> dict[str, str]:
        """Every permission there is, plugins' own too, with what it allows."""
        return {**permissions.PERMISSIONS, **self.db.hooks.permissions}

    def link(self, kind: str, code: str) -> str:
        """A link to the node's page that carries a code. Raises `Refusal` while it could not be opened."""
        if not self.base_url:
            raise Refusal("unavailable", "no link before the node serves: its port is not known; set server.public_url")
        return f"{self.base_url}/#{kind}={code}"

    def settings(self, kind: type[S]) -> S:
        """The settings of a plugin, by their class."""
        return self.of_plugins[kind]
