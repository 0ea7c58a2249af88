"""Jobs that keep the database in order."""

from __future__ import annotations

from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job, JobFailed
from chatnode.storage import checks, maintenance

DAY = 86_400


async def remove_expired(core: Core) -> str:
    """Sessions and invites that ended a while ago."""
    sessions, invites = await core.db.write(maintenance.remove_expired)
    return f"{sessions} sessions and {invites} invites removed"


async def optimize(core: Core) -> str:
    """Let SQLite look at the tables again, so that it goes on choosing the right index."""
    await core.db.write(maintenance.optimize)
    return "statistics of the tables are up to date"


async def check_integrity(core: Core) -> str:
    """All checks; fails when one finds something, so that health and metrics tell of it."""
    checked = await core.db.read(checks.run)
    if not checked.clean:
        failed = ", ".join(check.name for check in checked.checks if check.problems)
        raise JobFailed(f"the database is not sound ({failed}); run chatnode check")
    return f"{len(checked.checks)} checks found nothing"


JOBS = (
    Job("expired", DAY / 4, remove_expired),
    Job("optimize", DAY, optimize),
    Job("integrity", 7 * DAY, check_integrity),
)
