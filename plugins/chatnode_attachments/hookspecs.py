"""Hooks that this plugin offers to those that require it."""

from __future__ import annotations

from chatnode.api import Account, Context, Verdict, hookspec


@hookspec(failure="refuse")
async def may_download(ctx: Context, account: Account, file: str, used_by: str | None) -> Verdict | None:
    """Whether a user may have a file, by its id, or a thumbnail of it. Asked for every request, also by a signed link.

    For the file of a message, and for one that was not posted, it is asked after the plugin itself found that the user
    may have it; a `Deny` refuses. A file that something else of the node uses is served only if an implementation
    returns `Allow`, and none a `Deny`: the plugin named in `used_by` judges its own. None says nothing.
    """
    raise AssertionError("only implementations are called")
