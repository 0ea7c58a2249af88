"""The table `notifications_bundles`: what is decided and not yet due, one row per user and conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import attrs

from chatnode.api import Transaction, record
from chatnode_notifications.deciding.table import LEVEL, Reason

_KEPT = 1_200
"""Characters of the list of messages that are kept: some hundred messages."""

_UPSERT = (
    "INSERT INTO notifications_bundles "  # noqa: S608 -- constants
    "(person, conversation, first_seq, last_seq, last_gid, count, messages, level, due_at, made_at) "
    "VALUES (:person, :conversation, :first_seq, :last_seq, :last_gid, :count, :messages, :level, :due_at, :now) "
    "ON CONFLICT (person, conversation) DO UPDATE SET "
    "first_seq = CASE WHEN excluded.first_seq < notifications_bundles.first_seq THEN excluded.first_seq "
    "ELSE notifications_bundles.first_seq END, "
    "last_seq = CASE WHEN excluded.last_seq > notifications_bundles.last_seq THEN excluded.last_seq "
    "ELSE notifications_bundles.last_seq END, "
    "last_gid = CASE WHEN excluded.last_gid > notifications_bundles.last_gid THEN excluded.last_gid "
    "ELSE notifications_bundles.last_gid END, "
    "count = notifications_bundles.count + excluded.count, "
    f"messages = substr(notifications_bundles.messages || ',' || excluded.messages, -{_KEPT}), "
    "level = CASE WHEN excluded.level > notifications_bundles.level THEN excluded.level "
    "ELSE notifications_bundles.level END, "
    "due_at = CASE WHEN excluded.due_at < notifications_bundles.due_at THEN excluded.due_at "
    "ELSE notifications_bundles.due_at END"
)


Listed = tuple[tuple[int, ...], Reason]
"""Messages by seq, rising, and why they matter."""
MOST_LISTED = 150
"""As many of the newest messages have no room in the list."""


@record
class BundleDraft:
    """What a user is to be notified of in a conversation, at `due_at`, in milliseconds. `listed` names the newest
    messages, `count` counts all."""

    person: int
    conversation: int
    due_at: int
    first_seq: int
    last_seq: int = 0
    last_gid: int = 0
    count: int = 0
    level: int = 0
    listed: list[Listed] = attrs.field(factory=list[Listed])

    def add(self, seqs: tuple[int, ...], last_gid: int, reason: Reason, due_at: int) -> None:
        """Some more messages; they are due together."""
        self.first_seq = min(self.first_seq, seqs[0])
        self.last_seq = max(self.last_seq, seqs[-1])
        self.last_gid = max(self.last_gid, last_gid)
        self.due_at = min(self.due_at, due_at)
        self.level = max(self.level, LEVEL[reason])
        self.count += len(seqs)
        self.listed.append((seqs[-MOST_LISTED:], reason))


def store(tx: Transaction, drafts: Iterable[BundleDraft]) -> None:
    """Add to what is waiting. It is due as soon as any part of it is."""
    texts: dict[tuple[Listed, ...], str] = {}  # many users get the same
    tx.executemany(
        _UPSERT,
        [
            {
                "person": each.person, "conversation": each.conversation, "first_seq": each.first_seq,
                "last_seq": each.last_seq, "last_gid": each.last_gid, "count": each.count,
                "messages": _text(tuple(each.listed), texts), "level": each.level, "due_at": each.due_at,
                "now": tx.now,
            }
            for each in drafts
        ],
    )  # fmt: skip


def _text(listed: tuple[Listed, ...], known: dict[tuple[Listed, ...], str]) -> str:
    found = known.get(listed)
    if found is None:
        entries = sorted((seq, reason) for seqs, reason in listed for seq in seqs)
        found = known[listed] = ",".join(f"{seq}:{reason}" for seq, reason in entries)[-_KEPT:]
    return found


def messages_in(text: str) -> dict[int, Reason]:
    """The messages of a row, by seq. Only the newest are kept of very many, and the oldest of these may be cut."""
    entries: Sequence[str] = text.split(",")
    if len(text) >= _KEPT:
        entries = entries[1:]
    pairs = (entry.partition(":") for entry in entries)
    return {int(seq): cast("Reason", reason) for seq, _, reason in pairs}
