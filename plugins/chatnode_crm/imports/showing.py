"""Imports as users see them."""

from __future__ import annotations

from typing import cast

from chatnode.api import DAY_MS, Context, rfc3339
from chatnode_crm.imports.model import ImportCounts, ImportInfo, State, UndoCounts
from chatnode_crm.imports.rows import ImportRow
from chatnode_crm.settings import CrmSettings


def shown_import(ctx: Context, row: ImportRow) -> ImportInfo:
    counts = dict(row.counts or {})
    replanned = counts.pop("replanned", 0)
    return ImportInfo(
        id=row.id,
        name=row.name,
        bytes=row.bytes,
        sha256=row.sha256.hex(),
        state=cast("State", row.state),
        created_at=rfc3339(row.created_at),
        updated_at=rfc3339(row.updated_at),
        undoable_until=rfc3339(row.updated_at + ctx.settings(CrmSettings).import_undo_days * DAY_MS),
        rows=row.rows,
        plan=None if row.plan is None else ImportCounts(**row.plan),
        counts=None if row.counts is None else ImportCounts(**counts),
        replanned=None if row.plan is None or row.counts is None else replanned,
        undone=None if row.undone is None else UndoCounts(**row.undone),
        work=row.work,
        options=row.options,
    )
