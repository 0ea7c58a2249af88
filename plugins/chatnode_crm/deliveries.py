"""What became of broadcasts, as numbers; and what becomes of those numbers when contacts are merged, or are gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from chatnode.api import Querying, Transaction, json_array

READ = (
    "EXISTS (SELECT 1 FROM members m JOIN people p ON p.key = m.person AND p.bot = 0 "
    "WHERE m.conversation = d.conversation AND m.shown_seq >= d.seq)"
)
"""Of a message that was sent: whether it was read, as far as the recipient lets others know. A direct conversation
keeps its two members when one of them is erased."""
Delivery = Mapping[str, Any]
"""A row of `crm_deliveries`."""
_BEST = ("sent", "waiting", "opted_out", "unreachable")
"""What became of one contact is what became of both, once they are merged: what comes first here."""
_ELSEWHERE = "unreachable conflict"
"""This person has got it, or will, as another contact."""


def counts(reader: Querying, condition: str, values: Sequence[object]) -> dict[int, Counter[str]]:
    """Figures by broadcast; the condition is about a delivery `d`."""
    rows = reader.execute(
        f"SELECT d.broadcast, d.state, d.reason, count(*), "  # noqa: S608 -- our own conditions
        f"sum(CASE WHEN d.state = 'sent' AND {READ} THEN 1 ELSE 0 END), "
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
    return found


def forget_deliveries(tx: Transaction, keys: Sequence[int]) -> None:
    """Of contacts that are gone only numbers stay."""
    many = json_array(keys)
    gone = counts(tx, "d.contact IN (SELECT value FROM json_each(?))", (many,))
    for broadcast, figures in gone.items():
        del figures["waiting"]
        _add(tx, broadcast, figures)
    tx.execute("DELETE FROM crm_deliveries WHERE contact IN (SELECT value FROM json_each(?))", (many,))


# ---- merging


def merge_deliveries(tx: Transaction, kept: int, other: int) -> list[dict[str, Any]]:
    """Of a broadcast to both contacts the better delivery stays, and the numbers of the other one; returns those, as
    rows of `crm_delivered`, for `unmerge_deliveries`."""
    both = tx.execute(
        "SELECT mine.broadcast, mine.state, theirs.state FROM crm_deliveries mine JOIN crm_deliveries theirs "
        "ON theirs.broadcast = mine.broadcast WHERE mine.contact = ? AND theirs.contact = ? ORDER BY mine.broadcast",
        (kept, other),
    ).fetchall()
    added: list[dict[str, Any]] = []
    for broadcast, mine, theirs in both:
        dropped = broadcast, other if _stays(mine, theirs) else kept
        figures = counts(tx, "d.broadcast = ? AND d.contact = ?", dropped)[broadcast]
        figures[_ELSEWHERE] += figures.pop("waiting", 0)
        added += _add(tx, broadcast, figures)
        tx.execute("DELETE FROM crm_deliveries WHERE broadcast = ? AND contact = ?", dropped)
    tx.execute("UPDATE crm_deliveries SET contact = ? WHERE contact = ?", (kept, other))
    return added


def unmerge_deliveries(
    tx: Transaction,
    kept: Sequence[Delivery],
    other: Sequence[Delivery],
    contact: int,
    gone: int,
    added: Sequence[Mapping[str, Any]] | None,
) -> None:
    """Each contact has its deliveries again, which have gone on meanwhile: `kept` and `other` are what the contacts
    `contact` and `gone` had. `added` is from `merge_deliveries`; in earlier versions that of `contact` always stayed.
    """
    mine = {row["broadcast"]: row for row in kept}
    for row in other:
        own = mine.get(row["broadcast"])
        if own is not None and (added is None or _stays(own["state"], row["state"])):
            _put_back(tx, row)
            continue
        tx.execute(
            "UPDATE crm_deliveries SET contact = ? WHERE broadcast = ? AND contact = ?",
            (gone, row["broadcast"], contact),
        )
        if own is not None:
            _put_back(tx, own)
    less = [dict(each) for each in added or ()]
    of_figure = "broadcast = :broadcast AND figure = :figure"
    tx.executemany(f"UPDATE crm_delivered SET count = count - :count WHERE {of_figure}", less)  # noqa: S608
    tx.executemany(f"DELETE FROM crm_delivered WHERE {of_figure} AND count = 0", less)  # noqa: S608 -- constants


def _stays(mine: str, theirs: str) -> bool:
    return _BEST.index(mine) <= _BEST.index(theirs)


def _put_back(tx: Transaction, row: Delivery) -> None:
    """As it was; but it does not wait for a broadcast that is over."""
    names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    tx.execute(f"INSERT INTO crm_deliveries ({names}) VALUES ({places})", row)  # noqa: S608 -- our own names
    tx.execute(
        "UPDATE crm_deliveries SET state = 'unreachable', reason = 'conflict', at = :now WHERE broadcast = :broadcast "
        "AND contact = :contact AND state = 'waiting' "
        "AND EXISTS (SELECT 1 FROM crm_broadcasts b WHERE b.key = :broadcast AND b.state = 'done')",
        {"now": tx.now, "broadcast": row["broadcast"], "contact": row["contact"]},
    )


def _add(tx: Transaction, broadcast: int, figures: Counter[str]) -> list[dict[str, Any]]:
    """Add to the numbers of deliveries that are gone."""
    rows = [{"broadcast": broadcast, "figure": figure, "count": count} for figure, count in figures.items() if count]
    tx.executemany(
        "INSERT INTO crm_delivered (broadcast, figure, count) VALUES (:broadcast, :figure, :count) "
        "ON CONFLICT (broadcast, figure) DO UPDATE SET count = crm_delivered.count + excluded.count",
        rows,
    )
    return rows
