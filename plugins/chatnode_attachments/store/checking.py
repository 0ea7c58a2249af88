"""What may be wrong between the tables and the directory, and how to repair it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from chatnode.api import Context, Querying, Reader, Transaction, record
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.sink import digest_of
from chatnode_attachments.store.sweeping import DAY_SECONDS, strays_in

MOST = 100
"""Problems that are listed one by one."""
_PAGE = 1000


@record(frozen=True)
class StoreProblem:
    """Something that is wrong. `repair` sets the tables right; None where nothing can, or the sweep will.

    `content`: the key of the content whose files are shown differently then.
    """

    line: str
    repair: Callable[[Transaction], object] | None = None
    content: int | None = None


def check(reader: Reader, directory: Path) -> list[str]:
    """A line for each problem. The node itself looks whether every content and thumbnail has its file."""
    layout = Layout(directory)
    found = chain(_uploads(reader, layout), _strays(reader, layout), _sums(reader))
    lines = (each.line for each in found)
    return [line for line, _ in zip(lines, range(MOST), strict=False)]


def problems(reader: Reader, layout: Layout, *, deep: bool = False) -> Iterator[StoreProblem]:
    """Everything that is wrong. `deep` reads every file and compares its hash."""
    yield from _contents(reader, layout, deep)
    yield from _thumbnails(reader, layout)
    yield from _uploads(reader, layout)
    yield from _strays(reader, layout)
    yield from _sums(reader)


async def repair_all(ctx: Context, found: Iterable[StoreProblem], changed: Callable[[Transaction, int], object]) -> int:
    """Repair what can be repaired; returns the number of repairs. `changed` notifies the users who can see a content's
    files."""
    repaired = 0
    for each in found:
        if each.repair is not None:
            await ctx.write(partial(_repair, problem=each, repair=each.repair, changed=changed))
            repaired += 1
    return repaired


def _repair(
    tx: Transaction, problem: StoreProblem, repair: Callable[[Transaction], object],
    changed: Callable[[Transaction, int], object],
) -> None:  # fmt: skip
    repair(tx)
    if problem.content is not None:
        changed(tx, problem.content)


def _contents(reader: Querying, layout: Layout, deep: bool) -> Iterator[StoreProblem]:
    after = 0
    while rows := reader.execute(
        "SELECT key, name, bytes, sha256, place FROM attachments_blobs WHERE key > ? ORDER BY key LIMIT ?",
        (after, _PAGE),
    ).fetchall():
        for key, name, size, sha256, place in rows:
            path, after = layout.blob(name), key
            if place == "missing":
                yield StoreProblem(f"the content {name} is missing")
            elif place == "local" and (fault := _fault(path, size, sha256 if deep else None)):
                yield StoreProblem(f"the content {name} {fault}", partial(_mark_missing, key=key))


def _fault(path: Path, size: int, sha256: bytes | None) -> str | None:
    try:
        found = path.stat().st_size
        if found != size:
            return f"has {found} bytes instead of {size}"
        if sha256 is not None and digest_of(path) != sha256:
            return "has other bytes than were stored"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None


def _mark_missing(tx: Transaction, key: int) -> None:
    """Its files say so from now on; the same content is stored again when it is uploaded again."""
    tx.execute("UPDATE attachments_blobs SET place = 'missing' WHERE key = ? AND place = 'local'", (key,))


def _thumbnails(reader: Querying, layout: Layout) -> Iterator[StoreProblem]:
    after = 0
    while rows := reader.execute(
        "SELECT d.key, d.name, d.bytes, d.blob, b.place FROM attachments_derived d "
        "LEFT JOIN attachments_blobs b ON b.key = d.blob WHERE d.key > ? ORDER BY d.key LIMIT ?",
        (after, _PAGE),
    ).fetchall():
        for key, name, size, blob, place in rows:
            after = key
            fault = "belongs to content that does not exist" if place in (None, "removed") else None
            if fault := fault or _fault(layout.derived(name), size, None):
                yield StoreProblem(f"the thumbnail {name} {fault}", partial(_remove_thumbnail, key=key), blob)


def _remove_thumbnail(tx: Transaction, key: int) -> None:
    tx.execute("DELETE FROM attachments_derived WHERE key = ?", (key,))


def _uploads(reader: Querying, layout: Layout) -> Iterator[StoreProblem]:
    rows = reader.execute(
        "SELECT id, durable FROM attachments_uploads WHERE state IN ('open', 'finishing') AND state = 'open' "
        "AND durable > 0 ORDER BY key"
    )
    for id, durable in rows:
        path = layout.incoming(id)
        found = path.stat().st_size if path.exists() else 0
        if found < durable:
            yield StoreProblem(f"the upload {id} has {found} bytes instead of {durable}")


def _strays(reader: Querying, layout: Layout) -> Iterator[StoreProblem]:
    for tree, directory in layout.folders():
        for stray in strays_in(reader, tree, directory, DAY_SECONDS):
            yield StoreProblem(f"{stray.path.relative_to(layout.directory)} is a stray file of {stray.bytes} bytes")


def _sums(reader: Querying) -> Iterator[StoreProblem]:
    for sql, line, repair in _SUMS:
        [(found,)] = reader.execute(sql).fetchall()
        if found:
            yield StoreProblem(line, repair)


_COUNTED = (
    "SELECT p.person AS person, "
    "(SELECT coalesce(sum(b.bytes), 0) FROM attachments_files f JOIN attachments_blobs b ON b.key = f.blob "
    "WHERE f.uploader = p.person AND f.removed_at IS NULL) AS bytes, "
    "(SELECT coalesce(sum(u.reserved), 0) FROM attachments_uploads u WHERE u.person = p.person) AS reserved "
    "FROM (SELECT uploader AS person FROM attachments_files UNION SELECT person FROM attachments_uploads "
    "UNION SELECT person FROM attachments_usage) p"
)
_STORED = (
    "SELECT count(*) AS blobs, coalesce(sum(bytes), 0) + (SELECT coalesce(sum(bytes), 0) FROM attachments_derived) "
    "AS bytes FROM attachments_blobs WHERE place = 'local'"
)


def _recount_usage(tx: Transaction) -> None:
    tx.execute("DELETE FROM attachments_usage")
    tx.execute(f"INSERT INTO attachments_usage (person, bytes, reserved) {_COUNTED}")


def _recount_totals(tx: Transaction) -> None:
    tx.execute(
        "UPDATE attachments_totals SET blobs = (SELECT blobs FROM "  # noqa: S608
        f"({_STORED}) s), bytes = (SELECT bytes FROM ({_STORED}) s)"
    )


_SUMS: tuple[tuple[str, str, Callable[[Transaction], object] | None], ...] = (
    (
        f"SELECT count(*) FROM ({_COUNTED}) c LEFT JOIN attachments_usage u ON u.person = c.person "  # noqa: S608
        "WHERE u.person IS NULL OR u.bytes <> c.bytes OR u.reserved <> c.reserved",
        "the disk usage of users is counted wrongly",
        _recount_usage,
    ),
    (
        f"SELECT count(*) FROM ({_STORED}) s JOIN attachments_totals t ON t.blobs <> s.blobs OR t.bytes <> s.bytes",  # noqa: S608
        "the total disk usage is counted wrongly",
        _recount_totals,
    ),
    (
        "SELECT count(*) FROM attachments_files f LEFT JOIN messages m ON m.key = f.message "
        "WHERE f.message IS NOT NULL AND (m.key IS NULL OR m.deleted_at IS NOT NULL)",
        "some files belong to messages that were deleted or removed",
        None,
    ),
    (
        "SELECT count(*) FROM attachments_derived d LEFT JOIN attachments_blobs b ON b.key = d.blob "
        "WHERE b.key IS NULL OR b.place = 'removed'",
        "some thumbnails belong to removed contents",
        None,
    ),
    (
        "SELECT count(*) FROM attachments_files f LEFT JOIN attachments_blobs b ON b.key = f.blob WHERE b.key IS NULL",
        "there are files without a content",
        None,
    ),
)
