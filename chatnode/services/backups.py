"""Backups, made on schedule or on request."""

from __future__ import annotations

from functools import partial

import trio

from chatnode.config import Config
from chatnode.counting import counted
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job, JobFailed, JobRunner
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.hooks.files import find_lister
from chatnode.hooks.manager import Manager
from chatnode.model import permissions
from chatnode.model.commands.backups import BackupReply
from chatnode.model.commands.shared import Nothing
from chatnode.storage.people import audit
from chatnode.storage.upkeep import backups, bucket_copies
from chatnode.storage.upkeep.backups import BackupError, Made

BUCKET_SECONDS = 3_600.0
"""How often the node looks for backups that are not in the bucket, such as from cron. Its own are copied at once."""


@command("backup.create", permission=permissions.OPERATE)
async def create(ctx: Caller, asked: Nothing) -> BackupReply:
    """Make a backup in the node's backup directory now, and delete old backups as configured."""
    try:
        made = await make(ctx.core)
    except BackupError as error:
        raise Refusal("unavailable", str(error)) from error
    await ctx.write(lambda tx: audit.record(tx, ctx.account, "backup.create", made.path.name))
    manifest = made.manifest
    return BackupReply(
        made.path.name, manifest["made_at"], manifest["bytes"], manifest["gid"], manifest["counts"]["messages"],
        bool(ctx.core.config.backup.passphrase_file), len(manifest["problems"]), made.removed,
        *((files["count"], files["bytes"]) if (files := manifest.get("files")) else ()),
    )  # fmt: skip


async def make(core: Core) -> Made:
    """Make a backup in a thread of its own; cancellation stops it soon. Raises `BackupError`."""
    settings = core.config.backup
    plugins = core.part(Manager)
    find = partial(find_lister, plugins.plugins, plugins.installed)
    secret = await trio.to_thread.run_sync(backups.passphrase, settings)
    made = await trio.to_thread.run_sync(
        partial(backups.rotate, core.directory, settings, secret, core.db.additions, find, _stop_when_cancelled)
    )
    if core.config.bucket.name:
        core.part(JobRunner).wake("bucket")
    return made


def _stop_when_cancelled(stage: str, done: int, total: int) -> None:
    trio.from_thread.check_cancelled()


async def copy_to_bucket(core: Core) -> str | None:
    """Copy new backups to the bucket. A failure is retried within an hour, and never affects the backups."""
    config, directory = core.config, backups.directory_of(core.directory, core.config.backup)
    if not config.bucket.name:
        return None
    secret = await trio.to_thread.run_sync(backups.passphrase, config.backup)
    sent = await trio.to_thread.run_sync(
        partial(
            bucket_copies.copy_out,
            core.directory,
            directory,
            config.bucket,
            config.backup,
            secret,
            _stop_when_cancelled,
        )
    )
    if not sent.backups and not sent.removed:
        return None
    return (
        f"{counted(len(sent.backups), 'backup')} and {counted(sent.files, 'file')} copied, {sent.bytes >> 20} MiB, "
        f"{counted(len(sent.removed), 'old backup')} removed"
    )


async def backup(core: Core) -> str:
    """The job."""
    made = await make(core)
    if made.manifest["problems"]:
        wrong = "; ".join(f"{name}: {found[0]}" for name, found in made.manifest["problems"].items())
        raise JobFailed(f"{made.path.name} was made, but checks of it failed ({wrong}); run chatnode check")
    return f"{made.path.name} was made, {counted(len(made.removed), 'old backup')} removed"


def _period(config: Config) -> float:
    return config.backup.every_hours * 3600


def _bucket_period(config: Config) -> float:
    return BUCKET_SECONDS if config.bucket.name else 0


SUBJECT = Subject(
    commands=(create,),
    # In a lane of its own: the first copy may take days.
    jobs=(Job("backup", _period, backup), Job("bucket", _bucket_period, copy_to_bucket, lane="bucket")),
)
