"""The decision table, against the same in other words."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from chatnode_notifications.deciding.table import (
    CLOSING_ROWS,
    LEVEL,
    MOST_AHEAD_MS,
    ROWS,
    Case,
    NodeRules,
    Reason,
    judge,
    reason_of,
)
from hypothesis import assume, given
from hypothesis import strategies as st

NOW = 1_800_000_000_000
RULES = NodeRules()
SECOND, HOUR = 1_000, 3_600_000


def case(**fields: Any) -> Case:
    """A message of this moment in a group, to a user who is away."""
    return Case(**{"now": NOW, "at": NOW, "reason": "ordinary", "made_at": NOW} | fields)


times = st.one_of(st.none(), st.integers(NOW - 2 * HOUR, NOW + 2 * HOUR), st.just(NOW), st.just(NOW + 300 * HOUR))
cases = st.builds(
    Case,
    now=st.just(NOW),
    at=st.sampled_from([NOW, NOW - 1, NOW - RULES.max_age, NOW - RULES.max_age - 1, NOW + HOUR]),
    reason=st.sampled_from(list(LEVEL)),
    made_at=st.integers(NOW - HOUR, NOW + HOUR),
    takes_part=st.booleans(), may_see=st.booleans(), deleted=st.booleans(), own=st.booleans(), bot=st.booleans(),
    can_act=st.booleans(), blocked=st.booleans(), imported=st.booleans(),
    notify=st.sampled_from(["all", "mentions", "none"]),
    muted_until=times, through_mute=st.booleans(), archived=st.booleans(), quieted=st.booleans(), held_until=times,
    paused_until=times, quiet_until=times, presence=st.sampled_from(["active", "idle", "away"]), read=st.booleans(),
    rang_at=times,
)  # fmt: skip
likely = cases.map(
    # Most of what is drawn above ends at once. This reaches the last rows.
    lambda one: attrs.evolve(
        one, takes_part=True, may_see=True, deleted=False, own=False, bot=False, can_act=True, blocked=False,
        imported=False, at=NOW, quieted=False,
    )
)  # fmt: skip


def restated(one: Case) -> tuple[str, int] | int:
    """How it ends and by which row, or when it is due. Slow, and as it is said to people."""
    personal = one.reason in ("mention", "reply", "thread", "direct")
    for row, true, ends in (
        (1, not one.takes_part or not one.may_see or one.deleted, "never"),
        (2, one.own or one.bot or not one.can_act, "never"),
        (3, one.blocked, "never"),
        (4, one.imported or one.now - one.at > 24 * HOUR, "inbox"),
        (6, one.notify == "none", "inbox"),
        (6, (one.muted_until or 0) > NOW and not (personal and one.through_mute), "inbox"),
        (7, one.notify == "mentions" and one.reason == "ordinary", "inbox"),
        (8, one.archived and one.reason == "ordinary", "inbox"),
        (9, one.quieted, "inbox"),
        (12, one.read, "suppressed"),
    ):
        if true:
            return ends, row
    waits = [NOW, one.held_until or 0, one.paused_until or 0, one.quiet_until or 0]
    if one.presence != "away" and one.made_at <= NOW:
        waits.append(one.made_at + (30 if one.presence == "active" else 10) * SECOND)
    if one.rang_at is not None and one.rang_at <= NOW and not personal:
        waits.append(one.rang_at + 60 * SECOND)
    return min(max(waits), NOW + 24 * HOUR)


@given(st.one_of(cases, likely))
def test_the_table_is_what_is_said_of_it(one: Case) -> None:
    verdict = judge(one, RULES)
    assert (restated(one)) == ((verdict.ending, verdict.row) if verdict.ending else verdict.due_at)


@given(likely)
def test_nothing_that_ends_is_due_and_the_row_is_one_of_the_table(one: Case) -> None:
    verdict = judge(one, RULES)
    assert (verdict.ending is None) == (verdict.due_at >= NOW)
    assert verdict.row in {0, *(row.number for row in ROWS)}
    assert verdict.due_at <= NOW + MOST_AHEAD_MS


@given(likely)
def test_when_it_is_due_the_same_says_so_unless_something_holds_it_back(one: Case) -> None:
    """A bundle is judged again at its time: then nothing of what postponed it is left."""
    assume(one.made_at <= NOW and (one.rang_at or 0) <= NOW)
    due = judge(one, RULES).due_at
    again = judge(attrs.evolve(one, now=due, held_until=None, quiet_until=None), RULES, CLOSING_ROWS)
    if again.ending is None and due < NOW + MOST_AHEAD_MS:
        assert again.due_at == due


@given(likely)
def test_times_of_a_clock_that_was_ahead_do_not_postpone_for_ever(one: Case) -> None:
    """Each of them may do so once, when it has become the past."""
    now = attrs.evolve(one, held_until=None, quiet_until=None, paused_until=None)
    for _ in range(3):
        verdict = judge(now, RULES, CLOSING_ROWS)
        if verdict.ending is not None or verdict.due_at == now.now:
            return
        now = attrs.evolve(now, now=verdict.due_at)
    assert judge(now, RULES, CLOSING_ROWS).due_at == now.now


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"direct": True}, "direct"),
        ({"direct": True, "mentioned": True, "reply": True}, "mention"),
        ({"reply": True, "thread": True}, "reply"),
        ({"reply": True, "replies": False}, "ordinary"),
        ({"reply": True, "thread": True, "replies": False}, "thread"),
        ({"thread": True, "threads": False, "everyone": True}, "everyone"),
        ({"everyone": True, "system": True}, "everyone"),
        ({"system": True}, "system"),
        ({}, "ordinary"),
    ],
)
def test_why_a_message_matters(fields: dict[str, bool], expected: Reason) -> None:
    asked = dict.fromkeys(("direct", "mentioned", "everyone", "reply", "thread", "system"), False) | fields
    assert reason_of(**asked) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, 0, 0)),
        ({"presence": "active"}, (None, 11, 30)),
        ({"presence": "idle"}, (None, 11, 10)),
        ({"presence": "active", "made_at": NOW - 60 * SECOND}, (None, 0, 0)),
        ({"rang_at": NOW - 20 * SECOND}, (None, 13, 40)),
        ({"rang_at": NOW - 20 * SECOND, "reason": "mention"}, (None, 0, 0)),
        ({"rang_at": NOW + HOUR}, (None, 0, 0)),  # by a clock that was ahead
        ({"made_at": NOW + HOUR, "presence": "active"}, (None, 0, 0)),
        ({"paused_until": NOW + HOUR, "presence": "active"}, (None, 10, 3_600)),
        ({"quiet_until": NOW + HOUR, "held_until": NOW + 2 * HOUR}, (None, 9, 7_200)),
        ({"muted_until": NOW + 1, "reason": "mention"}, ("inbox", 6, None)),
        ({"muted_until": NOW + 1, "reason": "mention", "through_mute": True}, (None, 0, 0)),
        ({"muted_until": NOW + 1, "reason": "everyone", "through_mute": True}, ("inbox", 6, None)),
        ({"muted_until": NOW}, (None, 0, 0)),
        ({"notify": "none", "reason": "direct", "through_mute": True}, ("inbox", 6, None)),
        ({"notify": "mentions", "reason": "everyone"}, (None, 0, 0)),
        ({"notify": "mentions", "reason": "system"}, (None, 0, 0)),
        ({"notify": "mentions"}, ("inbox", 7, None)),
        ({"archived": True}, ("inbox", 8, None)),
        ({"archived": True, "reason": "reply"}, (None, 0, 0)),
        ({"read": True, "presence": "active"}, ("suppressed", 12, None)),
        ({"at": NOW - 25 * HOUR, "reason": "direct"}, ("inbox", 4, None)),
    ],
)
def test_rows_by_example(fields: dict[str, Any], expected: tuple[str | None, int, int | None]) -> None:
    verdict = judge(case(**fields), RULES)
    wait = (verdict.due_at - NOW) // SECOND if verdict.ending is None else None
    assert (verdict.ending, verdict.row, wait) == expected
