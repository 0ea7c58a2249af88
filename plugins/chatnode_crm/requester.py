"""Who asks, and what they may still do when work begins that they asked for."""

from __future__ import annotations

from chatnode.api import Context, Refusal, Work


def actor_of(ctx: Context) -> int | None:
    """The key of the requesting user, for what is recorded of a change; None for the operator."""
    return ctx.account.key if ctx.account is not None else None


async def check_owner(ctx: Context, work: Work, *permissions: str) -> None:
    """At the start of each run: work may have been paused, scheduled, or tried again, for long. The operator's is
    always allowed.

    Raises `Refusal("forbidden")`, with which the work fails, if its owner has lost one of the permissions.
    """
    for permission in permissions if work.owner is not None else ():
        if all(each.key != work.owner for each in await ctx.holders(permission)):
            raise Refusal("forbidden", f"the user whose work this is may no longer do it: it needs {permission}")
