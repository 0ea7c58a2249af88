"""Pages of a contact list: sorted, filtered, searched. Each order has an index, so that a page reads what it shows."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from chatnode.api import Account, Reader, Refusal, record
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
    if asked.after is not None:
        values["value"], values["key"] = _read_cursor(reader, asked)
        conditions.append(f"({order.column}, e.contact) {'<' if order.descending else '>'} (:value, :key)")
    way = "DESC" if order.descending else "ASC"
    found = reader.execute(
        f"{SHOWN} WHERE {' AND '.join(conditions)} ORDER BY {order.column} {way}, e.contact {way} LIMIT :limit", values
    )
    rows = [Shown._make(row) for row in found.fetchall()]
    if len(rows) <= limit:
        return rows, None
    del rows[limit:]
    return rows, _write_cursor(reader, owner, asked.sort, rows[-1])


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


def _write_cursor(reader: Reader, owner: Account, sort: Sort, row: Shown) -> str:
    (value,) = reader.execute(
        f"SELECT {ORDERS[sort].column} FROM contacts_entries e WHERE e.owner = ? AND e.contact = ?",  # noqa: S608
        (owner.key, row.key),
    ).fetchone()
    return base64.urlsafe_b64encode(orjson.dumps([sort, value, row.id])).decode().rstrip("=")


def _read_cursor(reader: Reader, asked: ListContacts) -> tuple[Any, int]:
    """Value and key of the last row of the page before.

    Raises `Refusal("invalid")` for what is no cursor of this list.
    """
    assert asked.after is not None
    try:
        padded = asked.after.encode("ascii") + b"=" * (-len(asked.after) % 4)
        sort, value, id = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        raise _no_cursor() from None
    is_value = isinstance(value, str) if asked.sort == "name" else isinstance(value, int) and 0 <= value < 2**63
    if sort != asked.sort or not is_value or not isinstance(id, str):
        raise _no_cursor()
    row = reader.execute("SELECT key FROM people WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise _no_cursor()
    return value, row[0]


def _no_cursor() -> Refusal:
    return Refusal("invalid", "after must be the `next` of the previous page, with the same sort", path="after")
