"""What tables there are and what they are made of; and rows of a table of which only SQLite knows a key.

The tables that a plugin brings have any key or none, so the node finds their rows by SQLite's own number of each.
"""

# ruff: noqa: S608 -- the names of tables and columns come from the catalogue, and from what plugins declare

from __future__ import annotations

from collections.abc import Iterator

from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction

Source = Reader | Transaction


def tables_named(source: Source, prefix: str) -> list[str]:
    """The names of tables that begin with `prefix`, without what a virtual table keeps beside itself."""
    rows = source.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') "
        "AND substr(name, 1, ?) = ? ORDER BY name",
        (len(prefix), prefix),
    ).fetchall()
    return [name for (name,) in rows]


def drop_order(source: Source, prefix: str) -> list[tuple[str, str]]:
    """Type and name of all that is named with `prefix`: what hangs on tables first, as it may hang on others' too."""
    rows = source.execute(
        "SELECT type, name FROM sqlite_schema WHERE substr(name, 1, ?) = ? AND sql IS NOT NULL "
        "ORDER BY type <> 'trigger', type <> 'view', type <> 'index', sql NOT LIKE 'CREATE VIRTUAL %', name",
        (len(prefix), prefix),
    )
    return rows.fetchall()


def columns(source: Source, table: str) -> list[str]:
    """The columns that `*` stands for: also generated ones, but none of those that a virtual table hides."""
    rows = source.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,))
    return [name for (name,) in rows.fetchall()]


def references(source: Source, table: str) -> Iterator[tuple[str, str]]:
    """The columns that refer to a row of another table, each with that table's name."""
    for _, _, other, column, *_ in source.execute(f"PRAGMA foreign_key_list({table})").fetchall():
        yield column, other


def numbers_rows(source: Source, table: str) -> bool:
    """Whether SQLite gives the table's rows a number of their own, as it does for all but those WITHOUT ROWID."""
    return not source.execute("SELECT wr FROM pragma_table_list(?)", (table,)).fetchone()[0]


def postpone_references(tx: Transaction) -> None:
    """Rows may refer to what is gone until the end of the transaction."""
    tx.execute("PRAGMA defer_foreign_keys=ON")


# ---- rows of any table that SQLite numbers


def delete_rows(tx: Transaction, table: str, column: str, value: int, most: int) -> int:
    """Delete up to `most` rows whose column has this value; returns how many."""
    find = f"SELECT rowid FROM {table} WHERE {column} = ? LIMIT ?"
    return tx.execute(f"DELETE FROM {table} WHERE rowid IN ({find})", (value, most)).rowcount


def reassign_rows(tx: Transaction, table: str, column: str, old: int, new: int) -> int:
    """Give rows another value of a column, and delete those that would then be there twice; returns how many stayed."""
    moved = tx.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} = ?", (new, old)).rowcount
    tx.execute(f"DELETE FROM {table} WHERE {column} = ?", (old,))
    return moved
