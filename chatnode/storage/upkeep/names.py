"""A set of names of files that may be millions: on disk, not in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self


class Names:
    """Use it as a context manager; it is gone afterwards."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", check_same_thread=False)  # a temporary file of SQLite's
        self._connection.execute("CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, names: Iterable[str]) -> None:
        rows = ((name,) for name in names)
        self._connection.executemany("INSERT INTO names VALUES (?) ON CONFLICT DO NOTHING", rows)

    def __contains__(self, name: str) -> bool:
        return self._connection.execute("SELECT 1 FROM names WHERE name = ?", (name,)).fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        """In their order."""
        return (name for (name,) in self._connection.execute("SELECT name FROM names ORDER BY name"))
