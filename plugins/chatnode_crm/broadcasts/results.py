"""What became of a broadcast, as numbers and contact by contact."""

from __future__ import annotations

from collections import Counter

from chatnode.api import Querying, Reader, rfc3339_or_none
from chatnode_crm.broadcasts.model import BroadcastFigures, Delivery, DeliveryState
from chatnode_crm.deliveries import READ, counts


def figures(reader: Querying, broadcast: int) -> BroadcastFigures:
    """With those of contacts that are gone."""
    found = counts(reader, "d.broadcast = ?", (broadcast,)).get(broadcast, Counter[str]())
    for figure, count in reader.execute("SELECT figure, count FROM crm_delivered WHERE broadcast = ?", (broadcast,)):
        found[figure] += count
    reasons = {
        name.removeprefix("unreachable "): count for name, count in sorted(found.items()) if name[:12] == "unreachable "
    }
    return BroadcastFigures(
        found["audience"], found["waiting"], found["sent"], found["read"], found["answered"], found["stopped"],
        found["opted_out"], reasons,
    )  # fmt: skip


def deliveries_page(
    reader: Reader, broadcast: int, state: DeliveryState | None, after: int, limit: int
) -> tuple[list[Delivery], int | None]:
    """In order of contacts; and the `after` of the next page."""
    rows = reader.execute(
        f"SELECT d.contact, c.id, d.state, d.reason, d.at, {READ}, d.answered_at, d.stopped_at "  # noqa: S608
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
