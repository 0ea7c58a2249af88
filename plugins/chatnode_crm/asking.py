"""Who asks."""

from __future__ import annotations

from chatnode.api import Context


def actor_of(ctx: Context) -> int | None:
    """The key of the requesting user, for what is recorded of a change; None for the operator."""
    return ctx.account.key if ctx.account is not None else None
