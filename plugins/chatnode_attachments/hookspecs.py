"""Hooks that this plugin offers to others."""

from __future__ import annotations

from pathlib import Path

from chatnode.api import Account, Allow, Context, Deny, Verdict, hookspec
from chatnode_attachments.store.rows import FileRow


@hookspec(failure="refuse")
async def may_upload(
    ctx: Context, person: Account, name: str, declared: str, length: int | None
) -> Allow | Deny | None:  # pyright: ignore[reportReturnType]
    """Allow or refuse an upload before it begins. `declared` is the type that the client claims; `length` is None if
    the client does not know it yet. None is no opinion."""


@hookspec
async def file_stored(ctx: Context, file: FileRow) -> None:
    """A file was stored; it is not posted yet. Not called again if the node was killed at this moment."""


@hookspec(failure="refuse")
async def may_download(ctx: Context, account: Account, file: str, used_by: str | None) -> Verdict | None:  # pyright: ignore[reportReturnType]
    """Whether a user may have a file, by its id, or a thumbnail of it. Asked for every request, also by a signed link.

    For the file of a message, and for one that was not posted, it is asked after the plugin itself found that the user
    may have it; a `Deny` refuses. A file that something else of the node uses is served only if an implementation
    returns `Allow`, and none a `Deny`: the plugin named in `used_by` judges its own. None is no opinion.
    """


@hookspec
async def file_gone(ctx: Context, file: str) -> None:
    """The file with this id is gone, with its message or its uploader, or because it was not posted. Called at least
    once."""


@hookspec(failure="refuse")
async def scan_file(ctx: Context, path: Path) -> Allow | Deny:  # pyright: ignore[reportReturnType]
    """Scan a file that clamd found clean. All implementations must return `Allow` before anybody gets the file. With
    `Deny` it is removed at once; its reason is the name of what was found.

    Raise `Refusal("unavailable", …)` if there is no verdict yet, and it is called again later: so a scan that takes
    longer than `plugins.hook_seconds` can go on in the background. Called only while `clamd` is set. Do not change the
    file."""
