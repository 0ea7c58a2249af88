"""The store in backups, restores, repairs and receipts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chatnode.api import Context, Reader, RemovalNote, RestoreNote, StoredFile, Transaction
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.checking import problems, repair_all
from chatnode_attachments.store.sweeping import sweep
from chatnode_attachments.store.uploads import KEPT_MS

_PLACES = (
    ("blobs", "SELECT name, bytes, sha256 FROM attachments_blobs WHERE place = 'local' ORDER BY key"),
    ("derived", "SELECT name, bytes, sha256 FROM attachments_derived ORDER BY key"),
)


def stored_files(reader: Reader) -> Iterable[StoredFile]:
    """Every content and thumbnail. Uploads in progress are not in backups."""
    for tree, sql in _PLACES:
        for name, size, sha256 in reader.execute(sql):
            yield StoredFile(f"{tree}/{name[:2]}/{name}", size, sha256)


def after_restore(tx: Transaction, note: RestoreNote) -> None:
    """Uploads in progress are over, and the files that could not be restored are missing. Nothing that the backup does
    not know, or did not know to be posted, is removed for a day."""
    tx.execute("DELETE FROM attachments_strays")
    tx.execute(
        "INSERT INTO attachments_restored (key, at) VALUES (1, ?) ON CONFLICT DO UPDATE SET at = ?", (tx.now,) * 2
    )
    tx.execute(
        "INSERT INTO attachments_trash (name, tree, at) SELECT id, 'incoming', ? FROM attachments_uploads "
        "WHERE state IN ('open', 'finishing') ON CONFLICT (name) DO NOTHING",
        (tx.now,),
    )
    tx.execute(
        "UPDATE attachments_uploads SET state = 'gone', reserved = 0, touched_at = ?, expires_at = ? "
        "WHERE state IN ('open', 'finishing')",
        (tx.now, tx.now + KEPT_MS),
    )
    names = [(path.rsplit("/", 1)[-1],) for path in note.missing]
    tx.executemany("UPDATE attachments_blobs SET place = 'missing' WHERE name = ? AND place = 'local'", names)
    tx.executemany("DELETE FROM attachments_derived WHERE name = ?", names)


async def after_removal(ctx: Context, note: RemovalNote) -> Mapping[str, int]:
    """Remove the bytes now. `shared` contents stay, because other files have them too; `left` files wait for a backup
    that is running."""
    done = await ctx.state(Attachments).collector.collect(ctx)
    return {"contents": done.blobs, "bytes": done.blob_bytes, "shared": done.shared, "left": done.left}


async def repair(ctx: Context) -> Mapping[str, int]:
    """Count again, mark what is missing, and remove stray files."""
    here = ctx.state(Attachments)
    found = await ctx.query(lambda reader: list(problems(reader, here.layout)), seconds=0)
    repaired = await repair_all(ctx, found, here.scans.changed)
    swept = await sweep(ctx, here.layout, here.store.run)
    return {"repairs": repaired, "stray_files": len(swept)}
