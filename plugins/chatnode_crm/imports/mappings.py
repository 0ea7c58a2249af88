"""Saved mappings: what columns mean in the files of one source, by their names, so that their order may change."""

from __future__ import annotations

from typing import Any

import attrs
import cattrs
import orjson

from chatnode.api import Context, Nothing, Querying, Refusal, Transaction, command, new_id, rfc3339
from chatnode_crm.files.mapping import BadMapping, ColumnMapping
from chatnode_crm.imports.looking import look
from chatnode_crm.imports.model import MappingInfo, MappingList, MappingReply, OfMapping, SaveMapping
from chatnode_crm.imports.options import FileMapping, ImportPolicies
from chatnode_crm.imports.rows import find_import
from chatnode_crm.imports.setup import stored_options
from chatnode_crm.naming import name_key
from chatnode_crm.permissions import IMPORT

_SELECT = "SELECT id, name, options, updated_at FROM crm_import_mappings WHERE owner IS NOT DISTINCT FROM ?"


@command("crm.mappings.list", permission=IMPORT, reads=True)
async def list_mappings(ctx: Context, asked: Nothing) -> MappingList:
    """Your saved mappings, by name."""
    owner = _owner(ctx)
    rows = await ctx.read(lambda reader: reader.execute(f"{_SELECT} ORDER BY name_key", (owner,)).fetchall())
    return MappingList([_shown(row) for row in rows])


@command("crm.mappings.save", permission=IMPORT, repeatable=True)
async def save(ctx: Context, asked: SaveMapping) -> MappingReply:
    """Keep the mapping and the policies of an import, to use them for other files: `crm.imports.map` with `saved`."""
    row = await ctx.read(lambda reader: find_import(reader, ctx, asked.import_))
    options = stored_options(row)
    columns = [each.name for each in (await look(ctx, row, options.reading)).file.columns]
    stored = {
        "targets": options.mapping.as_mapping().targets_by_name(columns),
        "mapping": attrs.asdict(attrs.evolve(options.mapping, columns=[])),
        "policies": attrs.asdict(options.policies),
    }
    owner, key = _owner(ctx), name_key(asked.name)

    def write(tx: Transaction) -> MappingInfo:
        tx.execute("DELETE FROM crm_import_mappings WHERE owner IS NOT DISTINCT FROM ? AND name_key = ?", (owner, key))
        row = tx.execute(
            "INSERT INTO crm_import_mappings (id, owner, name, name_key, options, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id, name, options, updated_at",
            (new_id(), owner, asked.name, key, orjson.dumps(stored).decode(), tx.now, tx.now),
        ).fetchone()
        return _shown(row)

    return MappingReply(await ctx.write(write, repeatable=True))


@command("crm.mappings.delete", permission=IMPORT, repeatable=True)
async def delete(ctx: Context, asked: OfMapping) -> Nothing:
    """Remove a saved mapping. Imports that used it stay as they are. Doing so again changes nothing."""
    owner = _owner(ctx)
    await ctx.write(
        lambda tx: tx.execute(
            "DELETE FROM crm_import_mappings WHERE owner IS NOT DISTINCT FROM ? AND (id = ? OR name_key = ?)",
            (owner, asked.mapping, name_key(asked.mapping)),
        ),
        repeatable=True,
    )
    return Nothing()


def find_mapping(reader: Querying, ctx: Context, id_or_name: str) -> MappingInfo:
    """Raises `Refusal("not_found")`."""
    row = reader.execute(
        f"{_SELECT} AND (id = ? OR name_key = ?)", (_owner(ctx), id_or_name, name_key(id_or_name))
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "you have no such mapping; crm.mappings.list shows yours", path="saved")
    return _shown(row)


def fitted(found: MappingInfo, columns: list[str]) -> FileMapping:
    """The saved mapping for a file with these columns. Raises `Refusal("invalid")`."""
    try:
        mapping = ColumnMapping.by_names(columns, found.targets)
    except BadMapping as error:
        raise Refusal("invalid", str(error), path="saved") from None
    return attrs.evolve(found.mapping, columns=list(mapping.columns))


def _owner(ctx: Context) -> int | None:
    return None if ctx.operator else ctx.me.key


def _shown(row: tuple[Any, ...]) -> MappingInfo:
    id, name, options, updated_at = row
    stored = orjson.loads(options)
    return MappingInfo(
        id, name, stored["targets"], cattrs.structure(stored["mapping"], FileMapping),
        cattrs.structure(stored["policies"], ImportPolicies), rfc3339(updated_at),
    )  # fmt: skip


COMMANDS = (list_mappings, save, delete)
