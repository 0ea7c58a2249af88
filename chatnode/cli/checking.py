"""`chatnode check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from chatnode.cli.operator import run_operator_command
from chatnode.counting import counted


@click.command()
@click.option("--repair", is_flag=True, help="First rebuild derived data: counts, marks, threads, search…")
@click.option("--deep", is_flag=True, help="Also read all files of plugins and compare their hashes.")
@click.pass_obj
def check(data: Path, repair: bool, deep: bool) -> None:
    """Check the database and the files of plugins; exits with 1 if there are problems."""
    checked: dict[str, Any] = run_operator_command(data, "node.repair") if repair else {}
    for each in checked.get("repairs", ()):
        click.echo(f"repaired {each['name']}: {counted(each['rows'], 'row')}")
    if deep or not repair:
        checked = run_operator_command(data, "node.check", deep=deep)
    for each in checked["checks"]:
        click.echo(f"{'ok' if not each['problems'] else 'FAILED':7}{each['name']}")
        for problem in each["problems"]:
            click.echo(f"       {problem}")
    sys.exit(0 if checked["clean"] else 1)
