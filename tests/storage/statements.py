"""A plugin of pytest (`-p tests.storage.statements`): keeps the statements that a node executes, for other databases.

Each goes to the file $CHATNODE_STATEMENTS once, as a line of JSON: the module that executed it, and the SQL.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

from chatnode.storage.engine import connection

ROOT = Path(__file__).parents[2]
_HERE = {__file__, str(ROOT / "chatnode/storage/engine/transaction.py")}


def pytest_configure() -> None:
    seen: set[str] = set()
    file = os.open(os.environ["CHATNODE_STATEMENTS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def keep(sql: str) -> None:
        if sql in seen:
            return
        seen.add(sql)
        frame: Any = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
        while frame.f_code.co_filename in _HERE:
            frame = frame.f_back
        module = Path(frame.f_code.co_filename)
        if module.is_relative_to(ROOT):
            os.write(file, json.dumps([str(module.relative_to(ROOT)), sql]).encode() + b"\n")

    class Kept(connection.Reader):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            keep(sql)
            return super().execute(sql, *values)

        def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
            keep(sql)
            return super().executemany(sql, *values)

    connection.Reader = Kept  # type: ignore[misc]
