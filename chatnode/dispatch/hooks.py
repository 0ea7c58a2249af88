"""What plugins add to requests. Without plugins every entry is empty, and costs a look at it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from chatnode.model.plugins import PluginStatus
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


class LivePlugins(Protocol):
    """The plugins of the node, as commands about them see it."""

    def statuses(self) -> list[PluginStatus]: ...


@attrs.define
class RequestHooks:
    """Both raise `Refusal`; set once, by `chatnode/hooks/manager.py`."""

    check_command: Callable[[Context, str, Any], Awaitable[None]] | None = None
    prepare_draft: Callable[[Context, Draft], Awaitable[None]] | None = None
