"""Backups, made on schedule or on request."""

from __future__ import annotations

from functools import partial

import trio

from chatnode.config import Config
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job, JobFailed
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.backups import BackupReply
from chatnode.model.commands.shared import Nothing
from chatnode.storage.people import audit
from chatnode.storage.upkeep import backups
from chatnode.storage.upkeep.backups import BackupError, Made


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
    )  # fmt: skip


async def make(core: Core) -> Made:
    """Make a backup in a thread of its own; cancellation stops it soon. Raises `BackupError`."""
    settings = core.config.backup
    secret = await trio.to_thread.run_sync(backups.passphrase, settings)
    return await trio.to_thread.run_sync(
        partial(backups.rotate, core.directory, settings, secret, core.db.additions, _stop_when_cancelled)
    )


def _stop_when_cancelled(stage: str, done: int, total: int) -> None:
    trio.from_thread.check_cancelled()


async def backup(core: Core) -> str:
    """The job."""
    made = await make(core)
    if made.manifest["problems"]:
        raise JobFailed(f"{made.path.name} was made, but checks of it failed; run chatnode check")
    return f"{made.path.name} was made, {len(made.removed)} older ones removed"


def _period(config: Config) -> float:
    return config.backup.every_hours * 3600


SUBJECT = Subject(
    commands=(create,),
    jobs=(Job("backup", _period, backup),),
)
