"""Quotas: what a user and the node may store.

Users are charged for the files they uploaded, as if each had its own bytes; the node for what is on disk. Uploads in
progress count with what is reserved for them.
"""

from __future__ import annotations

from chatnode.api import DAY_MS, Querying, Refusal, Transaction, counted
from chatnode_attachments.settings import MIB, AttachmentsSettings


def reserve(tx: Transaction, settings: AttachmentsSettings, person: int, length: int | None) -> int:
    """The bytes to reserve for a new upload: its length, or as long as that is unknown all that it may become.

    Raises `Refusal("too_large")`, for a quota of bytes at `length`. 0 for an upload of unknown length that nothing
    limits.
    """
    _check_few_unfinished(tx, settings.unfinished_per_person, person)
    rooms = [(most, f"a file has at most {most // MIB} MiB") for most in [settings.file_mib * MIB] if most]
    if settings.clamd:
        scanned = settings.scan_max_mib
        rooms.append((scanned * MIB, f"a file has at most {scanned} MiB, because larger ones are not scanned"))
    rooms += _left(tx, settings, person)
    if length is None:
        length = min((room for room, _ in rooms), default=0)
        if rooms and length <= 0:
            length = 1  # refused below, with the reason
    for room, reason in rooms:
        if length > room:
            raise Refusal("too_large", reason, path="length")
    return length


def _check_few_unfinished(tx: Transaction, most: int, person: int) -> None:
    sql = "SELECT count(*) FROM attachments_uploads WHERE person = ? AND state IN ('open', 'finishing')"
    if most and tx.execute(sql, (person,)).fetchone()[0] >= most:
        raise Refusal("too_large", f"you have {counted(most, 'unfinished upload')}; finish or remove some first")


def _left(tx: Transaction, settings: AttachmentsSettings, person: int) -> list[tuple[int, str]]:
    """The bytes that each quota has left, and what to say to a user who wants more."""
    left: list[tuple[int, str]] = []
    if settings.person_mib:
        room = settings.person_mib * MIB - sum(usage_of(tx, person))
        left.append((room, f"your files may have {settings.person_mib} MiB in all; {_shown(room)} are left"))
    if settings.day_mib:
        room = settings.day_mib * MIB - sent_since(tx, person, tx.now - DAY_MS)
        left.append((room, f"you may upload {settings.day_mib} MiB in 24 hours; {_shown(room)} are left"))
    if settings.node_mib:
        room = settings.node_mib * MIB - stored(tx)[1] - reserved(tx)
        left.append((room, f"the node stores at most {settings.node_mib} MiB of files; {_shown(room)} are left"))
    return left


def _shown(room: int) -> str:
    return f"{max(room, 0) / MIB:.1f} MiB"


def usage_of(reader: Querying, person: int) -> tuple[int, int]:
    """The bytes of a user's files, and those reserved for their uploads."""
    row = reader.execute("SELECT bytes, reserved FROM attachments_usage WHERE person = ?", (person,)).fetchone()
    return row or (0, 0)


def sent_since(reader: Querying, person: int, since: int) -> int:
    """The bytes that a user uploaded since then. Uploads that were given up count with what came of them."""
    sql = (
        "SELECT coalesce(sum(CASE WHEN reserved > durable THEN reserved ELSE durable END), 0) "
        "FROM attachments_uploads WHERE person = ? AND created_at > ?"
    )
    return reader.execute(sql, (person, since)).fetchone()[0]


def stored(reader: Querying) -> tuple[int, int]:
    """The number of contents on disk, and their bytes with thumbnails."""
    return reader.execute("SELECT blobs, bytes FROM attachments_totals").fetchone()


def reserved(reader: Querying) -> int:
    """The bytes that all uploads in progress may take."""
    sql = "SELECT coalesce(sum(reserved), 0) FROM attachments_uploads WHERE state IN ('open', 'finishing')"
    return reader.execute(sql).fetchone()[0]


def to_come(reader: Querying) -> int:
    """The bytes that uploads in progress may still write."""
    sql = (
        "SELECT coalesce(sum(reserved - durable), 0) FROM attachments_uploads "
        "WHERE state IN ('open', 'finishing') AND reserved > durable"
    )
    return reader.execute(sql).fetchone()[0]
