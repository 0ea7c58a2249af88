"""A database in memory with the tables of the node and of the plugin, for state machines that need no node."""

from __future__ import annotations

import sqlite3
from functools import cache

from chatnode.api import steps_in
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.migrations import core_migrations, migrate


def database() -> Reader:
    """A new one, with no rows."""
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=Reader)
    _template().backup(connection)
    return connection


@cache
def _template() -> Reader:
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=Reader)
    migrate(connection, core_migrations())
    for step in steps_in("chatnode_crm"):
        connection.executescript(step.sql)
    return connection
