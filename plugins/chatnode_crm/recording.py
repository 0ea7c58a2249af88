"""Recording one event about each of many subjects."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Event, Transaction


def record_each(tx: Transaction, event: type[Event], subjects: Sequence[int], *, actor: int | None) -> None:
    """Events without audience; their fields are read from the tables when somebody asks for them."""
    many = getattr(tx, "record_many", None)
    if many is not None:
        many(event, subjects, actor=actor)
        return
    for subject in subjects:
        tx.record(event(), subject=subject, actor=actor)
