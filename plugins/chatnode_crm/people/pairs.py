"""Pairs of contacts that may be one person, and those that are known not to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chatnode.api import Querying, Transaction, json_array, record

Reason = Literal["identity", "phone", "name_company", "name"]


@record(frozen=True)
class PairRow:
    """`one` and `other` are keys of contacts; `score` is how sure the suggestion is, of 100."""

    one: int
    other: int
    reason: Reason
    score: int
    at: int


def suggest(tx: Transaction, one: int, other: int, reason: Reason, score: int) -> None:
    """Suggest that two contacts are one person, unless a user said that they are not. The surer reason stays."""
    suggest_many(tx, [(one, other, reason, score)])


def suggest_many(tx: Transaction, pairs: Sequence[tuple[int, int, Reason, int]]) -> None:
    """`suggest` for each `(one, other, reason, score)`."""
    tx.executemany(
        "INSERT INTO crm_pairs (one, other, verdict, reason, score, at) VALUES (?, ?, 'suggested', ?, ?, ?) "
        "ON CONFLICT (one, other) DO UPDATE SET reason = excluded.reason, score = excluded.score "
        "WHERE crm_pairs.verdict = 'suggested' AND crm_pairs.score < excluded.score",
        [(min(one, other), max(one, other), reason, score, tx.now) for one, other, reason, score in pairs],
    )


def set_not_same(tx: Transaction, one: int, other: int, actor: int | None) -> bool:
    """Two contacts are two people, whatever looks alike: they are not suggested again. Whether that is new."""
    rows = tx.execute(
        "INSERT INTO crm_pairs (one, other, verdict, reason, score, at, by) VALUES (?, ?, 'not_same', 'name', 0, ?, ?) "
        "ON CONFLICT (one, other) DO UPDATE SET verdict = excluded.verdict, at = excluded.at, by = excluded.by "
        "WHERE crm_pairs.verdict <> excluded.verdict",
        (min(one, other), max(one, other), tx.now, actor),
    )
    return rows.rowcount > 0


def forget_verdict(tx: Transaction, one: int, other: int) -> bool:
    """Two contacts may be suggested and merged again. Whether they could not be."""
    rows = tx.execute(
        "DELETE FROM crm_pairs WHERE one = ? AND other = ? AND verdict = 'not_same'", (min(one, other), max(one, other))
    )
    return rows.rowcount > 0


def is_not_same(reader: Querying, one: int, other: int) -> bool:
    row = reader.execute(
        "SELECT 1 FROM crm_pairs WHERE one = ? AND other = ? AND verdict = 'not_same'",
        (min(one, other), max(one, other)),
    ).fetchone()
    return row is not None


def suggested_page(reader: Querying, after: Sequence[int] | None, limit: int) -> list[PairRow]:
    """The surest first; `after` is the score and the keys of the last one."""
    score, one, other = after if after is not None else (101, 0, 0)
    rows = reader.execute(
        "SELECT one, other, reason, score, at FROM crm_pairs WHERE verdict = 'suggested' "
        "AND (score < :score OR (score = :score AND (one, other) > (:one, :other))) "
        "ORDER BY score DESC, one, other LIMIT :limit",
        {"score": score, "one": one, "other": other, "limit": limit},
    )
    return [PairRow(*row) for row in rows]


def suggested_for(reader: Querying, contact: int) -> list[PairRow]:
    """Who a contact may be, too; the surest first."""
    rows = reader.execute(
        "SELECT one, other, reason, score, at FROM crm_pairs WHERE one = :key AND verdict = 'suggested' "
        "UNION ALL SELECT one, other, reason, score, at FROM crm_pairs WHERE other = :key AND verdict = 'suggested' "
        "ORDER BY 4 DESC, 1, 2",
        {"key": contact},
    )
    return [PairRow(*row) for row in rows]


def forget_pairs(tx: Transaction, keys: Sequence[int]) -> None:
    """Pairs of contacts that are gone."""
    many = json_array(keys)
    for column in ("one", "other"):
        tx.execute(f"DELETE FROM crm_pairs WHERE {column} IN (SELECT value FROM json_each(?))", (many,))  # noqa: S608
    tx.execute("DELETE FROM crm_blocks WHERE contact IN (SELECT value FROM json_each(?))", (many,))
