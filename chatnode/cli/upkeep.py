"""`chatnode export` and `chatnode migrate`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from chatnode import config_file
from chatnode.cli.progress import Bars
from chatnode.counting import counted
from chatnode.errors import StartError
from chatnode.storage.engine.connection import DatabaseError
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.upkeep.exporting import lines
from chatnode.storage.upkeep.files import appearing
from chatnode.storage.upkeep.snapshots import open_read_only
from chatnode.storage.upkeep.upgrading import missing_in, upgrade


@click.command()
@click.argument("destination", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def export(data: Path, destination: Path | None) -> None:
    """Export everything as lines of JSON; the node may be running.

    DESTINATION must not exist; without it, or with `-`, write to standard output. The export
    contains everything except passwords and tokens.
    """
    from chatnode.services import TABLES

    directory = DataDirectory(data)
    _refuse_old(directory)
    if str(destination) == "-":
        destination = None
    try:
        with ExitStack() as stack:
            out = sys.stdout.buffer if destination is None else stack.enter_context(appearing(destination))
            reader = stack.enter_context(open_read_only(directory.database))
            progress = stack.enter_context(Bars())
            count = 0
            for line in lines(reader, TABLES, progress):
                out.write(line)
                count += 1
            out.flush()
    except DatabaseError as error:
        raise StartError(f"{directory.database}: cannot be read; run chatnode check: {error}") from None
    except BrokenPipeError:
        sys.stderr.close()  # the reader of the lines has stopped
        sys.exit(1)
    click.echo(f"{destination or 'standard output'}: {counted(count, 'line')} written", err=True)


def _refuse_old(directory: DataDirectory) -> None:
    directory.require_node()
    if missing_in(directory):
        raise StartError(f"{directory.database}: written by an older chatnode; run chatnode migrate first")


@click.command("migrate")
@click.option("--dry-run", is_flag=True, help="Only list the migrations that would run.")
@click.pass_obj
def migrate(data: Path, dry_run: bool) -> None:
    """Migrate the database to this version.

    A starting node does this too. A copy of the old database is kept in `backups` of the data directory.
    """
    directory = DataDirectory(data)
    directory.require_node()
    if dry_run:
        missing = missing_in(directory)
        for step in missing:
            click.echo(f"{step.set}/{step.name}")
        if not missing:
            click.echo("nothing to do", err=True)
        return
    directory.claim()
    try:
        config = config_file.load(directory.given_config)
        with Bars() as progress:
            applied = upgrade(directory, config, progress=progress)
    finally:
        directory.release()
    for step in applied:
        click.echo(f"applied {step.set}/{step.name}")
    if not applied:
        click.echo("nothing to do")
