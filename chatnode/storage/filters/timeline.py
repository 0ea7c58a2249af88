"""Messages by time, without an index of all their times.

The times of most messages rise with seq; the others are marked, and only they are in an index by time
(`storage/messages/times.py`). So a query that is bounded by time looks for both, each in its own order, and a list by
time merges the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatnode.model.records import record
from chatnode.storage.engine.connection import Reader
from chatnode.storage.filters.collection import Asker
from chatnode.storage.filters.compile import Parameters
from chatnode.storage.filters.parse import All, Condition, Test
from chatnode.storage.filters.statement import Plan, part
from chatnode.storage.filters.statement import statement as statement_of_parts
from chatnode.storage.messages.visible import CONVERSATION, SEQ, TIME, shows_messages

_IN_ORDER, _LATE = "item.late IS NULL", "item.late IS NOT NULL"
_NEAR = (
    "(SELECT near.seq FROM messages near WHERE near.conversation = {} AND near.late IS NULL AND near.seq % 256 = 0 AND "
)
_FIRST = f"coalesce({_NEAR} near.at < {{}} ORDER BY near.at DESC, near.seq DESC LIMIT 1), 0)"
"""SQL: a seq such that no message in order before it has this time or a later one."""
_LAST = f"coalesce({_NEAR} near.at > {{}} ORDER BY near.at, near.seq LIMIT 1), {2**62})"
"""SQL: a seq such that no message in order after it has this time or an earlier one."""
_LONG_ROWS = (
    "SELECT seq - late, max(seq) FROM messages WHERE conversation = ? AND seq BETWEEN ? AND ? AND late % 256 = 0 "
    "GROUP BY seq - late ORDER BY 1"
)


@record(frozen=True)
class _Span:
    """The bounds that a query sets on the time, in milliseconds, both included; None: no bound."""

    first: int | None
    last: int | None


def statement(plan: Plan, parameters: Parameters) -> str:
    """The statement of a plan. If it is bounded by time, messages in order and the others are its two parts."""
    span = _span(plan)
    if span.first is None and span.last is None:
        return statement_of_parts(plan, parameters)
    in_order = _IN_ORDER
    if span.first is not None:
        in_order += f" AND {SEQ} >= {_FIRST.format('mine.conversation', parameters.bind(span.first))}"
    if span.last is not None:
        in_order += f" AND {SEQ} <= {_LAST.format('mine.conversation', parameters.bind(span.last))}"
    return statement_of_parts(plan, parameters, (in_order, _LATE))


def rows(reader: Reader, asker: Asker, plan: Plan) -> list[tuple[Any, ...]] | None:
    """The rows of a plan that lists messages of one conversation by time, up to one more than its limit; None for other
    plans."""
    id = _one_conversation(plan.condition) if _is_by_time(plan) else None
    if id is None:
        return None
    place = reader.execute("SELECT key, floor, head FROM conversations WHERE id = ?", (id,)).fetchone()
    if place is None:
        return []
    found = _rows_in_order(reader, asker, plan, *place)
    if reader.execute(
        "SELECT 1 FROM messages WHERE conversation = ? AND late IS NOT NULL LIMIT 1", place[:1]
    ).fetchone():
        parameters = Parameters(asker)
        found += reader.execute(part(plan, parameters, _LATE, plan.keys), parameters.values)
        width = len(plan.shown)
        # Both parts are sorted, and no message is in both, so comparing time and seq is enough: the sort is stable.
        found.sort(key=lambda row: row[width : width + 2], reverse=plan.keys[0].descending)
    return found[: plan.limit + 1]


def _rows_in_order(
    reader: Reader, asker: Asker, plan: Plan, conversation: int, floor: int, head: int
) -> list[tuple[Any, ...]]:
    """The rows in order, read by seq, which for them is the order of time."""
    first, last, span = floor + 1, head, _span(plan)
    if span.first is not None:
        sql = f"SELECT {_FIRST.format('?', '?')}"
        first = max(first, *reader.execute(sql, (conversation, span.first)).fetchone())
    if span.last is not None:
        sql = f"SELECT {_LAST.format('?', '?')}"
        last = min(last, *reader.execute(sql, (conversation, span.last)).fetchone())
    parameters = Parameters(asker)
    low, high = parameters.bind(first), parameters.bind(last)
    sql = part(plan, parameters, f"{_IN_ORDER} AND {SEQ} >= {low} AND {SEQ} <= {high}", plan.keys[1:])
    found: list[tuple[Any, ...]] = []
    stretches = [*_stretches(reader, conversation, first, last)]
    for stretch in reversed(stretches) if plan.keys[0].descending else stretches:
        parameters.values[low[1:]], parameters.values[high[1:]] = stretch
        found += reader.execute(sql, parameters.values)
        if len(found) > plan.limit:
            break
    return found


def _stretches(reader: Reader, conversation: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Ranges of seq that cover all messages in order and leave out long rows of others."""
    for before, upto in reader.execute(_LONG_ROWS, (conversation, first, last)):
        if before >= first:
            yield first, before
        first = max(first, upto + 1)
    if first <= last:
        yield first, last


# ---- reading a plan


def _is_by_time(plan: Plan) -> bool:
    """Whether it lists messages by time, and those with the same time by seq."""
    if plan.grouped or not shows_messages(plan.collection.source) or len(plan.keys) < 2:
        return False
    time, seq = plan.keys[:2]
    return (time.field.sql, seq.field.sql) == (TIME, SEQ) and time.descending == seq.descending


def _span(plan: Plan) -> _Span:
    if not shows_messages(plan.collection.source):
        return _Span(None, None)
    first, last = list[int](), list[int]()
    for test in _required(plan.condition):
        if test.field.sql == TIME:
            times = [int(operand.value) for operand in test.operands]
            if test.operator in ("_eq", "_gt", "_gte", "_between"):
                first.append(times[0])
            if test.operator in ("_eq", "_lt", "_lte", "_between"):
                last.append(times[-1])
    if plan.after is not None and not plan.grouped and plan.keys[0].field.sql == TIME:
        (last if plan.keys[0].descending else first).append(plan.after[0])
    return _Span(max(first, default=None), min(last, default=None))


def _one_conversation(condition: Condition | None) -> str | None:
    """The id of the only conversation that a condition admits, if it names one."""
    for test in _required(condition):
        if test.field.sql == CONVERSATION and test.operator in ("_eq", "_in") and len(test.operands) == 1:
            return str(test.operands[0].value)
    return None


def _required(condition: Condition | None) -> Iterator[Test]:
    """The comparisons that must all hold."""
    match condition:
        case Test():
            yield condition
        case All(parts):
            for each in parts:
                yield from _required(each)
        case _:
            pass
