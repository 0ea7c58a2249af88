"""What command handlers work with: the node without its connections."""

from __future__ import annotations

from collections import ChainMap
from math import inf
from typing import Any, TypeVar

import attrs
import trio

from chatnode.addresses import parse_url
from chatnode.config import Config, Server
from chatnode.dispatch.limits import KeyedLocks, Rate, Turns
from chatnode.errors import Refusal
from chatnode.metrics import Metrics
from chatnode.model import permissions
from chatnode.model.records import record
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.filters.collection import Collections

P = TypeVar("P")
S = TypeVar("S")
RATES = frozenset({"posts", "changes", "logins", "reports", "statuses", "typing", "invocations", "bots"})
"""The rate limits that the node's own commands use."""
LONG_READS = 2
"""Snapshots that may be open at a time (`Caller.snapshot`)."""


def base_path_of(server: Server) -> str:
    """The path below which users reach the node, without a slash at its end; empty for the root."""
    return server.base_path or (parse_url(server.public_url).path if server.public_url else "")


def public_url_of(server: Server) -> str:
    """`server.public_url` with the base path; empty if it is not set."""
    return server.public_url and parse_url(server.public_url).origin + base_path_of(server)


@record
class Core:
    """One per node. `roles` maps a role to its permissions; `base_url` is the URL at which users reach the node;
    empty while the port is unknown, before the node serves.

    `collections` are what `items.query` can ask for; more may be added before the node serves. Everything that is
    built on top of the core is one of its parts, found by its class.
    """

    config: Config
    db: Database
    epoch: str
    roles: dict[str, frozenset[str]]
    base_url: str = ""
    collections: Collections = attrs.field(factory=Collections)
    started_at: float = attrs.field(factory=trio.current_time)
    requests: Rate = attrs.field(init=False)
    logins: Rate = attrs.field(init=False)
    rates: dict[str, Rate] = attrs.field(init=False)
    """By the name that a command gives as its `limit`."""
    bot_rates: ChainMap[str, Rate] = attrs.field(init=False)
    """The same for bots, which have some limits of their own."""
    hashers: trio.CapacityLimiter = attrs.field(init=False)
    slow_seconds: float = attrs.field(init=False)
    own_url: str = attrs.field(init=False, default="")
    """Where programs on this machine reach the port; empty while the node has none."""
    base_path: str = attrs.field(init=False)
    """The path below which users reach the node; a proxy may name another one."""
    own_origins: frozenset[str] = attrs.field(init=False)
    """Origins whose pages may use the cookie, whatever Host a request names."""
    metrics: Metrics = attrs.field(factory=Metrics)
    requests_at_last_look: int = attrs.field(init=False, default=0)
    requests_at_rest: int = attrs.field(init=False, default=-1)
    """How many requests there had been when memory was last given back (`services/memory.py`)."""
    changing_roles: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    queries: Turns = attrs.field(init=False)
    long_reads: trio.CapacityLimiter = attrs.field(init=False)
    preparing: KeyedLocks = attrs.field(init=False, factory=KeyedLocks)
    """Messages that plugins are preparing now, by (sender's key, cid)."""
    _parts: dict[type, Any] = attrs.field(init=False, factory=dict[type, Any])
    states: dict[type, Any] = attrs.field(init=False, factory=dict[type, Any])
    """Plugins' states while the node is open, by class."""
    of_plugins: dict[type, Any] = attrs.field(init=False, factory=dict[type, Any])
    """The settings of plugins, by their class."""

    def __attrs_post_init__(self) -> None:
        limits = self.config.limits
        self.requests = Rate("requests", limits.requests_per_minute)
        self.logins = Rate("sign-in attempts", limits.logins_per_minute)
        self.rates = {
            "posts": Rate("messages", limits.posts_per_minute),
            "changes": Rate("changes", limits.changes_per_minute),
            "logins": self.logins,
            "reports": Rate("reports", limits.reports_per_minute),
            "statuses": Rate("status changes", limits.statuses_per_minute),
            "typing": Rate("typing notices", limits.typing_per_minute),
            "invocations": Rate("slash commands and buttons", limits.invocations_per_minute),
            "bots": Rate("creating and ending bots", limits.bots_per_minute),
        }
        self.bot_rates = ChainMap({"posts": Rate("messages", limits.bot_posts_per_minute)}, self.rates)
        self.queries = Turns(max(1, self.config.storage.readers - 1))
        self.long_reads = trio.CapacityLimiter(LONG_READS)
        self.hashers = trio.CapacityLimiter(self.config.accounts.password_hashers)
        self.slow_seconds = self.config.logs.slow_ms / 1000 or inf
        self.base_path = base_path_of(self.config.server)
        public = self.config.server.public_url
        self.own_origins = frozenset([*self.config.server.origins, *([parse_url(public).origin] if public else [])])

    @property
    def directory(self) -> DataDirectory:
        """The node's data directory."""
        return DataDirectory(self.db.path.parent)

    @property
    def permissions(self) -> dict[str, str]:
        """All permissions, plugins' included, with their meanings."""
        return {**permissions.PERMISSIONS, **self.db.additions.permissions}

    def add(self, *parts: object) -> None:
        """Add parts, found by their classes. Raises `ValueError` if there is already a part of the class."""
        for part in parts:
            if type(part) in self._parts:
                raise ValueError(f"the node already has a {type(part).__name__}")
            self._parts[type(part)] = part

    def part(self, kind: type[P]) -> P:
        """The node's part of this class. Raises `LookupError` if there is none."""
        try:
            return self._parts[kind]
        except KeyError:
            raise LookupError(f"the node has no {kind.__name__}") from None

    def state(self, kind: type[S]) -> S:
        """A plugin's state, by its class. Raises `Refusal("unavailable")` while it is not open."""
        if kind not in self.states:
            raise Refusal("unavailable", f"the node has no {kind.__name__} now", retry_after=5)
        return self.states[kind]

    def link(self, kind: str, code: str) -> str:
        """A link to the node's page with a code. Raises `Refusal` while the node's URL is unknown."""
        if not self.base_url:
            raise Refusal(
                "unavailable",
                "links need the node's URL, which is unknown before it serves and where it is mounted; "
                "set server.public_url",
            )
        return f"{self.base_url}/#{kind}={code}"

    def settings(self, kind: type[S]) -> S:
        """The settings of a plugin, by their class."""
        return self.of_plugins[kind]
