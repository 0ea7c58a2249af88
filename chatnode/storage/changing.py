"""The one rule of changes: what is as it was is not written, nobody is told of it, and no audit says it was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnode.storage.transaction import Transaction


def change(tx: Transaction, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Set columns of the row with this key; whether there is such a row, and any of them is another now.

    Only who is told `True` records an event. Names of tables and columns are the caller's own, never a client's.
    """
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    same_row = " AND ".join(f"{name} = :_{name}" for name in key)
    differs = " OR ".join(f"{name} IS NOT :{name}" for name in values)
    parameters = {**values, **{f"_{name}": value for name, value in key.items()}}
    sql = f"UPDATE {table} SET {assignments} WHERE {same_row} AND ({differs})"  # noqa: S608
    return tx.execute(sql, parameters).rowcount > 0
