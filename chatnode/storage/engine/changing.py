"""The one rule for changes: a value that stays the same is not written, broadcast or audited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnode.storage.engine.transaction import Transaction


def change(tx: Transaction, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Set columns of the row with this key; returns whether any value changed.

    Record an event only if it did. `table` and the names of columns come from the code, never from a client.
    """
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    same_row = " AND ".join(f"{name} = :_{name}" for name in key)
    differs = " OR ".join(f"{name} IS DISTINCT FROM :{name}" for name in values)
    parameters = {**values, **{f"_{name}": value for name, value in key.items()}}
    sql = f"UPDATE {table} SET {assignments} WHERE {same_row} AND ({differs})"  # noqa: S608
    return tx.execute(sql, parameters).rowcount > 0
