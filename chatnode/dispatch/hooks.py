"""What plugins add to requests. Without plugins every entry is empty, and costs one look at it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from chatnode.dispatch.caller import Caller
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


@attrs.define
class RequestHooks:
    """What plugins look at before a command is carried out; both raise `Refusal`. None: no plugin does."""

    check_command: Callable[[Caller, str, Any], Awaitable[None]] | None = None
    prepare_draft: Callable[[Caller, Draft], Awaitable[None]] | None = None
