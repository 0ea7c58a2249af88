"""Listing and running jobs."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job, JobRunner
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.jobs import JobInfo, JobList, JobReply, RunJob
from chatnode.model.commands.shared import Nothing
from chatnode.model.times import rfc3339
from chatnode.storage.node.jobs import TABLES
from chatnode.storage.people import audit


@command("jobs.list", permission=permissions.OPERATE, reads=True)
async def list_jobs(ctx: Caller, asked: Nothing) -> JobList:
    """The node's jobs: how often they run, and the outcome of the last run.

    To filter and sort: `items.query` of `jobs`.
    """
    await ctx.core.part(JobRunner).load()
    return JobList([_info(ctx.core, job) for job in ctx.core.part(JobRunner)])


@command("jobs.run", permission=permissions.OPERATE)
async def run_job(ctx: Caller, asked: RunJob) -> JobReply:
    """Run a job now, regardless of its schedule; returns the outcome."""
    job = ctx.core.part(JobRunner)[asked.job]
    await ctx.write(lambda tx: audit.record(tx, ctx.account, "jobs.run", job.name))
    await ctx.core.part(JobRunner).run(job.name)
    return JobReply(_info(ctx.core, ctx.core.part(JobRunner)[asked.job]))


def _info(core: Core, job: Job) -> JobInfo:
    runner = core.part(JobRunner)
    period, running = job.period(core.config), job.name in runner.running
    last = runner.last.get(job.name)
    if last is None:
        return JobInfo(job.name, period, running)
    return JobInfo(
        job.name, period, running, rfc3339(last.at), last.seconds, last.ok, last.result, last.runs, last.failures
    )


SUBJECT = Subject(commands=(list_jobs, run_job), tables=TABLES)
