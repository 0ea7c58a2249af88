"""Interrupts SQL in database threads, where nothing can be cancelled: when a time budget is used up, or work is
abandoned.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from chatnode.errors import Refusal
from chatnode.storage.engine.connection import Querying, Reader, was_interrupted

_STEPS_BETWEEN_LOOKS = 20_000
"""Instructions of SQLite's virtual machine between checks: well below a millisecond. Each check may have to wait for
the GIL.
"""


@contextmanager
def interrupting(source: Querying, when: Callable[[], bool]) -> Generator[None]:
    """A statement that runs within the block is interrupted once `when()` is true.

    `when` is called in the connection's thread. Blocks nest: the first whose `when` is true interrupts.
    """
    connection = source.connection
    outer = connection.cutter

    def is_time() -> bool:
        return when() or (outer is not None and outer())

    _set_cutter(connection, is_time)
    try:
        yield
    finally:
        _set_cutter(connection, outer)


@contextmanager
def budget(
    source: Querying, seconds: float, clock: Callable[[], float] = time.monotonic
) -> Generator[Callable[[], bool]]:
    """A statement that runs within the block is interrupted once the block has used `seconds` of the `clock`.

    Yields a function that returns whether it has. Blocks nest: the first whose time is up interrupts. When a writing
    statement is interrupted, SQLite rolls the whole transaction back; so if the block suppresses that error, it is
    raised at the block's end.
    """
    connection = source.connection
    end, cut = clock() + seconds, False
    began_in_transaction = connection.in_transaction

    def is_over() -> bool:
        return clock() > end

    def cuts() -> bool:
        nonlocal cut
        cut = is_over()
        return cut

    with interrupting(connection, cuts):
        yield is_over
    if cut and began_in_transaction and not connection.in_transaction:
        error = sqlite3.OperationalError("interrupted")
        error.sqlite_errorcode = sqlite3.SQLITE_INTERRUPT
        raise error


@contextmanager
def deadline(reader: Reader, seconds: float, hint: str) -> Generator[None]:
    """`budget` for what a client requested (0 seconds: no deadline).

    Raises `Refusal("too_large")` once its time is up; `hint` says what would cost less.
    """
    if not seconds:
        yield
        return
    with budget(reader, seconds) as is_over:
        try:
            yield
        except sqlite3.OperationalError as error:
            if not (was_interrupted(error) and is_over()):
                raise
            raise Refusal(
                "too_large", f"the query was stopped after {seconds:g} seconds (limits.query_seconds); {hint}"
            ) from None


def _set_cutter(connection: Reader, cutter: Callable[[], bool] | None) -> None:
    connection.set_progress_handler(cutter, _STEPS_BETWEEN_LOOKS if cutter is not None else 0)
    connection.cutter = cutter
