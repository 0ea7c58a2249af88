"""When failures are tried again, and what they mean for an endpoint: pure functions."""

from __future__ import annotations

import json

import attrs
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.judging import DISABLE_MS, GRACE_MS, MOST_OUTSTANDING, NOTICE_MS, judge
from chatnode_webhooks.outgoing.kinds import EventFilter
from chatnode_webhooks.outgoing.schedule import MOST_WAIT, WAITS, next_due, next_probe
from hypothesis import given
from hypothesis import strategies as st

NEW = Endpoint(
    1, "0" * 32, None, "https://example.org/x", "", json.dumps(["*"]), "standard", False, "whsec_", None, None,
    "active", None, 0, "e" * 32, 0, 0, None, None, None, None, None, 0,
)  # fmt: skip


def failure(at: int, **fields: object) -> Attempt:
    return Attempt("failed", at, 1, 500, "answered 500", **fields)  # type: ignore[arg-type]


@given(st.integers(1, 10), st.none() | st.floats(0, 1e9))
def test_when_it_is_due_again(attempts: int, asked: float | None) -> None:
    due = next_due(0, attempts, asked)
    if attempts > len(WAITS):
        assert due is None
        return
    assert due is not None
    least, most = WAITS[attempts - 1] * 800, WAITS[attempts - 1] * 1200
    if asked is None:
        assert least - 1 <= due <= most
    else:
        assert max(least, min(asked, MOST_WAIT) * 1000) - 1 <= due <= max(most, MOST_WAIT * 1000)


def test_all_attempts_are_within_a_day() -> None:
    assert sum(WAITS) * 1.2 < 86_400


def test_waits_are_spread() -> None:
    assert len({next_due(0, 6, None) for _ in range(20)}) > 10
    assert len({next_probe(0, 5) for _ in range(20)}) > 10


def test_a_success_ends_all_trouble() -> None:
    troubled = attrs.evolve(NEW, state="stalled", failing_since=1, noticed_at=2, probes=9, probe_at=5)
    after, notice = judge(troubled, [Attempt("sent", 10, 1, 200)], 0, 10)
    assert (after.state, after.failing_since, after.noticed_at, after.probes, after.sent_at) == (
        "active",
        None,
        None,
        0,
        10,
    )
    assert notice is None


def test_stalled_when_too_much_is_outstanding_and_the_last_failed() -> None:
    after, _ = judge(NEW, [failure(1)], MOST_OUTSTANDING, 1)
    assert after.state == "stalled"
    assert judge(NEW, [failure(1)], MOST_OUTSTANDING - 1, 1)[0].state == "active"
    assert judge(NEW, [failure(1), Attempt("sent", 2, 1, 200)], MOST_OUTSTANDING, 2)[0].state == "active"


@given(st.lists(st.tuples(st.integers(0, DISABLE_MS // 3), st.booleans()), max_size=40))
def test_never_disabled_without_a_notice_half_a_day_before(steps: list[tuple[int, bool]]) -> None:
    """A slow restatement: it fails without a break for five days, and was told of half a day ago or more."""
    now, endpoint = 0, NEW
    first = noticed = None
    for wait, succeeds in steps:
        now += wait
        attempt = Attempt("sent", now, 1, 200) if succeeds else failure(now)
        endpoint, notice = judge(endpoint, [attempt], 0, now)
        if succeeds:
            first = noticed = None
            assert notice is None
            continue
        first = now if first is None else first
        if noticed is None and now - first >= NOTICE_MS:
            noticed = now
            assert notice == "failing"
        elif noticed is not None and now - first >= DISABLE_MS and now - noticed >= GRACE_MS:
            assert (notice, endpoint.state) == ("disabled", "disabled")
            return
        else:
            assert (notice, endpoint.state) == (None, "active")


def test_gone_disables_only_what_runs() -> None:
    gone = Attempt("gone", 1, 1, 410, "answered 410")
    assert judge(NEW, [gone], 0, 1)[0].state == "disabled"
    assert judge(attrs.evolve(NEW, state="paused"), [gone], 0, 1)[0].state == "paused"


def test_which_kinds_are_wanted() -> None:
    wanted = EventFilter(["message.posted", "crm.contact.*"])
    kinds = ("message.posted", "message.edited", "crm.contact.created", "crm.list.deleted")
    assert [kind in wanted for kind in kinds] == [True, False, True, False]
    assert (wanted.names, EventFilter(["message.posted"]).names) == (None, {"message.posted"})
    assert [wanted.covers(each) for each in ("crm.contact.*", "crm.*", "*", "message.posted", "message.*")] == [
        True, False, False, True, False,
    ]  # fmt: skip
    assert "webhooks.endpoint.changed" not in EventFilter(["*"])
