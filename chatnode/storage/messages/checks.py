"""What must hold of messages, and of what hangs on them."""

# ruff: noqa: S608 - the pieces are the constants below

from __future__ import annotations

from chatnode.model.messages import EVERYONE
from chatnode.storage.engine.additions import Derived, Problems, rows_wrong
from chatnode.storage.engine.dialect import items_of

# A receipt for a message that does not exist, or that is beyond what the member can have received.
_EARLY = (
    "SELECT r.conversation, r.person, r.kind, r.seq FROM receipts r "
    "LEFT JOIN members m ON m.conversation = r.conversation AND m.person = r.person "
    "LEFT JOIN conversations c ON c.key = r.conversation "
    "WHERE m.person IS NULL OR r.seq > c.head OR r.seq <= c.floor"
)
_HOLDS = "(text <> '' OR content IS NOT NULL OR metadata IS NOT NULL OR sent IS NOT NULL OR pinned_at IS NOT NULL)"
_REPLIES = "(SELECT count(*) FROM messages r WHERE r.conversation = m.conversation AND r.thread = m.seq)"
_EDITS = "(SELECT count(*) FROM message_edits e WHERE e.conversation = m.conversation AND e.seq = m.seq)"
# The users that messages mention, from the messages themselves; everyone is person 0.
_NAMED = (
    "SELECT coalesce(p.key, 0) AS person, m.conversation AS conversation, m.seq AS seq FROM messages m "
    f"CROSS JOIN {items_of('m.mentions', 'j')} LEFT JOIN people p ON p.id = j.value "
    f"WHERE m.mentions IS NOT NULL AND (p.key IS NOT NULL OR j.value = '{EVERYONE}')"
)
# Messages in order that are earlier than one in order before them.
_EARLIER = (
    "SELECT key, id FROM (SELECT key, id, at, max(at) OVER (PARTITION BY conversation ORDER BY seq "
    "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newest FROM messages WHERE late IS NULL) o WHERE at < newest"
)
# Messages out of order that count more of them than there are.
_MISCOUNTED = (
    "SELECT m.conversation, m.id FROM messages m JOIN messages p ON p.conversation = m.conversation "
    "AND p.seq = m.seq - 1 WHERE m.late > 1 AND p.late IS DISTINCT FROM m.late - 1"
)
_NEWEST_IN_ORDER = (
    "coalesce((SELECT m.at FROM messages m WHERE m.conversation = c.key AND m.late IS NULL "
    "ORDER BY m.seq DESC LIMIT 1), 0)"
)

CHECKS: dict[str, Problems] = {
    "sequence numbers": rows_wrong(
        "SELECT c.id, count(*), c.floor + 1, max(m.seq) FROM messages m JOIN conversations c ON c.key = m.conversation "
        "GROUP BY c.key HAVING count(*) <> max(m.seq) - c.floor OR min(m.seq) <> c.floor + 1",
        "conversation {0} has {1} messages, which should be those from {2} to {3}",
    ),
    "log of messages": rows_wrong(
        "SELECT m.id, m.gid FROM messages m LEFT JOIN log l ON l.gid = m.gid "
        "WHERE l.gid IS NULL OR l.conversation <> m.conversation "
        "OR (l.kind = 'message.posted' AND l.subject <> m.seq)",
        "message {0} has no row {1} in the log",
    ),
    "messages of the log": rows_wrong(
        "SELECT l.gid FROM log l LEFT JOIN messages m ON m.conversation = l.conversation AND m.seq = l.subject "
        "LEFT JOIN conversations c ON c.key = l.conversation "
        "WHERE l.kind = 'message.posted' AND m.key IS NULL AND l.subject > coalesce(c.floor, 0)",
        "row {0} of the log names a message that does not exist",
    ),
    "threads": rows_wrong(
        "SELECT m.id FROM messages m JOIN conversations c ON c.key = m.conversation "
        "LEFT JOIN messages r ON r.conversation = m.conversation AND r.seq = m.thread "
        "WHERE m.thread > c.floor AND (m.thread >= m.seq OR r.key IS NULL OR r.thread IS NOT NULL)",
        "message {0} is in the thread of a message that cannot have one",
    ),
    "replies in their conversation": rows_wrong(
        "SELECT m.id, r.id FROM messages m JOIN messages r ON r.id = m.reply_to WHERE r.conversation <> m.conversation",
        "message {0} replies to {1}, which is in another conversation",
    ),
}

