"""What the tables hold twice: the second time, so that it need not be counted. Each is checked, and can be repaired.

A `Derived` says which rows disagree with what they are derived from, and the statements that make them agree.
"""

# ruff: noqa: S608 - the pieces are the constants below

from __future__ import annotations

import attrs

from chatnode.model.messages import EVERYONE
from chatnode.storage.engine.transaction import Transaction

_TOP = "max(c.floor, coalesce((SELECT max(m.seq) FROM messages m WHERE m.conversation = c.key), 0))"
_COUNT = "(SELECT count(*) FROM messages m WHERE m.conversation = c.key AND m.deleted_at IS NULL)"
_NEWEST_AT = "(SELECT m.at FROM messages m WHERE m.conversation = c.key AND m.seq = c.head)"
# What was imported counts as new, however old it is.
_LATE = f"c.source IS NULL AND c.head > c.floor AND c.last_at IS NOT {_NEWEST_AT}"
_NEWEST_GID = "(SELECT m.gid FROM messages m WHERE m.conversation = c.key AND m.seq = c.head)"
_FOUND_BY = "folded(c.title) || char(10) || folded(c.description)"
_QUIET = f"c.head > c.floor AND c.activity IS NOT {_NEWEST_GID}"
# What was removed last, as its receipt says it; only where nothing of it is there.
_CUT = "(SELECT coalesce(max(r.upto), 0) FROM removals r WHERE r.conversation = c.id)"
_UNCUT = f"c.floor < {_CUT} AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = c.key AND m.seq <= {_CUT})"
# A time at which a user received or read a message that does not exist, or that is beyond their mark.
_EARLY = (
    "SELECT r.conversation, r.person, r.kind, r.seq FROM receipts r "
    "LEFT JOIN members m ON m.conversation = r.conversation AND m.person = r.person "
    "LEFT JOIN conversations c ON c.key = r.conversation "
    "WHERE m.person IS NULL OR r.seq > c.head OR r.seq <= c.floor"
)
_ERASED = "(SELECT key FROM people WHERE erased_at IS NOT NULL)"
_REPLIES = "(SELECT count(*) FROM messages r WHERE r.conversation = m.conversation AND r.thread = m.seq)"
_EDITS = "(SELECT count(*) FROM message_edits e WHERE e.conversation = m.conversation AND e.seq = m.seq)"
# Whom messages name, as they say it themselves; everyone is person 0.
_NAMED = (
    "SELECT coalesce(p.key, 0) AS person, m.conversation AS conversation, m.seq AS seq FROM messages m "
    "JOIN json_each(m.mentions) j LEFT JOIN people p ON p.id = j.value "
    f"WHERE m.mentions IS NOT NULL AND (p.key IS NOT NULL OR j.value = '{EVERYONE}')"
)


@attrs.frozen
class Derived:
    """`wrong` returns a row for each disagreement, which `problem` puts in words; `repair` makes them agree."""

    wrong: str
    problem: str
    repair: tuple[str, ...]


