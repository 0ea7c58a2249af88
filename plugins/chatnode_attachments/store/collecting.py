"""The collector: removes what nobody refers to any more. It can be killed anywhere.

References are counted by the index of `attachments_files`, not in a column, so no counter can drift. No lock is
needed: the database's writer orders "use this content again" against "remove this content", and because names are
never used twice, an unlink cannot hit a content that was stored since.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from chatnode.api import DAY_MS, HOUR_MS, Context, Querying, Transaction, counted, record, sync_directory
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.store import uploads
from chatnode_attachments.store.content import Thread
from chatnode_attachments.store.files import remove_bytes
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.locks import Locks
from chatnode_attachments.store.rows import UPLOAD, Upload

BATCH = 500
"""Rows of one transaction, so that no message waits for long."""


@record
class CollectedFiles:
    """What one run removed. `shared` contents lost a file and have others; `left` files could not be removed yet."""

    uploads: int = 0
    files: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    shared: int = 0
    unlinked: int = 0
    bytes: int = 0
    left: int = 0

    def __str__(self) -> str:
        return (
            f"removed {counted(self.unlinked, 'file')} of {counted(self.bytes, 'byte')}, "
            f"{counted(self.blobs, 'content')}, {counted(self.files, 'unposted file')} "
            f"and {counted(self.uploads, 'upload')}"
        )


class Collector:
    """Removes expired uploads, files that were not posted, contents without a file, and what is in the trash."""

    def __init__(
        self, layout: Layout, settings: AttachmentsSettings, locks: Locks, run: Thread,
        backup_running: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._layout = layout
        self._settings = settings
        self._locks = locks
        self._run = run
        self._backup_running = backup_running
        self._one_at_a_time = trio.Lock()

    async def collect(self, ctx: Context) -> CollectedFiles:
        """Everything that is due now. While a backup runs, contents stay where they are, and are `left`."""
        done = CollectedFiles()
        async with self._one_at_a_time:
            while await ctx.write(self._expire(done)):
                pass
            while await ctx.write(lambda tx: _remove_unposted(tx, self._settings.unposted_hours, done)):
                pass
            while await ctx.write(lambda tx: _remove_loose(tx, done)):
                pass
            await self._empty_trash(ctx, done)
            while await _tell(ctx):
                pass
        return done

    def _expire(self, done: CollectedFiles) -> Callable[[Transaction], bool]:
        busy = self._locks.ids()

        def expire(tx: Transaction) -> bool:
            ended = tx.execute(
                "DELETE FROM attachments_uploads WHERE key IN (SELECT key FROM attachments_uploads "
                "WHERE state IN ('done', 'gone') AND expires_at <= ? LIMIT ?)",
                (tx.now, BATCH),
            ).rowcount
            rows = tx.execute(
                f"SELECT {UPLOAD} FROM attachments_uploads WHERE state = 'open' AND expires_at <= ? "  # noqa: S608
                "ORDER BY expires_at LIMIT ?",
                (tx.now, BATCH),
            ).fetchall()
            expired = [upload for upload in (Upload(*row) for row in rows) if upload.id not in busy]
            for upload in expired:
                uploads.end(tx, upload)
            done.uploads += len(expired)
            return ended == BATCH or len(expired) == BATCH

        return expire

    async def _empty_trash(self, ctx: Context, done: CollectedFiles) -> None:
        after: str | None = ""
        while after is not None:
            after = await self._empty_some(ctx, after, done)
        if done.bytes:
            ctx.count("bytes_removed", done.bytes)

    async def _empty_some(self, ctx: Context, after: str, done: CollectedFiles) -> str | None:
        """The name to continue after; None when nothing is left."""
        batch = await ctx.read(lambda reader: _trash(reader, after))
        keep = ("blobs", "derived") if self._backup_running() else ()
        taken = [(name, tree) for name, tree in batch if tree not in keep]
        done.left += len(batch) - len(taken)
        unlinked = await self._run(lambda: self._unlink(ctx, taken, done))
        if unlinked:
            await ctx.write(lambda tx: tx.executemany("DELETE FROM attachments_trash WHERE name = ?", unlinked))
        return batch[-1][0] if len(batch) == BATCH else None

    def _unlink(self, ctx: Context, files: Sequence[tuple[str, str]], done: CollectedFiles) -> list[tuple[str]]:
        """Those that are not there any more, for certain."""
        gone: list[tuple[str]] = []
        touched: Path | None = None
        for name, tree in files:
            path = self._layout.in_tree(tree, name)
            try:
                size = path.stat().st_size
                path.unlink()
                touched = path.parent
                done.unlinked += 1
                done.bytes += size
            except FileNotFoundError:
                pass
            except OSError as error:
                ctx.log.error("a file could not be removed; it is tried again later: %s", error)
                done.left += 1
                continue
            gone.append((name,))
        if touched is not None:
            # Journals of file systems keep the order: with the last removal, all of them are on disk. Where they do
            # not, a power loss brings files back that no row knows of, and the sweep removes them.
            sync_directory(touched)
        return gone


async def _tell(ctx: Context) -> bool:
    """Tell other plugins which files are gone; at least once, should the node be killed in between."""
    rows = await ctx.read(
        lambda reader: reader.execute(
            "SELECT key, file FROM attachments_gone ORDER BY key LIMIT ?", (BATCH,)
        ).fetchall()
    )
    for _, file in rows:
        await ctx.ask("file_gone", file=file)
    if rows:
        last = rows[-1][0]
        await ctx.write(lambda tx: tx.execute("DELETE FROM attachments_gone WHERE key <= ?", (last,)), repeatable=True)
    return len(rows) == BATCH


def _trash(reader: Querying, after: str) -> list[tuple[str, str]]:
    """What is to be unlinked. Never a content that a row says is there."""
    return reader.execute(
        "SELECT name, tree FROM attachments_trash t WHERE name > ? AND NOT EXISTS "
        "(SELECT 1 FROM attachments_blobs b WHERE b.name = t.name AND b.place = 'local') ORDER BY name LIMIT ?",
        (after, BATCH),
    ).fetchall()


def _remove_unposted(tx: Transaction, hours: int, done: CollectedFiles) -> bool:
    """Not soon after a restore: they may have been posted after the backup, and the restore may be undone."""
    if tx.execute("SELECT 1 FROM attachments_restored WHERE at > ?", (tx.now - DAY_MS,)).fetchone():
        return False
    removed = tx.execute(
        "DELETE FROM attachments_files WHERE key IN (SELECT key FROM attachments_files "
        "WHERE message IS NULL AND used_by IS NULL AND created_at <= ? LIMIT ?)",
        (tx.now - hours * HOUR_MS, BATCH),
    ).rowcount
    done.files += removed
    return removed == BATCH


def _remove_loose(tx: Transaction, done: CollectedFiles) -> bool:
    """Contents that lost a file: those without any are removed. The row of an unsafe or withdrawn one stays, so that
    the same content is so at once when it is uploaded again."""
    rows = tx.execute(
        "SELECT key, bytes, scan = 'unsafe' OR quarantined = 1, "
        "EXISTS (SELECT 1 FROM attachments_files f WHERE f.blob = b.key), "
        "EXISTS (SELECT 1 FROM attachments_files f WHERE f.blob = b.key AND f.removed_at IS NULL) "
        "FROM attachments_blobs b WHERE loose = 1 ORDER BY key LIMIT ?",
        (BATCH,),
    ).fetchall()
    for key, size, known_bad, any_file, live_file in rows:
        if live_file:
            done.shared += 1
        elif remove_bytes(tx, key):
            done.blobs += 1
            done.blob_bytes += size
        if any_file or known_bad:
            tx.execute("UPDATE attachments_blobs SET loose = 0 WHERE key = ?", (key,))
        else:
            tx.execute("DELETE FROM attachments_blobs WHERE key = ?", (key,))
    return len(rows) == BATCH
