"""What is in the tables of a node, and other things put there."""

from __future__ import annotations

from typing import Any

from chatnode.api import Transaction
from chatnode.node import Node


async def rows(node: Node, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query finds."""
    return await node.core.db.read(lambda reader: reader.execute(sql, values).fetchall())


async def change(node: Node, sql: str, *values: object) -> None:
    """Change the tables, as time or a fault would."""
    await node.core.db.write(lambda tx: tx.execute(sql, values).rowcount)


def insert(tx: Transaction, table: str, row: dict[str, Any]) -> int:
    """Add a row; returns its key."""
    places = ", ".join("?" * len(row))
    sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) RETURNING key"
    return tx.execute(sql, tuple(row.values())).fetchone()[0]
