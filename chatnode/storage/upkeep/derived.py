"""Repairing what the tables hold a second time, so that it need not be counted: each `Derived` of the subjects."""

from __future__ import annotations

from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.transaction import Transaction


def repair(tx: Transaction) -> dict[str, int]:
    """Make everything derived agree with what it is derived from; rows changed, by name, for each that had any.

    In the order of the subjects, and of what each declares: heads depend on floors and marks on heads. What people said
    is never changed but where it was deleted. The index of search is not among them: `services/search.py` repairs it.
    """
    derived = additions(tx).derived
    changed = {name: sum(tx.execute(statement).rowcount for statement in each.repair) for name, each in derived.items()}
    return {name: count for name, count in changed.items() if count}
