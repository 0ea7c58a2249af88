"""What plugins add to requests. Without plugins every entry is empty, and costs one look at it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.model.metadata import foreign_key
from chatnode.storage.messages.messages import Draft


@attrs.frozen
class Allow:
    """As far as this plugin goes, the command may be carried out."""


@attrs.frozen
class Deny:
    """The command is refused, with a code of `chatnode.errors` and words for people."""

    reason: str
    code: str = "forbidden"


Verdict = Allow | Deny


Check = Callable[[Caller, Any], Awaitable[None]]
"""What is asked before a command is carried out: it gets the command, and raises `Refusal`."""


def _no_check(command: str) -> Check | None:
    return None


def _no_draft(draft: Draft) -> bool:
    return False


@attrs.define
class RequestHooks:
    """What plugins look at before a command is carried out.

    `check_of` gives what is asked before commands of a name, None if no plugin wants to be. `prepare_draft` changes a
    draft or raises `Refusal`; it is None without plugins that do, and to be called only for what `wants_draft`.
    """

    check_of: Callable[[str], Check | None] = _no_check
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
        return Refusal("invalid", f"{key} is for the plugin {owner} alone to write", path="metadata")
