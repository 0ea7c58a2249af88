"""Recording one event about each of many subjects."""

from __future__ import annotations

from collections.abc import Iterable

from chatnode.api import Event, Transaction


def record_each(tx: Transaction, event: Event, subjects: Iterable[int], *, actor: int | None) -> None:
    """Events without audience; their fields are read from the tables when somebody asks for them."""
    for subject in subjects:
        tx.record(event, subject=subject, actor=actor)
