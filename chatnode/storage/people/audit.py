"""The audit log: what administrators, moderators and the operator did. It never holds the text of a message."""

from __future__ import annotations

import orjson

from chatnode.model.commands.roles import AuditEntry
from chatnode.model.people import Account, PersonRef
from chatnode.model.times import rfc3339
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction


def record(tx: Transaction, actor: Account | None, action: str, target: str = "", **details: str | int | None) -> None:
    """Record, in the same transaction, that `actor` did `action` to `target`.

    `actor` None is the operator of the machine, or a job of the node. `action` is the command's name, or the
    job's; `target` is a public id. Details that are None are left out.
    """
    kept = {name: value for name, value in details.items() if value is not None}
    tx.execute(
        "INSERT INTO audit (at, actor, action, target, details) VALUES (?, ?, ?, ?, ?)",
        (tx.now, actor.key if actor else None, action, target, orjson.dumps(kept).decode()),
    )


def page(
    reader: Reader,
    *,
    actor: int | None = None,
    action: str | None = None,
    target: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[AuditEntry]:
    """Newest first; `before` is the number of the last entry of the page before."""
    terms = ["a.key < :before"]
    terms += ["a.actor = :actor"] if actor is not None else []
    terms += ["a.action = :action"] if action is not None else []
    terms += ["a.target = :target"] if target is not None else []
    rows = reader.execute(
        "SELECT a.key, a.at, p.id, p.handle, a.action, a.target, a.details FROM audit a "  # noqa: S608 - terms are ours
        f"LEFT JOIN people p ON p.key = a.actor WHERE {' AND '.join(terms)} ORDER BY a.key DESC LIMIT :limit",
        {
            "before": _NEVER if before is None else before,
            "actor": actor,
            "action": action,
            "target": target,
            "limit": limit,
        },
    )
    return [
        AuditEntry(
            key, rfc3339(at), action, target, {name: str(value) for name, value in orjson.loads(details).items()},
            PersonRef(id, handle) if id is not None else None,
        )
        for key, at, id, handle, action, target, details in rows.fetchall()
    ]  # fmt: skip


_NEVER = 2**62


TABLES = (
    CoreTable(
        "audit",
        lines=(
            "audit",
            "SELECT a.at, p.id AS actor, a.action, a.target, a.details AS details_json FROM audit a LEFT JOIN "
            "people p ON p.key = a.actor ORDER BY a.key",
        ),
        export="SELECT key, key AS entry, at, action, target, details AS details_json, actor IS NOT DISTINCT "
        "FROM :person AS by_them_flag FROM audit WHERE (actor = :person OR target = :id) AND key > :after "
        "ORDER BY key LIMIT :limit",
    ),
)
