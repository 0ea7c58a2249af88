"""When certificates are renewed, and when a failed try is repeated."""

from __future__ import annotations

from base64 import b64decode, encodebytes
from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnode.acme.renewal_info import RenewalWindow, read_window
from chatnode.certificates import renewal, x509
from chatnode.certificates.x509 import Facts

DAY = 86_400.0


def certificate(days: float = 90.0, der: bytes = b"der") -> Facts:
    return Facts(("a.example",), "An Authority", "1", 0.0, days * DAY, False, "aki.serial", der)


@given(st.binary(max_size=20), st.floats(1, 400))
def test_without_a_suggestion_it_is_about_two_thirds(der: bytes, days: float) -> None:
    facts = certificate(days, der)
    due = renewal.due_at(facts, None)
    assert 0.61 * facts.lifetime < due <= facts.lifetime * 2 / 3
    assert not renewal.is_late(facts, due - 1)
    assert renewal.due_at(facts, None) == due


def test_the_moment_is_spread_and_the_same_each_time() -> None:
    moments = [renewal.due_at(certificate(der=b"%d" % number), None) for number in range(200)]
    assert len(set(moments)) == 200
    assert max(moments) - min(moments) > 0.04 * 90 * DAY
    window = RenewalWindow(10 * DAY, 11 * DAY)
    within = [renewal.due_at(certificate(der=b"%d" % number), window) for number in range(200)]
    assert 10 * DAY <= min(within) < 10.1 * DAY
    assert 10.9 * DAY < max(within) <= 11 * DAY


def test_a_window_in_the_past_means_now_and_one_beyond_the_end_nothing() -> None:
    assert renewal.due_at(certificate(), RenewalWindow(-5 * DAY, -4 * DAY)) < 0
    assert renewal.due_at(certificate(), RenewalWindow(80 * DAY, 91 * DAY)) == renewal.due_at(certificate(), None)


def test_after_a_renewal_that_was_early_a_window_in_the_past_counts_a_day_later() -> None:
    """Else an authority that always suggests a time that has passed would be asked for a certificate each hour."""
    past = RenewalWindow(-5 * DAY, -4 * DAY)
    assert renewal.due_at(certificate(90), past, early_at=60.0) == 60.0 + DAY
    assert renewal.due_at(certificate(3), past, early_at=60.0) == 60.0 + DAY / 2
    later = RenewalWindow(50 * DAY, 51 * DAY)
    assert renewal.due_at(certificate(90), later, early_at=60.0) == renewal.due_at(certificate(90), later)
    usual = renewal.due_at(certificate(90), None)
    assert renewal.due_at(certificate(90), past, early_at=usual) == usual


def test_windows_are_read_strictly() -> None:
    window = {"start": "2025-01-02T04:00:00Z", "end": "2025-01-03T04:00:00Z"}
    start = datetime(2025, 1, 2, 4, tzinfo=UTC).timestamp()
    assert read_window({"suggestedWindow": window}) == RenewalWindow(start, start + DAY)
    explained = {"suggestedWindow": window, "explanationURL": "https://ca.example/why"}
    assert read_window(explained) == RenewalWindow(start, start + DAY, "https://ca.example/why")
    for wrong in (
        {}, {"suggestedWindow": None}, {"suggestedWindow": []}, {"suggestedWindow": {"start": window["start"]}},
        {"suggestedWindow": {"start": 1, "end": 2}}, {"suggestedWindow": {"start": "soon", "end": "later"}},
        {"suggestedWindow": {"start": window["end"], "end": window["start"]}},
        {"suggestedWindow": {"start": window["start"], "end": window["start"]}},
    ):  # fmt: skip
        assert read_window(wrong) is None


def test_failures_wait_1_10_100_minutes_and_then_a_day() -> None:
    waits = [renewal.wait_after(failures, 0, 0, 0.5) for failures in range(1, 7)]
    assert waits == [60, 600, 6_000, DAY, DAY, DAY]
    assert [renewal.wait_after(1, 0, 0, chance) for chance in (0, 1)] == [pytest.approx(54), pytest.approx(66)]


def test_what_the_authority_asks_for_counts_up_to_half_of_what_is_left() -> None:
    assert renewal.wait_after(1, 3_600, 30 * DAY, 0.5) == 3_600
    assert renewal.wait_after(1, 40 * DAY, 30 * DAY, 0.5) == 15 * DAY
    assert renewal.wait_after(1, 40 * DAY, 0, 0.5) == 40 * DAY
    assert renewal.wait_after(4, 3_600, DAY / 10, 0.5) == DAY


def test_a_third_left_is_late() -> None:
    facts = certificate()
    assert not renewal.is_late(facts, 59 * DAY)
    assert renewal.is_late(facts, 60 * DAY)


def test_what_a_certificate_says() -> None:
    facts = x509.read(x509.self_signed(["a.example", "b.example"]))
    assert facts.names == ("a.example", "b.example")
    assert facts.self_signed
    assert facts.ari == ""
    assert attrs.evolve(facts, der=b"") != facts


def test_certificates_that_cannot_be_understood_are_no_other_fault() -> None:
    pem = x509.self_signed(["a.example"])
    der = b64decode(b"".join(pem.partition(b"-----BEGIN CERTIFICATE-----\n")[2].splitlines()[:-1]))
    version, name = bytes.fromhex("a003020102"), b"\x82\x09a.example"
    assert der.count(version) == der.count(name) == 1
    for broken in (
        der.replace(version, version[:-1] + b"\x07"), der.replace(name, b"\xa3" + name[1:]),  # an x400Address
        der[:40], b"",
    ):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011 - the words are those of cryptography
            x509.read(b"-----BEGIN CERTIFICATE-----\n" + encodebytes(broken) + b"-----END CERTIFICATE-----\n")
