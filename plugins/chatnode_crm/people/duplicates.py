"""Looking for contacts that may be one person, as durable work.

Each contact is put into a few blocks, and compared with its neighbours in each (`similar.py`), so the work grows with
the number of contacts, and not with its square.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from chatnode.api import Context, Reader, Transaction, Work, WorkKind
from chatnode_crm.contacts.finding import rows
from chatnode_crm.people.pairs import Reason, suggest_many
from chatnode_crm.people.similar import alike_within, blocks_of, reason_of

_MOST_WITH_PHONE = 10
"""A phone number that more contacts have is that of a company, and says nothing."""
_PHONE = "phone "
_NEAR = 1_000
"""How much is compared at a time: whole blocks, or a part of one that is larger."""
_OVERLAP = 20
"""How much of the part before is compared again with the next part of a large block. More than `_MOST_WITH_PHONE`, so
that each part of such a block shows how large it is."""


async def find_duplicates(ctx: Context, work: Work) -> Mapping[str, Any] | None:
    """Suggest pairs. The state is how far it got: in making blocks by contact, then in comparing by block."""
    state = dict(work.state or {"step": "clear"})
    if state["step"] == "clear":
        for size in work.slices(5_000):
            if not await work.write(lambda tx, size=size: _clear(tx, size)):
                break
        state = {"step": "blocks", "after": 0}
    if state["step"] == "blocks":
        await _make_blocks(ctx, work, state)
        state = {"step": "compare", "block": "", "sort": "", "contact": 0, "found": 0}
        await work.write(lambda tx: work.note(tx, state=state))
    found = await _compare(ctx, work, dict(work.state or state))
    for size in work.slices(5_000):
        if not await work.write(lambda tx, size=size: _clear(tx, size)):
            break
    return {"suggested": found}


def _clear(tx: Transaction, most: int) -> int:
    return tx.execute(
        "DELETE FROM crm_blocks WHERE (block, sort, contact) IN (SELECT block, sort, contact FROM crm_blocks LIMIT ?)",
        (most,),
    ).rowcount


# ---- blocks


async def _make_blocks(ctx: Context, work: Work, state: dict[str, Any]) -> None:
    (total,) = await ctx.read(lambda reader: reader.execute("SELECT count(*) FROM crm_contacts").fetchone())
    after = int(state["after"])
    for size in work.slices():
        keys = await ctx.read(lambda reader, after=after, size=size: _keys_after(reader, after, size))
        if not keys:
            return
        after = keys[-1]

        def write(tx: Transaction, keys: list[int] = keys) -> None:
            tx.executemany("INSERT INTO crm_blocks (block, sort, contact) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [
                (block, sort, row.key)
                for row in rows(tx, keys)
                for block, sort in (
                    *blocks_of(row.first_name, row.last_name, row.company, row.country),
                    *([(f"{_PHONE}{row.phone_key}", "")] if row.phone_key else []),
                )
            ])  # fmt: skip
            work.note(tx, done=work.done + len(keys), total=2 * total, state={"step": "blocks", "after": keys[-1]})

        await work.write(write)


def _keys_after(reader: Reader, after: int, most: int) -> list[int]:
    found = reader.execute("SELECT key FROM crm_contacts WHERE key > ? ORDER BY key LIMIT ?", (after, most))
    return [key for (key,) in found]


# ---- comparing

_Entry = tuple[str, str, int]
_Pair = tuple[int, int, Reason, int]


async def _compare(ctx: Context, work: Work, state: dict[str, Any]) -> int:
    """Go through all blocks in order, from where the state says."""
    at, found = (state["block"], state["sort"], state["contact"]), int(state["found"])
    while True:
        entries = await ctx.read(lambda reader, at=at: _entries_after(reader, at))
        if not entries:
            return found
        suggested = _pairs_in(entries)
        at = entries[-1]
        found += len(suggested)

        def write(tx: Transaction, suggested: list[_Pair] = suggested, at: _Entry = at, found: int = found) -> None:
            suggest_many(tx, _still_there(tx, suggested))
            block, sort, contact = at
            state = {"step": "compare", "block": block, "sort": sort, "contact": contact, "found": found}
            work.note(tx, state=state)

        await work.write(write)


def _entries_after(reader: Reader, at: _Entry) -> list[_Entry]:
    """The next blocks, each of them whole. One that is too large for that comes in parts, each with the end of the one
    before."""
    page = reader.execute(
        "SELECT block, sort, contact FROM crm_blocks WHERE (block, sort, contact) > (?, ?, ?) "
        "ORDER BY block, sort, contact LIMIT ?",
        (*at, _NEAR),
    ).fetchall()
    if len(page) == _NEAR:  # the last block may have more
        page = [each for each in page if each[0] != page[-1][0]] or page
    return [*_entries_before(reader, at), *page] if page and page[0][0] == at[0] else page


def _entries_before(reader: Reader, at: _Entry) -> list[_Entry]:
    """The last ones up to `at` of its block."""
    found = reader.execute(
        "SELECT block, sort, contact FROM crm_blocks WHERE block = ? AND (sort, contact) <= (?, ?) "
        "ORDER BY sort DESC, contact DESC LIMIT ?",
        (*at, _OVERLAP),
    ).fetchall()
    return found[::-1]


def _pairs_in(entries: list[_Entry]) -> list[_Pair]:
    found: dict[tuple[int, int], _Pair] = {}
    start = 0
    for end in range(1, len(entries) + 1):
        if end == len(entries) or entries[end][0] != entries[start][0]:
            for one, other, reason, score in _pairs_of(entries[start:end]):
                key = min(one, other), max(one, other)
                if one != other and (key not in found or found[key][3] < score):
                    found[key] = one, other, reason, score
            start = end
    return list(found.values())


def _pairs_of(block: list[_Entry]) -> list[_Pair]:
    """Of entries of one block."""
    name = block[0][0]
    if name.startswith(_PHONE):
        if len(block) > _MOST_WITH_PHONE:
            return []
        return [(one[2], other[2], "phone", 95) for one, other in pairwise(block)]
    reason: Reason = "name_company" if reason_of(name) == "name_company" else "name"
    return [
        (block[one][2], block[other][2], reason, score if reason == "name_company" else score - 10)
        for one, other, score in alike_within([sort for _, sort, _ in block])
    ]


def _still_there(tx: Transaction, pairs: list[_Pair]) -> list[_Pair]:
    there = {row.key for row in rows(tx, sorted({key for pair in pairs for key in pair[:2]}))}
    return [pair for pair in pairs if pair[0] in there and pair[1] in there]


KIND = WorkKind("duplicates", find_duplicates, "Looking for duplicates")
