"""The audit log: what administrators, moderators and the operator did. It never holds the text of a message."""

from __future__ import annotations

import orjson

from chatnode.model.people import Account
from chatnode.storage.database import Transaction


def record(tx: Transaction, actor: Account | None, action: str, target: str = "", **details: str | int | None) -> None:
    """Note, in the transaction that does it, that `actor` did `action` to `target`.

    `actor` None is the operator of the machine, or a job of the node. `action` is the command's name, or the
    job's; `target` is a public id. Details that are None are left out.
    """
    kept = {name: value for name, value in details.items() if value is not None}
    tx.execute(
        "INSERT INTO audit (at, actor, action, target, details) VALUES (?, ?, ?, ?, ?)",
        (tx.now, actor.key if actor else None, action, target, orjson.dumps(kept).decode()),
    )
