"""The existing tables and their columns; and access to rows by SQLite's rowid.

Plugins' tables may have any key or none, so the node identifies their rows by rowid.
"""

# ruff: noqa: S608 -- the names of tables and columns come from the catalogue, and from what plugins declare

from __future__ import annotations

from collections.abc import Iterator

from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.transaction import Transaction

Source = Querying


def tables_named(source: Source, prefix: str) -> list[str]:
    """The names of tables that begin with `prefix`, without the shadow tables of virtual tables."""
    rows = source.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') "
        "AND substr(name, 1, ?) = ? ORDER BY name",
        (len(prefix), prefix),
    ).fetchall()
    return [name for (name,) in rows]


def drop_order(source: Source, prefix: str) -> list[tuple[str, str]]:
    """Type and name of everything with this prefix. Triggers, views and indexes come first, because they may depend on
    other tables too.
    """
    rows = source.execute(
        "SELECT type, name FROM sqlite_schema WHERE substr(name, 1, ?) = ? AND sql IS NOT NULL "
        "ORDER BY type <> 'trigger', type <> 'view', type <> 'index', sql NOT LIKE 'CREATE VIRTUAL %', name",
        (len(prefix), prefix),
    )
    return rows.fetchall()


def columns(source: Source, table: str) -> list[str]:
    """The columns that `*` stands for: including generated columns, but not the hidden ones of virtual tables."""
    rows = source.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,))
    return [name for (name,) in rows.fetchall()]


def references(source: Source, table: str) -> Iterator[tuple[str, str]]:
    """The columns with foreign keys, each with the name of the table it refers to."""
    for _, _, other, column, *_ in source.execute(f"PRAGMA foreign_key_list({table})").fetchall():
        yield column, other


def numbers_rows(source: Source, table: str) -> bool:
    """Whether the table's rows have a rowid, as in all tables but those WITHOUT ROWID."""
    return not source.execute("SELECT wr FROM pragma_table_list(?)", (table,)).fetchone()[0]


def postpone_references(tx: Transaction) -> None:
    """Check foreign keys only at the end of the transaction."""
    tx.execute("PRAGMA defer_foreign_keys=ON")


# ---- rows of any table with a rowid


def delete_rows(tx: Transaction, table: str, column: str, value: int, most: int) -> int:
    """Delete up to `most` rows whose column has this value; returns how many."""
    find = f"SELECT rowid FROM {table} WHERE {column} = ? LIMIT ?"
    return tx.execute(f"DELETE FROM {table} WHERE rowid IN ({find})", (value, most)).rowcount


def reassign_rows(tx: Transaction, table: str, column: str, old: int, new: int) -> int:
    """Change a column's value in rows, deleting those that would become duplicates; returns the number changed."""
    moved = tx.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} = ?", (new, old)).rowcount
    tx.execute(f"DELETE FROM {table} WHERE {column} = ?", (old,))
    return moved
