"""Rows of imports: their stages, and who may see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs
import orjson

from chatnode.api import DAY_MS, Context, Querying, Refusal, Transaction, counted, record

ImportState = Literal["received", "staged", "planned", "applying", "applied", "undoing", "undone", "deleted"]


def _json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


@record(frozen=True, kw_only=True)
class ImportRow:
    """A row of `crm_imports`."""

    key: int
    id: str
    owner: int | None
    name: str
    bytes: int
    sha256: bytes
    state: ImportState
    options: dict[str, Any] | None = attrs.field(converter=_json)
    generation: str | None
    rows: int | None
    columns: list[str] | None = attrs.field(converter=_json)
    counts: dict[str, int] | None = attrs.field(converter=_json)
    plan: dict[str, int] | None = attrs.field(converter=_json)
    undone: dict[str, int] | None = attrs.field(converter=_json)
    work: str | None
    error: dict[str, Any] | None = attrs.field(converter=_json)
    source: bool = attrs.field(converter=bool)
    created_at: int
    updated_at: int
    applied_at: int | None


_NAMES = [field.name for field in attrs.fields(ImportRow)]
_COLUMNS = ", ".join(_NAMES)


def _of(row: tuple[Any, ...]) -> ImportRow:
    return ImportRow(**dict(zip(_NAMES, row, strict=True)))


def add_import(
    tx: Transaction, owner: int | None, id: str, *, name: str, size: int, sha256: bytes, began: int, most_per_day: int
) -> ImportRow:
    """A new import, whose file is on disk, and began to be received then: contacts that were deleted since are removed
    from it. Raises `Refusal("rate_limited")` for a user who began too many today."""
    check_quota(tx, owner, most_per_day, tx.now)
    row = tx.execute(
        "INSERT INTO crm_imports (id, owner, name, bytes, sha256, state, created_at, updated_at) "  # noqa: S608
        f"VALUES (?, ?, ?, ?, ?, 'received', ?, ?) RETURNING {_COLUMNS}",
        (id, owner, name, size, sha256, began, tx.now),
    ).fetchone()
    return _of(row)


def check_quota(reader: Querying, owner: int | None, most: int, now: int) -> None:
    """Raises `Refusal("rate_limited")`. Imports that were deleted count; those of the operator do not."""
    if not most or owner is None:
        return
    rows = reader.execute(
        "SELECT created_at FROM crm_imports WHERE owner = ? AND created_at > ? ORDER BY created_at DESC LIMIT ?",
        (owner, now - DAY_MS, most),
    ).fetchall()
    if len(rows) >= most:
        wait = (rows[-1][0] + DAY_MS - now) / 1_000
        why = f"you may begin {counted(most, 'import')} in 24 hours; try again later"
        raise Refusal("rate_limited", why, retry_after=wait)


def find_import(reader: Querying, ctx: Context, id: str) -> ImportRow:
    """The requester's import; for the operator any. Raises `Refusal("not_found")`."""
    owner = None if ctx.operator else ctx.me.key
    row = reader.execute(
        f"SELECT {_COLUMNS} FROM crm_imports WHERE id = ? AND state <> 'deleted' AND (? OR owner = ?)",  # noqa: S608
        (id, int(ctx.operator), owner),
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "you have no such import", path="import")
    return _of(row)


def import_by_id(reader: Querying, id: str) -> ImportRow:
    """For work that has checked who asks. Raises `Refusal("not_found")`."""
    row = reader.execute(
        f"SELECT {_COLUMNS} FROM crm_imports WHERE id = ? AND state <> 'deleted'",  # noqa: S608
        (id,),
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "the import was deleted", path="import")
    return _of(row)


def imports_page(reader: Querying, ctx: Context, after: int | None, limit: int) -> list[ImportRow]:
    """The requester's imports, the newest first; for the operator all."""
    owner = None if ctx.operator else ctx.me.key
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM crm_imports WHERE state <> 'deleted' AND (? OR owner = ?) AND (? IS NULL OR key < ?) "  # noqa: S608
        "ORDER BY key DESC LIMIT ?",
        (int(ctx.operator), owner, after, after, limit),
    )
    return [_of(row) for row in rows.fetchall()]


def change_import(tx: Transaction, key: int, **values: Any) -> None:
    """Write columns; mappings are written as JSON."""
    written = {name: _written(value) for name, value in values.items()} | {"updated_at": tx.now}
    assignments = ", ".join(f"{name} = ?" for name in written)
    tx.execute(f"UPDATE crm_imports SET {assignments} WHERE key = ?", (*written.values(), key))  # noqa: S608


def _written(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, Mapping | list) else value


def check_state(row: ImportRow, *states: ImportState) -> None:
    """Raises `Refusal("conflict")`."""
    if row.state not in states:
        raise Refusal("conflict", f"the import is {row.state}; this needs one that is {' or '.join(states)}")


def check_source(row: ImportRow, path: str | None = None) -> None:
    """Raises `Refusal("gone")` if the uploaded file was removed."""
    if not row.source:
        why = "the file was removed, as a contact in it was deleted; upload it again"
        raise Refusal("gone", why, path=path)


def staged_imports(reader: Querying) -> list[ImportRow]:
    """All whose rows are in files."""
    return [row for row in imports_with_files(reader) if row.generation is not None]


def imports_with_files(reader: Querying) -> list[ImportRow]:
    """All whose rows, or whose uploaded files, are there."""
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM crm_imports "  # noqa: S608
        "WHERE (generation IS NOT NULL OR source) AND state <> 'deleted'"
    )
    return [_of(row) for row in rows.fetchall()]