DERIVED: dict[str, Derived] = {
    "receipts": Derived(
        "SELECT coalesce(p.handle, CAST(e.person AS TEXT)), e.kind, e.seq, "
        f"coalesce(c.id, CAST(e.conversation AS TEXT)) FROM ({_EARLY}) e "
        "LEFT JOIN people p ON p.key = e.person LEFT JOIN conversations c ON c.key = e.conversation",
        "{0} has a receipt ({1}) for message {2} of conversation {3}, which they cannot see",
        (f"DELETE FROM receipts WHERE (conversation, person, kind, seq) IN ({_EARLY})",),
    ),
    "mentions": Derived(
        "SELECT w.person, w.seq, c.id FROM ("
        f"SELECT * FROM (SELECT person, conversation, seq FROM mentions EXCEPT {_NAMED}) a UNION ALL "
        f"SELECT * FROM ({_NAMED} EXCEPT SELECT person, conversation, seq FROM mentions) b) w "
        "LEFT JOIN conversations c ON c.key = w.conversation",
        "the mention of person {0} in message {1} of conversation {2} is counted wrongly",
        (
            f"DELETE FROM mentions WHERE (person, conversation, seq) NOT IN ({_NAMED})",
            f"INSERT INTO mentions (person, conversation, seq) {_NAMED} ON CONFLICT DO NOTHING",
        ),
    ),
    "replies": Derived(
        f"SELECT m.id, m.replies, {_REPLIES} FROM messages m WHERE m.replies <> {_REPLIES}",
        "message {0} says its thread has {1} replies, it has {2}",
        (f"UPDATE messages AS m SET replies = {_REPLIES} WHERE m.replies <> {_REPLIES}",),
    ),
    "edits": Derived(
        f"SELECT m.id, m.edits, {_EDITS} FROM messages m WHERE m.edits <> {_EDITS} UNION ALL "
        "SELECT e.conversation || '/' || e.seq, 0, 1 FROM message_edits e LEFT JOIN messages m "
        "ON m.conversation = e.conversation AND m.seq = e.seq WHERE m.key IS NULL OR m.deleted_at IS NOT NULL",
        "message {0} says it was edited {1} times, {2} versions are kept",
        (
            "DELETE FROM message_edits AS e WHERE NOT EXISTS (SELECT 1 FROM messages m "
            "WHERE m.conversation = e.conversation AND m.seq = e.seq AND m.deleted_at IS NULL)",
            f"UPDATE messages AS m SET edits = {_EDITS} WHERE m.edits <> {_EDITS}",
        ),
    ),
    "times in order": Derived(
        f"SELECT id FROM ({_EARLIER}) e UNION ALL SELECT id FROM ({_MISCOUNTED}) w UNION ALL "
        f"SELECT c.id FROM conversations c WHERE c.ordered_at < {_NEWEST_IN_ORDER}",
        "message or conversation {0} would not be where its time is in a list by time",
        (
            f"UPDATE messages SET late = 1 WHERE key IN (SELECT key FROM ({_EARLIER}) e)",
            f"UPDATE messages SET late = 1 WHERE late > 1 AND conversation IN "
            f"(SELECT conversation FROM ({_MISCOUNTED}) w)",
            f"UPDATE conversations AS c SET ordered_at = {_NEWEST_IN_ORDER} WHERE ordered_at < {_NEWEST_IN_ORDER}",
        ),
    ),
    "tombstones": Derived(
        f"SELECT id FROM messages WHERE deleted_at IS NOT NULL AND {_HOLDS}",
        "message {0} was deleted, but parts of it are still stored",
        (
            "UPDATE messages SET text = '', content = NULL, metadata = NULL, sent = NULL, pinned_at = NULL, "
            f"pinned_by = NULL WHERE deleted_at IS NOT NULL AND {_HOLDS}",
        ),
    ),
}  # fmt: skip
