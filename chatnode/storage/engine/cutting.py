"""Time budgets for SQL in a thread of the database, where nothing can be cancelled: costly queries, and plugins'."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from chatnode.errors import Refusal
from chatnode.storage.engine.connection import Reader, was_interrupted
from chatnode.storage.engine.transaction import Transaction, connection_of

_STEPS_BETWEEN_LOOKS = 1_000
"""Of SQLite's virtual machine: some ten microseconds."""


@contextmanager
def cutting_sql(source: Reader | Transaction | None, seconds: float) -> Generator[None]:
    """Interrupt SQL on the connection once the block has used this much of the thread's CPU time.

    SQLite undoes the whole transaction with a statement that writes and is cut. Swallowing the interrupt does not
    help: it is raised again on exit. Budgets nest; the first to expire wins.
    """
    if source is None:
        yield
        return
    connection = connection_of(source)
    end, cut = time.thread_time() + seconds, False
    outer = connection.cutter
    began_in_transaction = connection.in_transaction

    def is_over() -> bool:
        nonlocal cut
        cut = time.thread_time() > end
        return cut or (outer is not None and outer())

    _set_cutter(connection, is_over)
    try:
        yield
    finally:
        _set_cutter(connection, outer)
    if cut and began_in_transaction and not connection.in_transaction:
        error = sqlite3.OperationalError("interrupted")
        error.sqlite_errorcode = sqlite3.SQLITE_INTERRUPT
        raise error


@contextmanager
def deadline(reader: Reader, seconds: float, hint: str) -> Generator[None]:
    """Interrupt SQL on the reader once the block has taken `seconds` (0: no deadline).

    Raises `Refusal("too_large")` then, with a `hint` at what costs less.
    """
    if not seconds:
        yield
        return
    end, outer = time.monotonic() + seconds, reader.cutter

    def is_over() -> bool:
        return time.monotonic() > end or (outer is not None and outer())

    _set_cutter(reader, is_over)
    try:
        yield
    except sqlite3.OperationalError as error:
        if not was_interrupted(error):
            raise
        raise Refusal(
            "too_large", f"the query was stopped after {seconds:g} seconds (limits.query_seconds); {hint}"
        ) from None
    finally:
        _set_cutter(reader, outer)


def _set_cutter(connection: Reader, cutter: Callable[[], bool] | None) -> None:
    connection.set_progress_handler(cutter, _STEPS_BETWEEN_LOOKS if cutter is not None else 0)
    connection.cutter = cutter
