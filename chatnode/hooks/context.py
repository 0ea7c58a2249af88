"""What a plugin works with outside of requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from logging import LoggerAdapter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from chatnode.dispatch.core import Core
from chatnode.logs import get_logger
from chatnode.routing.presence import PresenceBoard
from chatnode.storage.transaction import Read, Write

if TYPE_CHECKING:
    from logging import Logger

T = TypeVar("T")
S = TypeVar("S")


class Ask(Protocol):
    """Calls a hook that some plugin offers; gives what the implementations gave."""

    async def __call__(self, hook: str, /, **arguments: Any) -> list[Any]: ...


class PluginContext:
    """The node, as one of its plugins sees it: in tasks, consumers, `node_started`, health and metrics."""

    def __init__(self, core: Core, name: str, call: Callable[..., Awaitable[Any]], ask: Ask) -> None:
        self._core = core
        self.name = name
        self._call = call
        self._ask = ask
        self.log: Logger | LoggerAdapter[Logger] = get_logger(f"plugins.{name}")
        """The plugin's log. Never write there what people said."""

    @property
    def base_url(self) -> str:
        """How people reach the node, without a slash at the end."""
        return self._core.base_url

    def settings(self, kind: type[S]) -> S:
        """The plugin's settings, by their class."""
        return self._core.settings(kind)

    async def read(self, function: Read[T]) -> T:
        """Run `function` with a reader, in a snapshot of the database, in a thread."""
        return await self._core.db.read(function)

    async def write(self, function: Write[T]) -> T:
        """Run `function` in a transaction; returns when what it did is on disk. Cancelling ends only the waiting."""
        return await self._core.db.write(function)

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command as the operator; gives its result as plain values. Raises `Refusal`."""
        return await self._call(name, **fields)

    def is_online(self, person: int) -> bool:
        """Whether the person with this key has a live session. Who may know is for the caller to see to."""
        return self._core.part(PresenceBoard).is_online(person)

    def count(self, metric: str, amount: float = 1) -> None:
        """Count up a metric that the plugin declares."""
        self._core.metrics.count(self.name, metric, amount)

    async def ask(self, hook: str, /, **arguments: Any) -> list[Any]:
        """Call a hook that this plugin offers with `add_hookspecs`; what failed is left out, and reported."""
        return await self._ask(hook, **arguments)
