"""`chatnode crm import`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from chatnode.api import counted
from chatnode_crm.cli.calls import NodeCall, wait_for
from chatnode_crm.cli.tables import plain
from chatnode_crm.files.headers import field_of

MOST_ERRORS = 10
"""Rows that are printed with what is wrong with them; the rest are counted."""
_POLICIES = {
    "match": ("email", "external_id"),
    "fields": ("skip", "fill_empty", "overwrite", "overwrite_non_empty", "error"),
    "empty": ("keep", "erase"),
    "tags": ("add", "replace", "ignore"),
    "lists": ("add", "ignore"),
    "consent": ("tighten", "ignore", "overwrite"),
}
_COUNTS = {
    "created": "created",
    "updated": "updated",
    "unchanged": "unchanged",
    "duplicates": "twice in the file",
    "suppressed": "suppressed",
    "invalid": "invalid",
    "listed": "added to the list",
    "tagged": "given a tag",
    "untagged": "lost a tag",
    "passed_over": "name a list that is dynamic or closed, and are not on it",
}


def _policies(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, _, value = each.partition("=")
        if value not in _POLICIES.get(name, ()):
            choices = "; ".join(f"{name}={'|'.join(values)}" for name, values in _POLICIES.items())
            raise click.BadParameter(f"{each!r} is not one of {choices}")
        found[name] = value
    return found


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--list", "in_list", metavar="NAME",
    help="Add the contacts to this list. It must exist: chatnode call crm.lists.create name=NAME creates it.",
)  # fmt: skip
@click.option("--tag", "tags", metavar="NAME", multiple=True, help="Give the contacts this tag; repeatable.")
@click.option("--mapping", "saved", metavar="NAME", help="Map columns with this saved mapping of the operator.")
@click.option(
    "--policy", "policies", metavar="WHAT=HOW", multiple=True, callback=_policies,
    help="Policy for existing contacts, such as fields=fill_empty; repeatable.",
)  # fmt: skip
@click.option("--encoding", help="Encoding of the file, such as cp1252 (default: detected).")
@click.option("--delimiter", help="Delimiter, one character (default: detected).")
@click.option("--header/--no-header", default=None, help="Whether the first row has names (default: detected).")
@click.option("--sheet", help="Sheet of a workbook (default: the first).")
@click.option("--dates", "date_form", type=click.Choice(("iso", "dmy", "mdy", "ymd")),
    help="Order of day, month and year in dates (default: accept only unambiguous dates).",
)  # fmt: skip
@click.option("--decimal", type=click.Choice((".", ",")), help="Decimal separator (default: detected).")
@click.option("--opted-out", metavar="COLUMN", help="Column of opt-outs (default: detected; '': none).")
@click.option("--dry-run", is_flag=True, help="Print what would happen, without changing anything.")
@click.option("--errors", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
    help="Write the rows that were not imported to this file, to fix and import them.",
)  # fmt: skip
@click.pass_obj
def import_file(
    call: NodeCall, file: Path, in_list: str | None, tags: tuple[str, ...], saved: str | None,
    policies: dict[str, str], date_form: str | None, decimal: str | None, opted_out: str | None, dry_run: bool,
    errors: Path | None, **reading: Any,
) -> None:  # fmt: skip
    """Import contacts from FILE: CSV, XLSX or vCards.

    Existing contacts are matched by their email address. Policies decide what happens to them:

    \b
      match=email|external_id      how they are matched
      fields=overwrite_non_empty   skip, fill_empty, overwrite, error
      empty=keep|erase             effect of an empty cell with fields=overwrite
      tags=add|replace|ignore      lists=add|ignore
      consent=tighten|ignore|overwrite

    Exits with 1 if any row failed, or with --dry-run would fail; with 2 for a usage error.
    """
    if errors is not None and errors.resolve() == file.resolve():
        raise click.UsageError("--errors would overwrite the file that is imported")
    mapping = {"date_form": date_form, "decimal": decimal, "opted_out": opted_out}
    mapping = {name: value for name, value in mapping.items() if value is not None}
    if saved is not None and mapping:
        raise click.UsageError("--dates, --decimal and --opted-out cannot be used with --mapping")
    made = call("crm.imports.create", name=file.name, path=str(file.resolve()))["import"]
    id = made["id"]
    chosen: dict[str, Any] = {"saved": saved, "list": in_list, "tags": list(tags), "policies": policies}
    chosen["mapping"] = mapping
    chosen["reading"] = {name: value for name, value in reading.items() if value is not None}
    kept = False
    try:
        call("crm.imports.map", **{"import": id}, **{name: value for name, value in chosen.items() if value})
        if saved is None:
            _print_notes(call("crm.imports.detect", **{"import": id}))
        kept = not dry_run
        failed = _run(call, file, id, dry_run)
        if failed and errors is not None:
            call("crm.imports.errors", **{"import": id}, path=str(errors.resolve()), verdicts=["invalid", "suppressed"])
            rows = counted(failed, "row", form=",")
            click.echo(f"wrote {rows} to {errors}; fix and import that file", err=True)
    finally:
        if not kept:
            call("crm.imports.delete", **{"import": id})
    sys.exit(1 if failed else 0)


def _print_notes(detected: Mapping[str, Any]) -> None:
    """What to know of how the file is read, and columns with values that nobody expects to be left out."""
    for note in detected.get("notes", ()):
        click.echo(f"note: {plain(note)}", err=True)
    mapped = {each["target"] for each in detected["columns"]} - {"ignore"}
    unread = [
        each["name"] or f"column {number}"
        for number, each in enumerate(detected["columns"], 1)
        if each["target"] == "ignore"
        and each["samples"]
        and (not each["name"] or each["name"] != detected.get("opted_out"))
        and ((field := field_of(each["name"])) is None or field in mapped)
    ]
    if unread:
        click.echo(f"note: not imported: {plain(', '.join(unread))}", err=True)


def _run(call: NodeCall, file: Path, id: str, dry_run: bool) -> int:
    """Plan the import, and start it unless it is a dry run; returns how many rows were not imported."""
    planned = _carried_out(call, "crm.imports.plan", id, "checking")
    if dry_run:
        counts = planned["plan"]
        click.echo(f"{file}: {counted(planned['rows'], 'row', form=',')}; nothing was changed. An import would have:")
    else:
        done = _carried_out(call, "crm.imports.start", id, "importing")
        counts = done["counts"]
        click.echo(f"{file}: {counted(done['rows'], 'row', form=',')}; import {id}")
    _print_counts(counts)
    failed = counts["invalid"] + counts["suppressed"]
    if failed:
        _print_errors(call, id, counts["invalid"])
    return failed


def _carried_out(call: NodeCall, command: str, id: str, stage: str) -> dict[str, Any]:
    """Start a work on an import, and wait for its end; returns the import."""
    started = call(command, **{"import": id})["import"]
    wait_for(call, started["work"], stage)
    return call("crm.imports.get", **{"import": id})["import"]


def _print_counts(counts: dict[str, int]) -> None:
    for name, words in _COUNTS.items():
        if counts.get(name):
            click.echo(f"{counts[name]:>12,} {words}")


def _print_errors(call: NodeCall, id: str, invalid: int) -> None:
    """Print the first rows that are invalid, with what is wrong with them."""
    page = call("crm.imports.rows", **{"import": id}, verdict="invalid", limit=MOST_ERRORS)
    for row in page["rows"]:
        for fault in row.get("faults", ()):
            if not fault.get("warning"):
                click.echo(
                    f"row {row['row']}, line {row['line']}: {plain(fault['field'])}: {plain(fault['message'])}",
                    err=True,
                )
    if invalid > len(page["rows"]):
        click.echo(f"and {invalid - len(page['rows']):,} more", err=True)
