"""`chatnode backup` and `chatnode restore`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import click

from chatnode import config_file
from chatnode.cli.operator import is_served
from chatnode.cli.progress import Bars
from chatnode.config import Config
from chatnode.counting import counted
from chatnode.errors import StartError
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.stored_files import FindLister
from chatnode.storage.upkeep import backups
from chatnode.storage.upkeep.restoring import restore as restore_backup
from chatnode.storage.upkeep.restoring import verify as verify_backup
from chatnode.storage.upkeep.sealing import passphrase_of

PASSPHRASE = "CHATNODE_BACKUP_PASSPHRASE"

_passphrase_file = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help=f"File with the passphrase (default: ${PASSPHRASE}, then the setting backup.passphrase_file).",
)


@click.command()
@click.argument("destination", required=False, type=click.Path(path_type=Path))
@click.option(
    "--rotate", is_flag=True, help="Write to the backup directory and delete old backups as configured; for cron."
)
@_passphrase_file
@click.pass_obj
def backup(data: Path, destination: Path | None, rotate: bool, passphrase_file: Path | None) -> None:
    """Make a backup; the node may be running.

    DESTINATION must not exist. Without it, write to the backup directory, as with --rotate.
    """
    if destination is not None and rotate:
        raise click.UsageError("give a DESTINATION or --rotate, not both")
    directory = DataDirectory(data)
    directory.require_node()
    config = _settings(directory)
    settings = config.backup
    secret = _secret(passphrase_file) or backups.passphrase(settings)
    from chatnode.services import declared

    with Bars() as progress:
        if destination is None:
            made = backups.rotate(directory, settings, secret, declared(), _finder(), progress)
        else:
            find = _finder() if settings.files else None
            made = backups.create(directory, destination, secret, declared(), find, progress)
    encrypted = "encrypted" if secret is not None else "not encrypted"
    counts = made.manifest["counts"]
    listed: dict[str, int] = made.manifest.get("files") or {}
    holds = [counted(counts["messages"], "message"), counted(counts["people"], "person", "people")]
    if listed.get("count"):
        holds.append(counted(listed["count"], "file"))
    click.echo(f"{made.path}: {', '.join([*holds, encrypted])}")
    for name in made.removed:
        click.echo(f"removed {name}")
    for name, problems in made.manifest["problems"].items():
        click.echo(_told(name, problems[0]), err=True)
    if destination is None and config.bucket.name and not is_served(data):  # else the node does it
        _copy_to_bucket(directory, config, secret)


def _told(name: str, problem: str) -> str:
    if name.startswith("files of "):
        return f"the backup is incomplete: {name}: {problem}"
    return f"the check {name} failed, for the node's database too: {problem}"


def _copy_to_bucket(directory: DataDirectory, config: Config, secret: str | None) -> None:
    from chatnode.storage.upkeep import bucket_copies

    with Bars() as progress:
        sent = bucket_copies.copy_out(
            directory, backups.directory_of(directory, config.backup), config.bucket, config.backup, secret, progress
        )
    copied = f"{counted(len(sent.backups), 'backup')} and {counted(sent.files, 'file')}"
    click.echo(f"copied {copied} to the bucket {config.bucket.name}")


@click.command()
@click.argument("backup", type=click.Path(path_type=Path, dir_okay=False))
@_passphrase_file
@click.option("--anyway", is_flag=True, help="Restore even if checks of the backup fail.")
@click.option("--verify", is_flag=True, help="Only verify the backup and describe its contents.")
@click.pass_obj
def restore(data: Path, backup: Path, passphrase_file: Path | None, anyway: bool, verify: bool) -> None:
    """Replace the database with a backup, and put back missing files of plugins.

    Stop the node first. The backup is fully verified before the switch, and the old database is kept in a dated
    directory next to it. All clients resync from scratch.
    """
    directory = DataDirectory(data)
    secret = _secret(passphrase_file) or backups.passphrase(_settings(directory).backup)
    from chatnode.services import declared

    with Bars() as progress:
        if verify:
            _describe(backup, verify_backup(backup, secret, progress))
            return
        _refuse_foreign(directory)
        directory.claim()
        try:
            done = restore_backup(directory, backup, secret, declared(), _finder(), anyway=anyway, progress=progress)
        finally:
            directory.release()
    _describe(backup, done.manifest)
    click.echo(f"restored into {directory.path}")
    if done.kept is not None:
        click.echo(f"the previous database is in {done.kept}")
    if done.files.put:
        click.echo(f"restored {counted(done.files.put, 'file')} of plugins")
    for plugin, names in done.files.missing.items():
        click.echo(f"{counted(len(names), 'file')} of the plugin {plugin} missing: {names[0]}", err=True)
    for name, problems in done.problems.items():
        click.echo(f"the check {name} failed; run chatnode check --repair: {problems[0]}", err=True)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.argument("name", required=False)
@_passphrase_file
@click.pass_obj
def fetch(data: Path, directory: Path | None, name: str | None, passphrase_file: Path | None) -> None:
    """Fetch backup NAME, or the newest one, from the bucket to DIRECTORY.

    Without DIRECTORY, list the backups in the bucket. The section [bucket] of the settings says where it is. Then run
    chatnode restore on the fetched file.
    """
    from chatnode.storage.upkeep import bucket_copies

    config = _settings(DataDirectory(data))
    if not config.bucket.name:
        raise StartError("no bucket is set; set bucket.name, or CHATNODE_BUCKET__NAME")
    names = bucket_copies.available(config.bucket)
    if directory is None:
        for each in names:
            click.echo(each)
        return
    chosen = name or next(iter(names), "")
    if chosen not in names:
        raise StartError(f"the bucket {config.bucket.name} has no backup {chosen}".rstrip())
    secret = _secret(passphrase_file) or backups.passphrase(config.backup)
    with Bars() as progress:
        path = bucket_copies.fetch(config.bucket, chosen, directory, secret, progress)
        manifest = verify_backup(path, secret, progress)
    _describe(path, manifest)


def _refuse_foreign(directory: DataDirectory) -> None:
    """A directory with other things in it is no place for a node: it was most likely not meant."""
    own = (directory.database, directory.restoring, directory.config, directory.path / "lock")
    if directory.path.is_dir() and any(directory.path.iterdir()) and not any(path.exists() for path in own):
        raise StartError(f"{directory.path}: not empty and not a chatnode data directory; choose another with --data")


def _describe(backup: Path, manifest: dict[str, Any] | None) -> None:
    if manifest is None:
        click.echo(f"{backup}: a plain copy of a database")
    else:
        found: dict[str, int] = manifest["counts"]
        singular = {"people": "person"}
        counts = ", ".join(counted(found[name], singular.get(name, name.removesuffix("s")), name) for name in found)
        if files := manifest.get("files"):
            counts += f", {counted(files['count'], 'file')}"
        click.echo(f"{backup}: made {manifest['made_at']} by chatnode {manifest['chatnode']}: {counts}")


def _finder() -> FindLister:
    """Finds how the installed plugins list their files."""
    from chatnode.hooks.discovery import installed
    from chatnode.hooks.files import find_lister

    return partial(find_lister, {}, {each.name: each for each in installed()})


def _settings(directory: DataDirectory) -> Config:
    return config_file.load(directory.given_config)


def _secret(passphrase_file: Path | None) -> str | None:
    if passphrase_file is not None:
        return passphrase_of(passphrase_file)
    return os.environ.get(PASSPHRASE) or None
