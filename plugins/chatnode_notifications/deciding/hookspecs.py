"""The hook that this plugin offers to others."""

from __future__ import annotations

from chatnode.api import Context, hookspec
from chatnode_notifications.deciding.proposal import Hold, Notify, Proposal, Quiet


@hookspec
async def should_notify(ctx: Context, note: Proposal) -> Notify | Quiet | Hold | None:  # pyright: ignore[reportReturnType]
    """Whether a user is to be notified of a message now. Asked for each message and recipient that the user's own
    settings let through, a few seconds after it was posted, and never before.

    Return `note.quiet("why")` to leave the message in the inbox without an alert, `note.hold(until)` to alert at
    `until`, in milliseconds and up to a day from now, and None or `note.notify()` to let it through. If several plugins
    disagree, quiet wins, then the latest hold. An implementation that fails lets it through.
    """
