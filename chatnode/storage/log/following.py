"""The log as one user may see it, row by row, for readers who follow it from a place of their own.

It finds what `log.gids_since` finds for a client that resumes. That one looks at each of the user's conversations, this
one at each row above the place: it costs little near the end of the log, however many conversations the user is in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chatnode.model.events import MemberJoined, MemberLeft
from chatnode.model.people import Account
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.log import log
from chatnode.storage.log.consumers import SCAN_GIDS, RowBatch

_MEMBERSHIPS = frozenset({MemberJoined.name, MemberLeft.name})
_COLUMNS = "l.gid, l.conversation, coalesce(c.id, ''), l.kind, l.subject, l.actor, l.at, l.person"


def rows_for(reader: Reader, account: Account, after: int, kinds: Collection[str] | None, most: int) -> RowBatch:
    """Up to `most` rows above `after` that the user may see, of these kinds or of all; oldest first.

    One call looks at a limited part of the log, as `consumers.pending` does.
    """
    head = log.head(reader)
    first = reader.execute("SELECT min(gid) FROM log WHERE gid > ?", (after,)).fetchone()[0]
    if first is None:
        return RowBatch([], after, head)
    upto = min(first - 1 + SCAN_GIDS, head)
    seen = _Seen(reader, account, after, upto)
    wanted = sorted(kinds) if kinds is not None else []
    term = f"AND l.kind IN ({', '.join('?' * len(wanted))}) " if kinds is not None else ""
    found: list[Row] = []
    for *row, person in reader.execute(
        f"SELECT {_COLUMNS} FROM log l LEFT JOIN conversations c ON c.key = l.conversation "  # noqa: S608 -- constants
        f"WHERE l.gid > ? AND l.gid <= ? {term}ORDER BY l.gid",
        (after, upto, *wanted),
    ):
        if seen.has(row[0], row[1], row[3], person):
            found.append(Row(*row))
            if len(found) == most:
                return RowBatch(found, found[-1].gid, head)
    return RowBatch(found, upto, head)


class _Seen:
    """What a user may see of the log between two gids."""

    def __init__(self, reader: Reader, account: Account, after: int, upto: int) -> None:
        self._person = account.key
        self._told = {
            gid
            for (gid,) in reader.execute(
                "SELECT gid FROM log_audience WHERE person = ? AND gid > ? AND gid <= ?", (account.key, after, upto)
            )
        }
        self._spans: dict[int, list[tuple[int, int]]] = {}
        for conversation, above, until in log.memberships_since(reader, account, after):
            self._spans.setdefault(conversation, []).append((above, until))

    def has(self, gid: int, conversation: int | None, kind: str, person: int | None) -> bool:
        if person == self._person or gid in self._told:
            return True
        if conversation is None or (person is not None and kind not in _MEMBERSHIPS):
            return False
        return any(above < gid <= until for above, until in self._spans.get(conversation, ()))


def without_recipient(reader: Reader, rows: Sequence[Row]) -> list[Row]:
    """The rows that are of no conversation and not for one user alone.

    Those for several users are among them: the log cannot tell these apart quickly, so ask for kinds that have none.
    """
    gids = [row.gid for row in rows if row.conversation_key is None]
    if not gids:
        return []
    found = reader.execute(
        f"SELECT gid FROM log WHERE person IS NULL AND gid IN ({', '.join('?' * len(gids))})",  # noqa: S608 -- marks
        gids,
    )
    free = {gid for (gid,) in found}
    return [row for row in rows if row.gid in free]
