"""A row of the log, for readers of the log."""

from __future__ import annotations

from chatnode.model.records import record


@record
class Row:
    """One row of the log, with the public id of its conversation."""

    gid: int
    conversation_key: int | None
    conversation: str
    kind: str
    subject: int
    actor: int | None
    at: int
