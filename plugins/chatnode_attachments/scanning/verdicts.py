"""What a scan says about a file, and what follows from it for those who want the file."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from chatnode.api import Refusal, record

ScannerState: TypeAlias = Literal["off", "ok", "misconfigured", "down"]
"""`off`: no scanner is configured. `misconfigured`: it answers, but did not find what it must find."""

Servable: TypeAlias = Literal["yes", "pending", "gone"]

RETRY_AFTER = 5.0
"""Seconds after which a client should ask again for a file that is being scanned."""


@record(frozen=True)
class Clean:
    """Scanned, and nothing was found. `by` is the version of the scanner and its database."""

    by: str = ""


@record(frozen=True)
class Infected:
    """Something was found; `name` is what the scanner calls it."""

    name: str
    by: str = ""


@record(frozen=True)
class Unknown:
    """Nobody knows: the scanner failed, was too slow or said something unexpected. The file counts as unscanned."""

    why: str


ScanVerdict: TypeAlias = Clean | Infected | Unknown


class ScannedRow(Protocol):
    """What `servable` reads of a file: the columns of the same names."""

    @property
    def scan(self) -> str: ...

    @property
    def place(self) -> str: ...

    @property
    def quarantined(self) -> int: ...


class ScannerNow(Protocol):
    """What `servable` reads of the scanner."""

    @property
    def state(self) -> ScannerState: ...


def servable(row: ScannedRow, scanner: ScannerNow) -> Servable:
    """Whether the bytes of a file, or anything made of them, may leave the node now.

    This is the only place that decides it, for every variant and every way in. A scanner that is down or misconfigured
    gives no verdicts, but those it gave before stand. Content that was never scanned is served only by a node that
    scans nothing.
    """
    if row.quarantined or row.place != "local" or row.scan == "unsafe":
        return "gone"
    if row.scan == "safe" or (row.scan == "off" and scanner.state == "off"):
        return "yes"
    return "pending"


def refuse_unless_servable(row: ScannedRow, scanner: ScannerNow, path: str = "file") -> None:
    """Raises `Refusal`: `gone` (410), or `unavailable` (503) with the seconds after which to ask again."""
    match servable(row, scanner):
        case "yes":
            return
        case "pending":
            raise Refusal("unavailable", "the file is being scanned", path=path, retry_after=RETRY_AFTER)
        case "gone":
            raise Refusal("gone", why_gone(row), path=path)


def why_gone(row: ScannedRow) -> str:
    """For people: why a file is not served any more."""
    if row.scan == "unsafe":
        return "the virus scanner found something in the file; it was removed"
    if row.quarantined:
        return "a moderator withdrew the file"
    if row.place == "missing":
        return "the file is missing on the node"
    return "the file was removed"
