"""What is served, by what the scan said and what the scanner is."""

from __future__ import annotations

from itertools import product

import attrs
import pytest
from chatnode_attachments.scanning.verdicts import ScannerState, refuse_unless_servable, servable

from chatnode.errors import Refusal

SCANNERS: tuple[ScannerState, ...] = ("off", "ok", "misconfigured", "down")
SCANS = ("off", "pending", "safe", "unsafe", "error")
PLACES = ("local", "missing", "removed")


@attrs.frozen
class Row:
    scan: str
    place: str = "local"
    quarantined: int = 0


@attrs.frozen
class Scanner:
    state: ScannerState


@pytest.mark.parametrize(("scan", "scanner"), list(product(SCANS, SCANNERS)))
def test_only_safe_content_is_served_and_unscanned_content_where_nothing_is_scanned(
    scan: str, scanner: ScannerState
) -> None:
    expected = {"safe": "yes", "unsafe": "gone", "off": "yes" if scanner == "off" else "pending"}.get(scan, "pending")
    assert servable(Row(scan), Scanner(scanner)) == expected


@pytest.mark.parametrize(("scan", "place", "scanner"), list(product(SCANS, PLACES, SCANNERS)))
def test_nothing_withdrawn_or_lost_is_served_whatever_the_scan_said(
    scan: str, place: str, scanner: ScannerState
) -> None:
    assert servable(Row(scan, place, quarantined=1), Scanner(scanner)) == "gone"
    if place != "local":
        assert servable(Row(scan, place), Scanner(scanner)) == "gone"


def test_a_refusal_says_when_to_ask_again_or_why_the_file_is_gone() -> None:
    ok = Scanner("ok")
    refuse_unless_servable(Row("safe"), ok)
    with pytest.raises(Refusal) as waiting:
        refuse_unless_servable(Row("pending"), ok)
    assert (waiting.value.status, waiting.value.retry_after) == (503, 5.0)
    reasons = {
        Row("unsafe", "removed"): "virus scanner",
        Row("safe", quarantined=1): "moderator",
        Row("safe", "missing"): "missing",
        Row("safe", "removed"): "removed",
    }
    for row, reason in reasons.items():
        with pytest.raises(Refusal) as gone:
            refuse_unless_servable(row, ok)
        assert gone.value.status == 410
        assert reason in gone.value.message
