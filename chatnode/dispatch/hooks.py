"""What plugins add to requests. Without plugins every entry is empty, and costs a look at it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from chatnode.model.plugins import ConsumerStatus, PluginStatus, SetAside, TaskStatus
from chatnode.storage.messages import Draft

if TYPE_CHECKING:
    from chatnode.dispatch.context import Context


@attrs.frozen
class Allow:
    """As far as this plugin goes, the command may be carried out."""


@attrs.frozen
class Deny:
    """The command is refused, with a code of `chatnode.errors` and words for people."""

    reason: str
    code: str = "forbidden"


Verdict = Allow | Deny


Probe = Callable[[], Awaitable[Mapping[str, Any] | None]]


@attrs.frozen
class Figure:
    """A metric of a plugin's: counted, or asked for with `value`."""

    plugin: str
    name: str
    help: str
    value: Callable[[], Awaitable[float]] | None

    @property
    def shown(self) -> str:
        """The name in the metrics; of what is counted it ends in _total."""
        name = f"chatnode_{self.plugin}_{self.name}"
        return f"{name}_total" if self.value is None and not name.endswith("_total") else name


class LivePlugins(Protocol):
    """The plugins of the node, as commands about them see it."""

    def statuses(self) -> list[PluginStatus]: ...

    def probes(self) -> dict[str, Probe]:
        """What each plugin that has a word on its health is asked for it."""
        ...

    def figures(self) -> list[Figure]:
        """What plugins add to the metrics."""
        ...

    async def ask_figure(self, figure: Figure) -> float | None:
        """Its value now; None when the plugin failed or took too long, which was reported."""
        ...


class LiveConsumers(Protocol):
    """The consumers of the plugins that run."""

    def statuses(self) -> list[ConsumerStatus]: ...

    def check(self, plugin: str, consumer: str) -> None:
        """Raises `Refusal("not_found")` when no such consumer runs."""
        ...

    def moved(self, plugin: str, consumer: str) -> None:
        """Its cursor was set in the database."""
        ...

    def forgotten(self, entry: SetAside) -> None:
        """A row that was set aside was taken off the list."""
        ...

    async def retry(self, entry: SetAside) -> str | None:
        """Give the consumer the row once more; gives how it failed. Raises `Refusal`."""
        ...


class LiveTasks(Protocol):
    """The tasks of the plugins that run."""

    def statuses(self) -> list[TaskStatus]: ...


@attrs.define
class RequestHooks:
    """Both raise `Refusal`; set once, by `chatnode/hooks/manager.py`."""

    check_command: Callable[[Context, str, Any], Awaitable[None]] | None = None
    prepare_draft: Callable[[Context, Draft], Awaitable[None]] | None = None
