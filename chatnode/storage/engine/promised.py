"""The core's public columns, which plugins may read; all others may change without notice.

`docs/plugins/reference.md` lists them, and the test kit fails a plugin that reads another one.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from functools import cache
from inspect import currentframe
from types import FrameType

from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.migrations import core_migrations, own_prefixes

PROMISED: Mapping[str, tuple[str, ...]] = {
    "people": ("key", "id", "handle", "name", "avatar", "bot", "deactivated_at", "erased_at"),
    "sessions": ("key", "person", "kind", "label", "expires_at"),
    "conversations": ("key", "id", "kind", "title", "avatar"),
    "members": ("conversation", "person", "role", "left_gid", "first", "read_seq", "shown_seq"),
    "conversation_settings": (
        "person", "conversation", "muted_until", "notify", "desktop", "mobile", "sounds", "archived",
    ),
    "messages": (
        "key", "id", "conversation", "seq", "sender", "at", "text", "kind", "thread", "reply_to", "deleted_at",
    ),
    "mentions": ("person", "conversation", "seq"),
    "blocks": ("person", "blocked"),
    "presence": ("person", "active_at", "text", "emoji", "until", "hidden"),
}  # fmt: skip
_WRITES = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}


def watch(connection: Reader, place_of: Callable[[FrameType], str | None], report: Callable[[str], None]) -> None:
    """Report plugins' SQL that breaks the contract on the core's tables, without preventing it.

    `place_of` gets the frame that runs a statement and returns where in a plugin that is; None for other code. It is
    called when SQLite compiles a statement. `report` may be called in a database thread.
    """

    def look(action: int, table: str | None, column: str | None, _: str | None, within: str | None) -> int:
        if table is not None and within not in _core_names("TRIGGER") and _is_core(table):
            fault = _fault(action, table, column or "")
            frame = currentframe()
            caller = frame.f_back if frame is not None else None
            if fault is not None and caller is not None and (place := place_of(caller)) is not None:
                report(f"{place} {fault}")
        return sqlite3.SQLITE_OK

    connection.set_authorizer(look)


def _fault(action: int, table: str, column: str) -> str | None:
    if action in _WRITES:
        return f"writes to {table}; a plugin may write only to its own tables"
    if action != sqlite3.SQLITE_READ or (table in PROMISED and (not column or column in PROMISED[table])):
        return None
    return f"reads {table}.{column}, which is not public" if column else f"reads {table}"


def _is_core(table: str) -> bool:
    """Whether the table is one of the node's own; the search index has more tables than the migrations create."""
    prefix = table.partition("_")[0]
    return table in _core_names("TABLE") or ("_" in table and prefix != "sqlite" and prefix in _prefixes())


@cache
def _core_names(kind: str) -> frozenset[str]:
    """The names of the node's own tables or triggers."""
    steps = (re.findall(rf"CREATE {kind} (\w+)", step.sql) for step in core_migrations())
    return frozenset({"migrations"}.union(*steps))


_prefixes = cache(own_prefixes)
