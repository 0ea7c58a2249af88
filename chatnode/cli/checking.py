"""`chatnode check`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chatnode.cli.operator import run_operator_command


@click.command()
@click.option("--repair", is_flag=True, help="First rebuild derived data: counts, marks, threads, search…")
@click.pass_obj
def check(data: Path, repair: bool) -> None:
    """Check the database; exit with 1 if it has problems."""
    checked = run_operator_command(data, "node.repair" if repair else "node.check")
    for each in checked.get("repairs", ()):
        click.echo(f"repaired {each['name']}: {each['rows']} rows")
    for each in checked["checks"]:
        click.echo(f"{'ok' if not each['problems'] else 'FAILED':7}{each['name']}")
        for problem in each["problems"]:
            click.echo(f"       {problem}")
    sys.exit(0 if checked["clean"] else 1)
