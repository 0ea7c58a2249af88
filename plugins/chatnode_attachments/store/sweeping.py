"""Stray files: what a kill left that no row knows of, and what a restored backup does not know any more."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from chatnode.api import Context, Querying, Transaction, json_array, now_ms, record, sync_directory
from chatnode_attachments.store.content import Thread
from chatnode_attachments.store.layout import Layout

DAY_SECONDS = 86_400.0
"""Seconds for which a stray file is kept after a sweep first found it, however old it is: a request may be about to add
its row, and an operator who restored the wrong backup still needs the files that the backup does not know."""

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
    """The files of one directory that sweeps have found to be stray for `older_than` seconds."""
    strays = _strays(reader, tree, directory)
    rows = reader.execute(
        "SELECT s.name FROM json_each(?) i CROSS JOIN attachments_strays s ON s.tree = ? AND s.name = i.value "
        "WHERE s.since <= ?",
        (json_array(strays), tree, now_ms() - int(older_than * 1_000)),
    )
    return [strays[name] for (name,) in rows.fetchall()]


def _strays(reader: Querying, tree: str, directory: Path) -> dict[str, Stray]:
    """By name: those that no row knows of now."""
    files = {path.name: Stray(path, size) for path, size in _files(directory)}
    rows = reader.execute(
        "SELECT i.value FROM json_each(?) i "  # noqa: S608 -- constants
        "WHERE NOT EXISTS (SELECT 1 FROM attachments_trash t WHERE t.name = i.value) "
        f"AND NOT EXISTS ({_KNOWN[tree]})",
        (json_array(files),),
    )
    return {name: files[name] for (name,) in rows.fetchall()}


def _files(directory: Path) -> Iterator[tuple[Path, int]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield Path(entry.path), entry.stat(follow_symlinks=False).st_size


async def sweep(ctx: Context, layout: Layout, run: Thread, older_than: float = DAY_SECONDS) -> list[Stray]:
    """Note stray files, one directory after the other, and remove those that earlier sweeps noted; returns them."""
    at = now_ms()
    swept: list[Stray] = []
    for tree, directory in await run(lambda: list(layout.folders())):
        strays = await ctx.read(lambda reader, tree=tree, directory=directory: _strays(reader, tree, directory))
        if strays:
            await ctx.write(lambda tx, tree=tree, strays=strays: _note(tx, tree, strays, at), repeatable=True)
            swept += await _remove(ctx, tree, directory, run, older_than)
    if await ctx.read(lambda reader: reader.execute(_OTHERS.format("SELECT 1"), (at,)).fetchone()):
        await ctx.write(lambda tx: tx.execute(_OTHERS.format("DELETE"), (at,)), repeatable=True)
    return swept


_OTHERS = "{} FROM attachments_strays WHERE swept_at <> ?"
"""Files that a sweep did not find to be stray: a row knows them, or they are gone."""


def _note(tx: Transaction, tree: str, names: Iterable[str], at: int) -> None:
    tx.execute(
        "INSERT INTO attachments_strays (tree, name, since, swept_at) SELECT :tree, value, :at, :at "
        "FROM json_each(:names) WHERE true ON CONFLICT (tree, name) DO UPDATE SET swept_at = excluded.swept_at",
        {"tree": tree, "at": at, "names": json_array(names)},
    )


async def _remove(ctx: Context, tree: str, directory: Path, run: Thread, older_than: float) -> list[Stray]:
    strays = await ctx.read(lambda reader: strays_in(reader, tree, directory, older_than))
    if strays:
        ctx.log.warning("removing %s stray files from %s", len(strays), tree)
        await run(lambda: _unlink(directory, strays))
    return strays


def _unlink(directory: Path, strays: Sequence[Stray]) -> None:
    for stray in strays:
        stray.path.unlink(missing_ok=True)
    sync_directory(directory)
