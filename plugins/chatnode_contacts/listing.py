"""Pages of a contact list: sorted, filtered, searched. Each order has an index, so that a page reads what it shows."""

from __future__ import annotations

from typing import Any

from chatnode.api import Account, Reader, invalid_cursor, read_cursor, record, write_cursor
from chatnode_contacts import words
from chatnode_contacts.entries import KEPT, SHOWN, Shown
from chatnode_contacts.model import ListContacts, Sort


@record(frozen=True)
class Order:
    """People who are alike in the column come in the same direction, by their keys."""

    column: str
    descending: bool


ORDERS: dict[Sort, Order] = {
    "recent": Order("e.interacted_at", True),
    "most_used": Order("e.rank", True),
    "name": Order("e.sort_name", False),
    "added": Order("e.added_at", True),
}


def page(reader: Reader, owner: Account, asked: ListContacts, limit: int) -> tuple[list[Shown], str | None]:
    """Up to `limit` entries, and the cursor of the following page if there is one."""
    order = ORDERS[asked.sort]
    values: dict[str, Any] = {"me": owner.key, "limit": limit + 1}
    conditions = [KEPT, *_filters(asked, values)]
    last = read_cursor(asked.after, str, str if asked.sort == "name" else int, str)
    if last is not None:
        values["value"], values["key"] = _place_of(reader, asked.sort, last)
        conditions.append(f"({order.column}, e.contact) {'<' if order.descending else '>'} (:value, :key)")
    way = "DESC" if order.descending else "ASC"
    found = reader.execute(
        f"{SHOWN} WHERE {' AND '.join(conditions)} ORDER BY {order.column} {way}, e.contact {way} LIMIT :limit", values
    )
    rows = [Shown._make(row) for row in found.fetchall()]
    if len(rows) <= limit:
        return rows, None
    del rows[limit:]
    return rows, _cursor_of(reader, owner, asked.sort, rows[-1])


_HAVING = "SELECT contact FROM contacts_labels WHERE owner = :me AND kind ="


def _filters(asked: ListContacts, values: dict[str, Any]) -> list[str]:
    found: list[str] = []
    if asked.favourite is not None:
        values["favourite"] = asked.favourite
        found.append("e.favourite = :favourite")
    for kind, name in (("group", asked.group), ("tag", asked.tag)):
        if name is not None:
            values[kind] = next(iter(words.listed([name])), "")
            found.append(f"e.contact IN ({_HAVING} '{kind}' AND folded = :{kind})")
    for number, spellings in enumerate(words.terms_of(asked.query)):
        names = {f"term{number}_{each}": spelling for each, spelling in enumerate(spellings)}
        values |= names
        found.append(f"({' OR '.join(f'instr(e.called, :{each}) OR instr(e.words, :{each})' for each in names)})")
    return found


# ---- cursors: the sort, its value in the last row, and that row's person


def _cursor_of(reader: Reader, owner: Account, sort: Sort, row: Shown) -> str:
    (value,) = reader.execute(
        f"SELECT {ORDERS[sort].column} FROM contacts_entries e WHERE e.owner = ? AND e.contact = ?",  # noqa: S608
        (owner.key, row.key),
    ).fetchone()
    return write_cursor(sort, value, row.id)


def _place_of(reader: Reader, asked_sort: Sort, last: list[int | str]) -> tuple[int | str, int]:
    """Value and key of the last row of the page before. Raises `Refusal("invalid")` for a cursor of another sort."""
    sort, value, id = last
    row = reader.execute("SELECT key FROM people WHERE id = ?", (id,)).fetchone()
    if sort != asked_sort or row is None:
        raise invalid_cursor()
    return value, row[0]