DERIVED: dict[str, Derived] = {
    "floors": Derived(
        f"SELECT c.id, c.floor, {_CUT} FROM conversations c WHERE {_UNCUT}",
        "conversation {0} says its messages up to {1} were removed, a receipt says up to {2}",
        (f"UPDATE conversations AS c SET floor = {_CUT} WHERE {_UNCUT}",),
    ),
    "heads": Derived(
        f"SELECT c.id, c.head, {_TOP} FROM conversations c WHERE c.head <> {_TOP}",
        "conversation {0} says its newest message is {1}, it is {2}",
        (f"UPDATE conversations AS c SET head = {_TOP} WHERE c.head <> {_TOP}",),
    ),
    "counts": Derived(
        f"SELECT c.id, c.messages, {_COUNT} FROM conversations c WHERE c.messages <> {_COUNT}",
        "conversation {0} says it has {1} messages, it has {2}",
        (f"UPDATE conversations AS c SET messages = {_COUNT} WHERE c.messages <> {_COUNT}",),
    ),
    "times": Derived(
        f"SELECT c.id FROM conversations c WHERE {_LATE}",
        "conversation {0} does not have the time of its newest message",
        (f"UPDATE conversations AS c SET last_at = {_NEWEST_AT} WHERE {_LATE}",),
    ),
    "activity": Derived(
        f"SELECT c.id FROM conversations c WHERE {_QUIET}",
        "conversation {0} does not have the place of its newest message in the order of inboxes",
        (f"UPDATE conversations AS c SET activity = {_NEWEST_GID} WHERE {_QUIET}",),
    ),
    "titles": Derived(
        f"SELECT c.id FROM conversations c WHERE c.found_by <> ({_FOUND_BY})",
        "conversation {0} is found by other words than its title and description",
        (f"UPDATE conversations AS c SET found_by = {_FOUND_BY} WHERE found_by <> ({_FOUND_BY})",),
    ),
    "marks": Derived(
        "SELECT p.handle, c.id, max(m.read_seq, m.delivered_seq, m.shown_seq), c.head FROM members m "
        "JOIN conversations c ON c.key = m.conversation JOIN people p ON p.key = m.person "
        "WHERE max(m.read_seq, m.delivered_seq) > c.head OR m.shown_seq > m.read_seq",
        "{0} has read conversation {1} up to {2}, it ends at {3}, or others are shown more than that",
        (
            "UPDATE members AS m SET read_seq = min(read_seq, h.head), delivered_seq = min(delivered_seq, h.head), "
            "shown_seq = min(shown_seq, read_seq, h.head) FROM (SELECT key, head FROM conversations) h "
            "WHERE h.key = m.conversation AND (max(m.read_seq, m.delivered_seq) > h.head OR m.shown_seq > m.read_seq)",
        ),
    ),
    "receipts": Derived(
        f"SELECT coalesce(p.handle, e.person), e.kind, e.seq, coalesce(c.id, e.conversation) FROM ({_EARLY}) e "
        "LEFT JOIN people p ON p.key = e.person LEFT JOIN conversations c ON c.key = e.conversation",
        "it is noted when {0} got message {2} of conversation {3} ({1}), which they cannot have",
        (f"DELETE FROM receipts WHERE (conversation, person, kind, seq) IN ({_EARLY})",),
    ),
    "presence": Derived(
        f"SELECT p.handle FROM people p WHERE p.key IN {_ERASED} "
        "AND p.key IN (SELECT person FROM presence UNION SELECT person FROM presence_history)",
        "{0} was erased, and when they were active or their status is there",
        (
            f"DELETE FROM presence WHERE person IN {_ERASED}",
            f"DELETE FROM presence_history WHERE person IN {_ERASED}",
        ),
    ),
    "mentions": Derived(
        "SELECT w.person, w.seq, c.id FROM ("
        f"SELECT * FROM (SELECT person, conversation, seq FROM mentions EXCEPT {_NAMED}) UNION ALL "
        f"SELECT * FROM ({_NAMED} EXCEPT SELECT person, conversation, seq FROM mentions)) w "
        "LEFT JOIN conversations c ON c.key = w.conversation",
        "person {0} is counted as named in message {1} of conversation {2}, and is not, or the other way round",
        (
            f"DELETE FROM mentions WHERE (person, conversation, seq) NOT IN ({_NAMED})",
            f"INSERT OR IGNORE INTO mentions (person, conversation, seq) {_NAMED}",
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
    "tombstones": Derived(
        "SELECT id FROM messages WHERE deleted_at IS NOT NULL "
        "AND (text <> '' OR coalesce(content, metadata, sent, pinned_at) IS NOT NULL)",
        "message {0} was deleted, and something of it is there",
        (
            "UPDATE messages SET text = '', content = NULL, metadata = NULL, sent = NULL, pinned_at = NULL, "
            "pinned_by = NULL WHERE deleted_at IS NOT NULL "
            "AND (text <> '' OR coalesce(content, metadata, sent, pinned_at) IS NOT NULL)",
        ),
    ),
}  # fmt: skip


def repair(tx: Transaction) -> dict[str, int]:
    """Make everything derived agree with what it is derived from; rows changed, by name, for each that had any.

    In the order above: heads depend on floors and marks on heads. What people said is never changed but where it was
    deleted. The index of search is not among them: `services/search.py` repairs it.
    """
    changed = {name: sum(tx.execute(statement).rowcount for statement in each.repair) for name, each in DERIVED.items()}
    return {name: count for name, count in changed.items() if count}
