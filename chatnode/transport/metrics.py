"""`GET /metrics`: what was counted, and what is looked up now. No label names a person or a conversation."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import trio

from chatnode import __version__
from chatnode.certificates.node_certificate import NodeCertificate
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import JobRunner
from chatnode.hooks.consumers import Consumers
from chatnode.hooks.manager import Figure, Manager
from chatnode.hooks.tasks import Tasks
from chatnode.metrics import MetricsPage
from chatnode.model.plugins import ConsumerStatus
from chatnode.model.work import STATUSES
from chatnode.outbound.client import Outbound
from chatnode.routing.sessions import SessionRegistry
from chatnode.services.health import Part
from chatnode.storage.engine.connection import FileStatistics, file_statistics
from chatnode.storage.log import log
from chatnode.storage.node.jobs import LastRun
from chatnode.storage.work import work

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def page(core: Core, registry: SessionRegistry, parts: dict[str, Part]) -> str:
    """The text of all metrics; `parts` as health reports them."""
    head, files, works = await core.db.read(
        lambda reader: (log.head(reader), file_statistics(reader), work.counts(reader))
    )
    page = MetricsPage()
    page.metric("chatnode_info", "gauge", "The version of chatnode.", {(("version", __version__),): 1})
    _health(page, core, parts)
    _requests(page, core)
    _sessions(page, core, registry)
    _mails(page, core)
    _storage(page, core, head, files)
    _jobs(page, core)
    _work(page, core, works)
    _outbound(page, core)
    await _certificate(page, core)
    await _plugins(page, core)
    _process(page)
    return page.text()


def _health(page: MetricsPage, core: Core, parts: dict[str, Part]) -> None:
    well = {(("part", name),): int(part["status"] == "ok") for name, part in parts.items()}
    page.metric("chatnode_part_ok", "gauge", "Whether a part of the node is healthy, as in /health.", well)
    free = shutil.disk_usage(core.db.path.parent).free
    page.value("chatnode_disk_free_bytes", "gauge", "Free space where the database is.", free)


def _requests(page: MetricsPage, core: Core) -> None:
    metrics = core.metrics
    counts = {(("command", name), ("outcome", outcome)): n for (name, outcome), n in metrics.requests.items()}
    page.metric("chatnode_requests_total", "counter", "Requests by command and outcome.", counts)
    seconds = {(("command", name),): histogram for name, histogram in metrics.seconds.items()}
    page.histogram("chatnode_request_seconds", "From permission to result, by command.", seconds)
    posted = metrics.requests.get(("messages.post", "ok"), 0)
    page.value("chatnode_messages_posted_total", "counter", "Messages that were acknowledged.", posted)


def _mails(page: MetricsPage, core: Core) -> None:
    counts = {(("outcome", outcome),): count for outcome, count in core.metrics.mails.items()}
    page.metric("chatnode_mails_total", "counter", "Attempts to send an email, by outcome.", counts)


def _sessions(page: MetricsPage, core: Core, registry: SessionRegistry) -> None:
    page.value("chatnode_deliveries_total", "counter", "Events handed to live sessions.", core.metrics.deliveries)
    page.value(
        "chatnode_outbox_overflows_total", "counter", "Sessions that had to resume because they read too slowly.",
        core.metrics.overflows,
    )  # fmt: skip
    page.value("chatnode_live_sessions", "gauge", "Sessions that receive events now.", len(registry))
    queued = sum(session.queued_bytes for session in registry.all())
    page.value("chatnode_outbox_bytes", "gauge", "Bytes queued for sessions that are behind.", queued)


def _storage(page: MetricsPage, core: Core, head: int, files: FileStatistics) -> None:
    db = core.db
    page.histogram("chatnode_commit_jobs", "Writes that shared a commit.", {(): db.commits.jobs})
    page.histogram("chatnode_commit_seconds", "A commit with its writes and its flush.", {(): db.commits.seconds})
    page.value("chatnode_commit_failures_total", "counter", "Commits that failed.", db.commits.failures)
    page.value("chatnode_writes_waiting", "gauge", "Writes waiting for their commit.", db.writes_waiting)
    page.value("chatnode_reads_waiting", "gauge", "Reads waiting for a thread.", db.reads_waiting)
    page.value("chatnode_log_head", "gauge", "Number of the newest row of the log.", head)
    page.value("chatnode_database_bytes", "gauge", "Size of the database.", files.bytes)
    page.value("chatnode_database_free_bytes", "gauge", "Unused space inside the database.", files.free_bytes)
    page.value("chatnode_wal_bytes", "gauge", "Size of the write-ahead log.", _size(Path(f"{db.path}-wal")))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _jobs(page: MetricsPage, core: Core) -> None:
    last = {(("job", name),): run for name, run in core.part(JobRunner).last.items()}
    for name, kind, help, value in _OF_JOBS:
        page.metric(name, kind, help, {at: value(run) for at, run in last.items()})


def _work(page: MetricsPage, core: Core, works: dict[str, int]) -> None:
    counts = {(("status", status),): works.get(status, 0) for status in STATUSES}
    page.metric("chatnode_work", "gauge", "Stored work items of plugins, by status.", counts)
    lane = core.db.lane
    page.value("chatnode_low_writes_total", "counter", "Slices of background work that were written.", lane.slices)
    page.value("chatnode_low_write_seconds_total", "counter", "How long they took.", round(lane.seconds, 6))
    page.value("chatnode_low_writes_waiting", "gauge", "Slices that wait for their turn.", len(lane))


def _outbound(page: MetricsPage, core: Core) -> None:
    requests = core.metrics.outbound_requests
    counts = {(("purpose", purpose), ("outcome", outcome)): n for (purpose, outcome), n in requests.items()}
    page.metric("chatnode_outbound_requests_total", "counter", "Requests to other hosts.", counts)
    now = core.part(Outbound)
    page.value("chatnode_outbound_running", "gauge", "Requests to other hosts in progress.", now.running)
    page.value("chatnode_outbound_paused_origins", "gauge", "Other hosts that get no requests for now.", now.paused)


async def _certificate(page: MetricsPage, core: Core) -> None:
    left: dict[tuple[tuple[str, str], ...], float] = {}
    with suppress(ValueError):  # a certificate that cannot be understood, which /health says
        if (report := await core.part(NodeCertificate).report()) is not None:
            left[()] = round(report[0].not_after - time.time())
    help = "Seconds until the certificate of the port expires; negative after that."
    page.metric("chatnode_certificate_expires_seconds", "gauge", help, left)


_OF_JOBS: tuple[tuple[str, str, str, Callable[[LastRun], float]], ...] = (
    ("chatnode_job_runs_total", "counter", "Runs of the node's own jobs.", lambda run: run.runs),
    ("chatnode_job_failures_total", "counter", "Runs that failed.", lambda run: run.failures),
    ("chatnode_job_ok", "gauge", "Whether the last run succeeded.", lambda run: int(run.ok)),
    ("chatnode_job_last_seconds", "gauge", "How long the last run took.", lambda run: run.seconds),
    ("chatnode_job_last_timestamp_seconds", "gauge", "When the last run began.", lambda run: run.at / 1000),
)


async def _plugins(page: MetricsPage, core: Core) -> None:
    installed = {(("plugin", each.name),): each for each in core.part(Manager).statuses()}
    running = {labels: int(each.state == "running") for labels, each in installed.items()}
    page.metric("chatnode_plugin_running", "gauge", "Whether an installed plugin runs.", running)
    failures = {labels: each.failures for labels, each in installed.items()}
    page.metric("chatnode_plugin_failures_total", "counter", "Times that a plugin failed or took too long.", failures)
    held = {labels: each.held_thread for labels, each in installed.items()}
    help = "Times that a plugin held the node's thread for longer than plugins.thread_seconds."
    page.metric("chatnode_plugin_held_thread_total", "counter", help, held)
    readers = core.part(Consumers).statuses()
    consumers = {(("plugin", each.plugin), ("consumer", each.consumer)): each for each in readers}
    for name, help, value in _OF_CONSUMERS:
        page.metric(name, "gauge", help, {labels: value(each) for labels, each in consumers.items()})
    tasks = {(("plugin", each.plugin), ("task", each.task)): each.restarts for each in core.part(Tasks).statuses()}
    page.metric("chatnode_plugin_task_restarts_total", "counter", "Restarts of a plugin's task.", tasks)
    await _figures(page, core)


_OF_CONSUMERS: tuple[tuple[str, str, Callable[[ConsumerStatus], float]], ...] = (
    ("chatnode_consumer_behind", "Rows of the log that a consumer has yet to read.", lambda each: each.behind),
    ("chatnode_consumer_set_aside", "Rows that a consumer failed on and set aside.", lambda each: each.set_aside),
    (
        "chatnode_consumer_failing",
        "Whether a consumer fails on its current rows.",
        lambda each: int(each.failing is not None),
    ),
)


async def _figures(page: MetricsPage, core: Core) -> None:
    """Plugins' own. One that cannot be had is left out, and the log says so."""
    figures = core.part(Manager).figures()
    values: dict[Figure, float] = {}

    async def ask(figure: Figure) -> None:
        value = await core.part(Manager).ask_figure(figure)
        if value is not None:
            values[figure] = value

    async with trio.open_nursery() as nursery:
        for figure in figures:
            if figure.value is None:
                values[figure] = core.metrics.of_plugins.get((figure.plugin, figure.name), 0)
            else:
                nursery.start_soon(ask, figure)
    for figure in figures:
        if figure in values:
            kind = "counter" if figure.value is None else "gauge"
            page.value(figure.shown, kind, figure.help, values[figure])


@cache
def _started() -> float:
    """When this process began, in seconds since 1970."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return round(time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")), 2)


def _process(page: MetricsPage) -> None:
    """The names that Prometheus' own clients use. Without /proc there is only the time."""
    page.value("process_cpu_seconds_total", "counter", "User and system time.", time.process_time())
    if not os.path.isdir("/proc/self"):
        return
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    page.value("process_resident_memory_bytes", "gauge", "Resident memory.", resident)
    page.value("process_start_time_seconds", "gauge", "When the node was started.", _started())
    page.value("process_open_fds", "gauge", "Open files.", len(os.listdir("/proc/self/fd")))
