"""What became of a broadcast, as numbers and contact by contact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chatnode.api import Querying, Reader, Transaction, json_array, rfc3339_or_none
from chatnode_crm.broadcasts.model import BroadcastFigures, Delivery, DeliveryState

_READ = (
    "EXISTS (SELECT 1 FROM crm_talks t JOIN members m ON m.conversation = t.conversation AND m.person = t.person "
    "WHERE t.conversation = d.conversation AND m.shown_seq >= d.seq)"
)
"""Of a message that was sent: whether it was read, as far as the recipient lets others know."""


def figures(reader: Querying, broadcast: int) -> BroadcastFigures:
    """With those of contacts that are gone."""
    counts = _count(reader, "d.broadcast = ?", (broadcast,))[broadcast]
    for figure, count in reader.execute("SELECT figure, count FROM crm_delivered WHERE broadcast = ?", (broadcast,)):
        counts[figure] += count
    reasons = {
        name.removeprefix("unreachable "): count
        for name, count in sorted(counts.items())
        if name[:12] == "unreachable "
    }
    return BroadcastFigures(
        counts["audience"], counts["waiting"], counts["sent"], counts["read"], counts["answered"], counts["stopped"],
        counts["opted_out"], reasons,
    )  # fmt: skip


def _count(reader: Querying, condition: str, values: Sequence[object]) -> dict[int, Counter[str]]:
    """Figures by broadcast."""
    rows = reader.execute(
        f"SELECT d.broadcast, d.state, d.reason, count(*), "  # noqa: S608 -- our own conditions
        f"sum(CASE WHEN d.state = 'sent' AND {_READ} THEN 1 ELSE 0 END), "
        "count(d.answered_at), count(d.stopped_at) FROM crm_deliveries d "
        f"WHERE {condition} GROUP BY d.broadcast, d.state, d.reason",
        values,
    )
    found: dict[int, Counter[str]] = {}
    for broadcast, state, reason, count, read, answered, stopped in rows:
        of = found.setdefault(broadcast, Counter())
        of.update({
            "audience": count, (f"unreachable {reason}" if state == "unreachable" else state): count,
            "read": read, "answered": answered, "stopped": stopped,
        })  # fmt: skip
    return _WithDefault(found)


class _WithDefault(dict[int, Counter[str]]):
    def __missing__(self, key: int) -> Counter[str]:
        return Counter()


def deliveries_page(
    reader: Reader, broadcast: int, state: DeliveryState | None, after: int, limit: int
) -> tuple[list[Delivery], int | None]:
    """In order of contacts; and the `after` of the next page."""
    rows = reader.execute(
        f"SELECT d.contact, c.id, d.state, d.reason, d.at, {_READ}, d.answered_at, d.stopped_at "  # noqa: S608
        "FROM crm_deliveries d JOIN crm_contacts c ON c.key = d.contact WHERE d.broadcast = :broadcast "
        "AND d.contact > :after AND (:state = '' OR d.state = :state) ORDER BY d.contact LIMIT :limit",
        {"broadcast": broadcast, "after": after, "state": state or "", "limit": limit},
    ).fetchall()
    found = [
        Delivery(
            id, state, reason, rfc3339_or_none(at), bool(read) or None if state == "sent" else None,
            rfc3339_or_none(answered), rfc3339_or_none(stopped),
        )
        for _, id, state, reason, at, read, answered, stopped in rows
    ]  # fmt: skip
    return found, rows[-1][0] if len(rows) == limit else None


def forget_deliveries(tx: Transaction, keys: Sequence[int]) -> None:
    """Of contacts that are gone only numbers stay."""
    many = json_array(keys)
    gone = _count(tx, "d.contact IN (SELECT value FROM json_each(?))", (many,))
    tx.executemany(
        "INSERT INTO crm_delivered (broadcast, figure, count) VALUES (?, ?, ?) "
        "ON CONFLICT (broadcast, figure) DO UPDATE SET count = crm_delivered.count + excluded.count",
        [
            (broadcast, figure, count)
            for broadcast, counts in gone.items()
            for figure, count in counts.items()
            if count and figure != "waiting"
        ],
    )
    tx.execute("DELETE FROM crm_deliveries WHERE contact IN (SELECT value FROM json_each(?))", (many,))
