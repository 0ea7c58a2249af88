"""What plugins add to requests. An entry that no plugin uses costs one lookup."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.model.metadata import foreign_key
from chatnode.model.records import record
from chatnode.storage.messages.posting import Draft


@record(frozen=True)
class Allow:
    """The plugin allows the command."""


@record(frozen=True)
class Deny:
    """The plugin refuses the command, with a code from `chatnode.errors` and a message for the user."""

    reason: str
    code: str = "forbidden"


Verdict = Allow | Deny


@record(frozen=True)
class RequestCheck:
    """Plugins' check of a command before it is carried out: `run` raises `Refusal`. Only for a command that `wants`."""

    run: Callable[[Caller, Any], Awaitable[None]]
    wants: Callable[[Any], bool]


def _no_check(command: str) -> RequestCheck | None:
    return None


def _no_draft(draft: Draft) -> bool:
    return False


@record
class RequestHooks:
    """Plugins' checks before a command runs.

    `check_of` returns the check for commands with a name, None if no plugin wants it. `prepare_draft` changes a draft
    or raises `Refusal`; it is None if no plugin has one. Call it only for a draft that `wants_draft` accepts.
    """

    check_of: Callable[[str], RequestCheck | None] = _no_check
    prepare_draft: Callable[[Caller, Draft], Awaitable[None]] | None = None
    wants_draft: Callable[[Draft], bool] = _no_draft
    plugins: frozenset[str] = frozenset()
    """Names of the plugins that are installed or have run here, also of those that are disabled."""

    def refusal_of(self, metadata: Mapping[str, str], writer: str | None) -> Refusal | None:
        """Why `writer`, a plugin or None for any client, may not write this metadata."""
        found = foreign_key(metadata, self.plugins, writer)
        if found is None:
            return None
        key, owner = found
        return Refusal("invalid", f"only the plugin {owner} may write {key}", path="metadata")
