"""What must hold of conversations and of how far their members have read."""

# ruff: noqa: S608 - the pieces are the constants below

from __future__ import annotations

from chatnode.storage.engine.additions import Derived, Problems, rows_wrong
from chatnode.storage.engine.dialect import greatest, least
from chatnode.storage.people import owners

_TOP = greatest("c.floor", "coalesce((SELECT max(m.seq) FROM messages m WHERE m.conversation = c.key), 0)")
_COUNT = "(SELECT count(*) FROM messages m WHERE m.conversation = c.key AND m.deleted_at IS NULL)"
_NEWEST_AT = "(SELECT m.at FROM messages m WHERE m.conversation = c.key AND m.seq = c.head)"
# What was imported counts as new, however old it is.
_LATE = f"c.source IS NULL AND c.head > c.floor AND c.last_at IS DISTINCT FROM {_NEWEST_AT}"
_NEWEST_GID = "(SELECT m.gid FROM messages m WHERE m.conversation = c.key AND m.seq = c.head)"
_FOUND_BY = "folded(c.title) || '\n' || folded(c.description)"
_QUIET = f"c.head > c.floor AND c.activity IS DISTINCT FROM {_NEWEST_GID}"
# What was removed last, as its receipt says it; only where nothing of it is there.
_CUT = "(SELECT coalesce(max(r.upto), 0) FROM removals r WHERE r.conversation = c.id)"
_FURTHEST = greatest("m.read_seq", "m.delivered_seq")
_UNCUT = f"c.floor < {_CUT} AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = c.key AND m.seq <= {_CUT})"

CHECKS: dict[str, Problems] = {
    "owners": rows_wrong(
        owners.WRONG_FOR_GOOD,
        "group {1} has several owners, or none who can act though others can",
    ),
}

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
        "the search words of conversation {0} differ from its title and description",
        (f"UPDATE conversations AS c SET found_by = {_FOUND_BY} WHERE found_by <> ({_FOUND_BY})",),
    ),
    "marks": Derived(
        f"SELECT p.handle, c.id, {greatest('m.read_seq', 'm.delivered_seq', 'm.shown_seq')}, c.head FROM members m "
        "JOIN conversations c ON c.key = m.conversation JOIN people p ON p.key = m.person "
        f"WHERE {_FURTHEST} > c.head OR m.shown_seq > m.read_seq",
        "{0} has read conversation {1} up to {2}, it ends at {3}, or others are shown more than that",
        (
            f"UPDATE members AS m SET read_seq = {least('read_seq', 'h.head')}, "
            f"delivered_seq = {least('delivered_seq', 'h.head')}, "
            f"shown_seq = {least('shown_seq', 'read_seq', 'h.head')} FROM (SELECT key, head FROM conversations) h "
            f"WHERE h.key = m.conversation AND ({_FURTHEST} > h.head OR m.shown_seq > m.read_seq)",
        ),
    ),
}  # fmt: skip
