"""What plugins add to requests. An entry that no plugin uses costs one lookup."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from chatnode.dispatch.caller import Caller
from chatnode.storage.messages.messages import Draft


@attrs.frozen
class Allow:
    """The plugin allows the command."""


@attrs.frozen
class Deny:
    """The plugin refuses the command, with a code from `chatnode.errors` and a message for the user."""

    reason: str
    code: str = "forbidden"


Verdict = Allow | Deny


@attrs.define
class RequestHooks:
    """Plugins' checks before a command runs; both raise `Refusal`. None: no plugin has any."""

    check_command: Callable[[Caller, str, Any], Awaitable[None]] | None = None
    prepare_draft: Callable[[Caller, Draft], Awaitable[None]] | None = None
