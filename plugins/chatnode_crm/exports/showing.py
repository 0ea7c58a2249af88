"""Exports as programs see them: what is stored, and until that is all, how their work is doing."""

from __future__ import annotations

from typing import Any

import attrs
import orjson

from chatnode.api import HOUR_MS, Context, Refusal, rfc3339, rfc3339_or_none
from chatnode_crm.exports.files import directory
from chatnode_crm.exports.model import ExportInfo
from chatnode_crm.exports.stored import ExportRow
from chatnode_crm.settings import CrmSettings


def expires_at(ctx: Context, row: ExportRow) -> int | None:
    """When the file is deleted, in milliseconds."""
    return None if row.finished_at is None else row.finished_at + int(ctx.settings(CrmSettings).export_hours * HOUR_MS)


async def shown(ctx: Context, row: ExportRow) -> ExportInfo:
    """The export, with the progress of its work unless it is complete."""
    info = _stored(ctx, row)
    if row.status == "done" or row.status == "removed":
        return info
    try:
        work: dict[str, Any] = (await ctx.as_operator().call("work.get", work=row.work))["work"]
    except Refusal:  # works are not kept for ever
        return attrs.evolve(info, status="failed")
    # A work that has ended without the export being done found it removed, or about to be.
    status = "failed" if work["status"] == "done" else work["status"]
    return attrs.evolve(info, status=status, done=work["done"], total=work.get("total"), error=work.get("error"))


def _stored(ctx: Context, row: ExportRow) -> ExportInfo:
    has_file = row.status == "done"
    return ExportInfo(
        export=row.id,
        status="running" if row.status == "writing" else row.status,
        format=row.format,
        name=row.name,
        work=row.work,
        created_at=rfc3339(row.created_at),
        contacts=_chosen(row),
        rows=row.rows,
        bytes=row.bytes,
        sha256=row.sha256,
        finished_at=rfc3339_or_none(row.finished_at),
        expires_at=rfc3339_or_none(expires_at(ctx, row)) if has_file else None,
        downloaded_at=rfc3339_or_none(row.downloaded_at),
        removed_at=rfc3339_or_none(row.removed_at),
        error=row.error,
        path=str(directory(ctx) / row.file) if ctx.operator and has_file else None,
    )


def _chosen(row: ExportRow) -> dict[str, Any] | None:
    if row.choice is None:
        return None
    contacts: dict[str, Any] = orjson.loads(row.choice)["contacts"]
    return {name: value for name, value in contacts.items() if value is not None and value is not False}
