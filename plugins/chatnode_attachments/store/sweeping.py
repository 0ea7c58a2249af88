"""Stray files: what a kill left that no row knows of, and what a restored backup does not know any more."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from chatnode.api import Context, Querying, json_array, record, sync_directory
from chatnode_attachments.store.content import Thread
from chatnode_attachments.store.layout import Layout

DAY_SECONDS = 86_400.0
"""A stray file stays for so many seconds: a request may just be about to add its row."""

_KNOWN = {
    "blobs": "SELECT name FROM attachments_blobs WHERE name = i.value AND place <> 'removed' UNION ALL "
    "SELECT blob_name FROM attachments_uploads WHERE state IN ('open', 'finishing') AND blob_name = i.value",
    "derived": "SELECT name FROM attachments_derived WHERE name = i.value",
    "incoming": "SELECT id FROM attachments_uploads WHERE id = i.value AND state IN ('open', 'finishing')",
    "work": "SELECT name FROM attachments_trash WHERE name IS NULL",
}


@record(frozen=True)
class Stray:
    """A file that no row knows of."""

    path: Path
    bytes: int


def strays_in(reader: Querying, tree: str, directory: Path, older_than: float) -> list[Stray]:
    """The stray files of one directory that have not changed for `older_than` seconds."""
    old = {path.name: Stray(path, size) for path, size in _old_files(directory, older_than)}
    rows = reader.execute(
        "SELECT i.value FROM json_each(?) i "  # noqa: S608 -- constants
        "WHERE NOT EXISTS (SELECT 1 FROM attachments_trash t WHERE t.name = i.value) "
        f"AND NOT EXISTS ({_KNOWN[tree]})",
        (json_array(old),),
    )
    return [old[name] for (name,) in rows.fetchall()]


def _old_files(directory: Path, older_than: float) -> Iterator[tuple[Path, int]]:
    before = time.time() - older_than
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                found = entry.stat(follow_symlinks=False)
                if found.st_ctime <= before:
                    yield Path(entry.path), found.st_size


async def sweep(ctx: Context, layout: Layout, run: Thread, older_than: float = DAY_SECONDS) -> list[Stray]:
    """Remove stray files, one directory after the other; returns them."""
    swept: list[Stray] = []
    for tree, directory in await run(lambda: list(layout.folders())):
        swept += await _sweep(ctx, tree, directory, run, older_than)
    return swept


async def _sweep(ctx: Context, tree: str, directory: Path, run: Thread, older_than: float) -> list[Stray]:
    strays = await ctx.read(lambda reader: strays_in(reader, tree, directory, older_than))
    if strays:
        ctx.log.warning("removing %s stray files from %s", len(strays), tree)
        await run(lambda: _unlink(directory, strays))
    return strays


def _unlink(directory: Path, strays: Sequence[Stray]) -> None:
    for stray in strays:
        stray.path.unlink(missing_ok=True)
    sync_directory(directory)
