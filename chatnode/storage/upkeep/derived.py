"""Repairs derived data: what the tables store although it could be computed, each a `Derived` of a subject."""

from __future__ import annotations

from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.transaction import Transaction


def repair(tx: Transaction) -> dict[str, int]:
    """Recompute all derived data; returns the number of changed rows by name, where there were any.

    In the order of the subjects, and of what each declares: heads depend on floors and marks on heads. What people said
    is never changed but where it was deleted. The index of search is not among them: `services/search.py` repairs it.
    """
    derived = additions(tx).derived
    changed = {name: sum(tx.execute(statement).rowcount for statement in each.repair) for name, each in derived.items()}
    return {name: count for name, count in changed.items() if count}
