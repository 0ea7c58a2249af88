"""`chatnode crm export`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from chatnode.api import counted
from chatnode_crm.cli.calls import NodeCall, wait_for

FORMATS = {".csv": "csv", ".xlsx": "xlsx", ".vcf": "vcard3"}
"""By what the name of the output ends with."""


@click.command()
@click.option("--list", "in_list", metavar="NAME", help="Export the contacts on this list.")
@click.option("--filter", "filter_", metavar="JSON", help="Export the contacts that match this filter.")
@click.option("--all", "all_", is_flag=True, help="Export all contacts.")
@click.option(
    "--format", "format_", type=click.Choice(["csv", "xlsx", "vcard3", "vcard4"]),
    help="Format of the file (default: by the name of the output, else csv).",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Export all columns, also tags, lists and custom fields.")
@click.option("--columns", metavar="NAMES", help="Export these columns, such as email,tags,custom.Birthday.")
@click.option(
    "--delimiter", type=click.Choice(["comma", "semicolon", "tab", "pipe"]), default="comma", show_default=True,
    help="Delimiter of CSV.",
)  # fmt: skip
@click.option("--bom", is_flag=True, help="Begin CSV with a byte order mark, by which Excel recognizes UTF-8.")
@click.option(
    "--output", "-o", metavar="FILE", default="-", show_default=True, type=click.Path(dir_okay=False),
    help="File to write, or - for standard output.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@click.pass_obj
def export(
    call: NodeCall, in_list: str | None, filter_: str | None, all_: bool, format_: str | None, full: bool,
    columns: str | None, output: str, force: bool, **csv: Any,
) -> None:  # fmt: skip
    """Export contacts to a file: CSV, XLSX or vCards.

    All contacts are as they were at one moment. Filters are those of `items.query` for `crm_contacts`, such as
    '{"country": {"_eq": "FR"}}'.
    """
    target = None if output == "-" else Path(output)
    if target is not None and target.exists() and not force:
        raise click.UsageError(f"{output} already exists; overwrite it with --force")
    asked: dict[str, Any] = {
        "contacts": _chosen(in_list, filter_, all_),
        "format": format_ or (FORMATS.get(target.suffix.lower(), "csv") if target is not None else "csv"),
        **csv,
    }
    if columns is not None:
        asked["columns"] = [each.strip() for each in columns.split(",")]
    elif full:
        asked["preset"] = "full"
    made = call("crm.exports.create", **asked)["export"]
    wait_for(call, made["work"], "exporting")
    done = call("crm.exports.get", export=made["export"])["export"]
    try:
        _copy(Path(done["path"]), target)
    finally:
        call("crm.exports.delete", export=made["export"])
    click.echo(f"exported {counted(done['rows'], 'contact', form=',')}, {done['bytes']:,} bytes", err=True)


def _chosen(in_list: str | None, filter_: str | None, all_: bool) -> dict[str, Any]:
    if (in_list is not None) + (filter_ is not None) + all_ != 1:
        raise click.UsageError("choose the contacts: give one of --list, --filter and --all")
    if in_list is not None:
        return {"in_list": in_list}
    if filter_ is None:
        return {"all": True}
    try:
        filter = json.loads(filter_)
    except ValueError as error:
        raise click.UsageError(f"--filter is not JSON: {error}") from None
    return {"filter": filter}


def _copy(source: Path, target: Path | None) -> None:
    """Copy a complete file; a target that is there is replaced as a whole."""
    with source.open("rb") as read:
        if target is None:
            shutil.copyfileobj(read, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        part = target.with_name(f".{target.name}.part")
        try:
            with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as written:
                shutil.copyfileobj(read, written)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
