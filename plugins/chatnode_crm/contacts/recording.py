"""Recording an event about each of many contacts."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Event, Transaction


def record_many(tx: Transaction, event: Event, subjects: Sequence[int], *, actor: int | None) -> None:
    """Record one event for each subject, in order, for consumers only: no user is notified."""
    many = getattr(tx, "record_many", None)
    if many is not None:
        many(event, subjects, actor=actor)
        return
    for subject in subjects:
        tx.record(event, subject=subject, actor=actor)
