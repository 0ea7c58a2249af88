"""Hooks that this plugin offers to others."""

from __future__ import annotations

from chatnode.api import Account, Allow, Context, Deny, hookspec
from chatnode_attachments.store.rows import FileRow


@hookspec
async def may_upload(
    ctx: Context, person: Account, name: str, declared: str, length: int | None
) -> Allow | Deny | None:  # pyright: ignore[reportReturnType]
    """Allow or refuse an upload before it begins. `declared` is the type that the client claims; `length` is None if
    the client does not know it yet. None is no opinion."""


@hookspec
async def file_stored(ctx: Context, file: FileRow) -> None:
    """A file was stored; it is not posted yet. Not called again if the node was killed at this moment."""


@hookspec
async def file_gone(ctx: Context, file: str) -> None:
    """The file with this id is gone, with its message or its uploader, or because it was not posted. Called at least
    once."""
