"""What is shown of posted files beside the message: `extra.attachments`, and the event that it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import attrs
import orjson

from chatnode.api import (
    Event,
    EventKind,
    Querying,
    Reader,
    Row,
    Thumbnail,
    Transaction,
    hookimpl,
    record_for_message,
)

ScanShown = Literal["off", "pending", "safe", "unsafe"]


@attrs.define
class FileState:
    """What may change about a posted file.

    `available`: the node has the bytes, and gives them to those who may see the message once they are scanned. It is
    false for a file that was found unsafe, was withdrawn by a moderator, or is missing.
    """

    scan: ScanShown
    available: bool
    thumbs: list[Thumbnail]


@attrs.define
class AttachmentsChanged(Event):
    """What the node knows of a message's files changed: for instance, a scan ended. `files` are all of them, by id, as
    in `extra.attachments`."""

    name = "attachments.changed"
    conversation: str
    message: str
    files: dict[str, FileState]


# ---- reading


def thumbnails(reader: Querying, blob: int) -> list[Thumbnail]:
    """The thumbnails of a content, smallest first."""
    rows = reader.execute(
        "SELECT kind, width, height FROM attachments_derived WHERE blob = ? ORDER BY width, kind", (blob,)
    )
    return [Thumbnail(*row) for row in rows.fetchall()]


_STATES = (
    "SELECT i.value, f.id, b.scan, b.place = 'local' AND f.quarantined = 0 AND b.scan <> 'unsafe', b.key, b.derive "
    "FROM json_each(?) i JOIN messages m ON m.id = i.value JOIN attachments_files f ON f.message = m.key "
    "JOIN attachments_blobs b ON b.key = f.blob WHERE f.removed_at IS NULL ORDER BY f.position"
)


def states(reader: Querying, ids: Sequence[str]) -> dict[str, dict[str, FileState]]:
    """What may change about the files of these messages: by the messages' ids, then the files'. Messages without files
    are left out, as are those that were deleted, of which no row is left."""
    found: dict[str, dict[str, FileState]] = {}
    rows = reader.execute(_STATES, (orjson.dumps(list(ids)).decode(),)).fetchall()
    for message, file, scan, available, blob, derive in rows:
        state = FileState(
            "pending" if scan == "error" else scan,
            bool(available),
            thumbnails(reader, blob) if available and derive == "done" else [],
        )
        found.setdefault(message, {})[file] = state
    return found


@hookimpl
def enrich_messages(reader: Querying, ids: Sequence[str]) -> dict[str, Any]:
    """`extra.attachments` of each message with files, the same for everyone."""
    return {
        message: {file: attrs.asdict(state) for file, state in files.items()}
        for message, files in states(reader, ids).items()
    }


# ---- notifying


def record_state(tx: Transaction, conversation: int, seq: int) -> None:
    """Notify those who may see the message of what its files are now. `conversation` is the conversation's key."""
    row = tx.execute(
        "SELECT c.id, m.id FROM messages m JOIN conversations c ON c.key = m.conversation "
        "WHERE m.conversation = ? AND m.seq = ? AND m.deleted_at IS NULL",
        (conversation, seq),
    ).fetchone()
    if row is not None:
        record_for_message(tx, conversation, seq, AttachmentsChanged(*row, states(tx, [row[1]]).get(row[1], {})))


def record_states_of(tx: Transaction, blob: int) -> int:
    """The same for all messages with a file of this content, after something about the content changed. Returns their
    number."""
    rows = tx.execute(
        "SELECT DISTINCT m.conversation, m.seq FROM attachments_files f JOIN messages m ON m.key = f.message "
        "WHERE f.blob = ? AND f.removed_at IS NULL ORDER BY m.conversation, m.seq",
        (blob,),
    ).fetchall()
    for conversation, seq in rows:
        record_state(tx, conversation, seq)
    return len(rows)


def _make_changed(reader: Reader, row: Row) -> Event | None:
    """The event of a row of the log, as things are now; None if the message was deleted or removed."""
    found = reader.execute(
        "SELECT id FROM messages WHERE conversation = ? AND seq = ? AND deleted_at IS NULL",
        (row.conversation_key, row.subject),
    ).fetchone()
    if found is None:
        return None
    return AttachmentsChanged(row.conversation, found[0], states(reader, found).get(found[0], {}))


CHANGED = EventKind(AttachmentsChanged, _make_changed, of_message=True)
