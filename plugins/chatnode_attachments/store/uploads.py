"""Rows of uploads: open → finishing → done, or open → gone."""

from __future__ import annotations

from chatnode.api import HOUR_MS, Querying, Refusal, Transaction, counted, new_id
from chatnode_attachments.store.refusals import UploadGone
from chatnode_attachments.store.rows import UPLOAD, Upload

KEPT_MS = 7 * 24 * HOUR_MS
"""How long the row of an upload that ended answers that it did."""


def add(
    tx: Transaction, person: int, *, name: str, declared: str, length: int | None, metadata: str, as_file: bool,
    reserved: int, hours: int,
) -> Upload:  # fmt: skip
    row = tx.execute(
        "INSERT INTO attachments_uploads (id, person, name, metadata, declared, length, durable, reserved, as_file, "  # noqa: S608
        "state, created_at, touched_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, 'open', ?, ?, ?) "
        f"RETURNING {UPLOAD}",
        (
            new_id(), person, name, metadata, declared, length, reserved, int(as_file), tx.now, tx.now,
            tx.now + hours * HOUR_MS,
        ),
    ).fetchone()  # fmt: skip
    return Upload(*row)


def find(reader: Querying, id: str) -> Upload | None:
    row = reader.execute(f"SELECT {UPLOAD} FROM attachments_uploads WHERE id = ?", (id,)).fetchone()  # noqa: S608
    return None if row is None else Upload(*row)


def of_person(reader: Querying, person: int, id: str) -> Upload:
    """The user's upload. Raises `Refusal`: `not_found`, also for another user's; `gone`."""
    upload = find(reader, id)
    if upload is None or upload.person != person:
        raise Refusal("not_found", "there is no such upload", path="upload")
    if upload.state == "gone":
        raise UploadGone
    return upload


def unfinished(reader: Querying, person: int) -> list[Upload]:
    """The user's uploads in progress, oldest first."""
    rows = reader.execute(
        f"SELECT {UPLOAD} FROM attachments_uploads WHERE person = ? AND state IN ('open', 'finishing') ORDER BY key",  # noqa: S608
        (person,),
    )
    return [Upload(*row) for row in rows.fetchall()]


def to_finish(reader: Querying) -> list[str]:
    """The uploads that have all their bytes, and wait for the node."""
    rows = reader.execute(
        "SELECT id FROM attachments_uploads WHERE state IN ('open', 'finishing') "
        "AND (state = 'finishing' OR durable = length) ORDER BY touched_at"
    )
    return [id for (id,) in rows.fetchall()]


def save_durable(tx: Transaction, upload: Upload, durable: int, hours: int) -> Upload:
    """`durable` bytes are on disk. Raises `Refusal("gone")` if the upload was removed meanwhile."""
    row = tx.execute(
        "UPDATE attachments_uploads SET durable = ?, touched_at = ?, expires_at = ? "  # noqa: S608
        f"WHERE key = ? AND state = 'open' RETURNING {UPLOAD}",
        (durable, tx.now, tx.now + hours * HOUR_MS, upload.key),
    ).fetchone()
    if row is None:
        raise UploadGone
    return Upload(*row)


def set_length(tx: Transaction, upload: Upload, length: int) -> Upload:
    """Say the length of an upload that was created without one. Saying it again changes nothing."""
    now = find(tx, upload.id)
    if now is None or now.state == "gone":
        raise UploadGone
    if now.length is not None:
        if now.length != length:
            raise Refusal("conflict", f"the length is {now.length}, and cannot be changed", path="length")
        return now
    if length < now.durable:
        raise Refusal("invalid", f"the upload already has {counted(now.durable, 'byte')}", path="length")
    if now.reserved and length > now.reserved:
        raise Refusal("too_large", f"this upload may have at most {now.reserved} bytes", path="length")
    row = tx.execute(
        f"UPDATE attachments_uploads SET length = ?, reserved = ? WHERE key = ? RETURNING {UPLOAD}",  # noqa: S608
        (length, length, upload.key),
    ).fetchone()
    return Upload(*row)


def begin_finish(tx: Transaction, upload: Upload, blob_name: str) -> None:
    """From now on the bytes are on their way to `blobs/<blob_name>`."""
    done = tx.execute(
        "UPDATE attachments_uploads SET state = 'finishing', blob_name = ?, touched_at = ? "
        "WHERE key = ? AND state IN ('open', 'finishing')",
        (blob_name, tx.now, upload.key),
    )
    if done.rowcount == 0:
        raise UploadGone


def end_finish(tx: Transaction, upload: Upload) -> bool:
    """The file is there. False if the upload was removed meanwhile."""
    done = tx.execute(
        "UPDATE attachments_uploads SET state = 'done', reserved = 0, touched_at = ?, expires_at = ? "
        "WHERE key = ? AND state = 'finishing'",
        (tx.now, tx.now + KEPT_MS, upload.key),
    )
    return done.rowcount == 1


def end(tx: Transaction, upload: Upload) -> None:
    """The upload is gone: its quota is released and its bytes go into the trash. Again changes nothing."""
    done = tx.execute(
        "UPDATE attachments_uploads SET state = 'gone', reserved = 0, name = '', metadata = '', declared = '', "
        "touched_at = ?, expires_at = ? WHERE key = ? AND state IN ('open', 'finishing')",
        (tx.now, tx.now + KEPT_MS, upload.key),
    )
    if done.rowcount:
        discard(tx, "incoming", upload.id)
        if upload.blob_name is not None:
            discard(tx, "blobs", upload.blob_name)


def discard(tx: Transaction, tree: str, name: str) -> None:
    """Put a file into the trash: it is unlinked soon after the commit."""
    tx.execute(
        "INSERT INTO attachments_trash (name, tree, at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        (name, tree, tx.now),
    )
