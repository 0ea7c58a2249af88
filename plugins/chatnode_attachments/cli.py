"""The command `chatnode attachments`."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any, Protocol

import click

from chatnode.api import counted
from chatnode_attachments.names import shortened


class OperatorCommand(Protocol):
    """Runs a command as the operator."""

    def __call__(self, name: str, /, **fields: Any) -> Any: ...


@click.group()
def cli() -> None:
    """Files in messages: check, clean up, report and export."""


@cli.command("check")
@click.option("--deep", is_flag=True, help="Read every file and compare its hash.")
@click.option("--repair", is_flag=True, help="Repair the tables: recount, and mark files that are missing.")
@click.pass_obj
def check_files(call: OperatorCommand, deep: bool, repair: bool) -> None:
    """Compare the tables with the files on disk."""
    done = call("attachments.check", deep=deep, repair=repair)
    for line in done["problems"]:
        click.echo(line)
    if not done["problems"]:
        click.echo("no problems found")
    if done["repaired"]:
        click.echo(f"repaired {done['repaired']}")
    if len(done["problems"]) > done["repaired"]:
        raise SystemExit(1)


@cli.command("collect")
@click.option("--sweep", is_flag=True, help="Also delete stray files: those not in the database for at least a day.")
@click.pass_obj
def collect_files(call: OperatorCommand, sweep: bool) -> None:
    """Remove expired and unused files now."""
    done = call("attachments.collect", sweep=sweep)
    click.echo(
        f"removed {counted(done['unlinked'], 'file')} of {_size(done['bytes'])}, {done['files']} of them never posted; "
        f"{counted(done['uploads'], 'upload')} expired; {counted(done['swept'], 'stray file')}"
    )
    if done["left"]:
        click.echo(f"{counted(done['left'], 'file')} kept for now: a backup is running, or see the log")


@cli.command("usage")
@click.option("--limit", default=50, show_default=True, help="Number of users to list.")
@click.pass_obj
def show_usage(call: OperatorCommand, limit: int) -> None:
    """Show disk usage by user, largest first."""
    found = call("attachments.report", limit=limit)
    for each in found["people"]:
        click.echo(f"{each['person']['handle']:20} {each['files']:8} files {_size(each['bytes']):>12}")
    click.echo(f"{counted(found['blobs'], 'distinct content')} of {_size(found['bytes'])} on disk")


@cli.command("export")
@click.argument("handle")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def export_files(call: OperatorCommand, handle: str, directory: Path) -> None:
    """Copy the files that HANDLE uploaded to DIRECTORY. Only the user who runs this command can read the copies."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    after, count, failed = 0, 0, 0
    while after is not None:
        page = call("attachments.stored", person=handle, after=after)
        for each in page["files"]:
            try:
                _copy(Path(each["path"]), directory / _name(each["file"], each["name"]))
                count += 1
            except OSError as error:
                click.echo(f"{each['name']!r} could not be copied: {error}", err=True)
                failed += 1
        after = page.get("next")
    click.echo(f"copied {counted(count, 'file')} to {directory}")
    if failed:
        click.echo(f"{counted(failed, 'file')} could not be copied", err=True)
        raise SystemExit(1)


def _name(id: str, name: str) -> str:
    """The id makes it unique; what could be more than a name is replaced."""
    harmless = re.sub(r"[^\w. -]", "_", name).lstrip(".")
    return shortened(f"{id}-{harmless}")


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        with (
            source.open("rb") as file,
            open(target, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as copy,
        ):
            shutil.copyfileobj(file, copy)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _size(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
