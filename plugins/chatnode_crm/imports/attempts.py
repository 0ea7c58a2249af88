"""Parts of a transaction that may fail without the rest."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.api import IntegrityError, Refusal, Transaction


def attempt_write(tx: Transaction, part: Callable[[], object]) -> Refusal | None:
    """Run a part of the transaction; returns why it failed, and then nothing of it is left. A value that another row
    has is such a reason."""

    def run() -> None:
        try:
            part()
        except IntegrityError:
            raise Refusal("conflict", "a value that only one can have") from None

    return tx.attempt(run)
