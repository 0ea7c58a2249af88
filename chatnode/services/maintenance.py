"""Jobs that keep the database in order."""

from __future__ import annotations

from functools import partial

import trio

from chatnode.counting import counted
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job, JobFailed
from chatnode.dispatch.signing import Signer
from chatnode.dispatch.subject import Subject
from chatnode.errors import Refusal
from chatnode.services import checking
from chatnode.storage.engine import maintenance
from chatnode.storage.engine.connection import file_statistics
from chatnode.storage.people import owners
from chatnode.storage.upkeep import checks

DAY = 86_400
LEAST_FREE_BYTES = 16 << 20


async def remove_expired(core: Core) -> str:
    """Remove sessions and invites that ended a while ago."""
    sessions, invites = await core.db.write(maintenance.remove_expired)
    return f"{counted(sessions, 'session')} and {counted(invites, 'invite')} removed"


async def ensure_owners(core: Core) -> str | None:
    """Give an owner to groups that an earlier version left without one who can act."""
    settled = await core.db.write(owners.ensure_all_owners)
    return f"new owners for {counted(settled, 'group')}" if settled else None


async def rotate_signing_keys(core: Core) -> str | None:
    """Sign links with a new key every week."""
    changed = await trio.to_thread.run_sync(core.part(Signer).rotate)
    return "links are signed with a new key" if changed else None


async def optimize(core: Core) -> str:
    """Refresh SQLite's statistics, so that it keeps choosing the right index."""
    await core.db.write(maintenance.optimize)
    return "statistics of the tables are up to date"


async def check_integrity(core: Core) -> str:
    """Run all checks; fails when one finds a problem, so that health and metrics report it, or cannot run now."""
    try:
        checked = await checking.with_files(core, await core.db.read(checks.run))
    except Refusal as refusal:
        raise JobFailed(refusal.message) from None
    if not checked.clean:
        failed = ", ".join(check.name for check in checked.checks if check.problems)
        raise JobFailed(f"the database is not sound ({failed}); run chatnode check")
    return f"{counted(len(checked.checks), 'check')} passed"


async def shrink(core: Core) -> str:
    """Free unused space, if there is a lot of it and no write is waiting."""
    db, settings = core.db, core.config.storage
    before = await db.read(file_statistics)
    worth_it = before.free_bytes > max(LEAST_FREE_BYTES, settings.vacuum_free_share * before.bytes)
    if not settings.vacuum_free_share or not worth_it:
        return "little space is unused"
    if before.bytes > settings.vacuum_most_mib << 20:
        return "larger than storage.vacuum_most_mib; not vacuumed"
    async with db.file.alone:
        done = await db.maintain(partial(maintenance.vacuum, wanted=lambda: db.writes_waiting > 0))
    if not done:
        return "interrupted by a write"
    after = await db.read(file_statistics)
    return f"{(before.bytes - after.bytes) >> 20} MiB freed"


SUBJECT = Subject(
    jobs=(
        Job("expired", DAY / 4, remove_expired),
        Job("owners", DAY, ensure_owners),
        Job("signing keys", DAY, rotate_signing_keys),
        Job("optimize", DAY, optimize),
        Job("shrink", DAY, shrink),
        Job("integrity", 7 * DAY, check_integrity),
    ),
)
