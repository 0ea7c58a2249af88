"""`GET /metrics`: what was counted, and what is looked up now. No label names a person or a conversation."""

from __future__ import annotations

import os
import time
from pathlib import Path

from chatnode import __version__
from chatnode.dispatch.core import Core
from chatnode.metrics import Page
from chatnode.routing.sessions import SessionRegistry
from chatnode.storage import log
from chatnode.storage.database import FileStatistics, file_statistics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def may_see(core: Core, peer: str, forwarded: bool) -> bool:
    """Whether an address may see the metrics without a token. What a proxy passes on is not from its own address."""
    return peer in core.config.server.metrics_addresses and not forwarded


async def page(core: Core, registry: SessionRegistry) -> str:
    """The text of all metrics."""
    head, files = await core.db.read(lambda reader: (log.head(reader), file_statistics(reader)))
    page = Page()
    page.metric("chatnode_info", "gauge", "The program.", {(("version", __version__),): 1})
    _requests(page, core)
    _sessions(page, core, registry)
    _storage(page, core, head, files)
    _jobs(page, core)
    _process(page)
    return page.text()


def _requests(page: Page, core: Core) -> None:
    metrics = core.metrics
    counts = {(("command", name), ("outcome", outcome)): n for (name, outcome), n in metrics.requests.items()}
    page.metric("chatnode_requests_total", "counter", "Requests by command and outcome.", counts)
    seconds = {(("command", name),): histogram for name, histogram in metrics.seconds.items()}
    page.histogram("chatnode_request_seconds", "From permission to result, by command.", seconds)
    posted = metrics.requests.get(("messages.post", "ok"), 0)
    page.value("chatnode_messages_posted_total", "counter", "Messages that were acknowledged.", posted)


def _sessions(page: Page, core: Core, registry: SessionRegistry) -> None:
    page.value("chatnode_deliveries_total", "counter", "Events handed to live sessions.", core.metrics.deliveries)
    page.value(
        "chatnode_outbox_overflows_total", "counter", "Sessions told to resume because they read too slowly.",
        core.metrics.overflows,
    )  # fmt: skip
    page.value("chatnode_live_sessions", "gauge", "Sessions that hear events now.", len(registry))
    queued = sum(session.queued_bytes for session in registry.all())
    page.value("chatnode_outbox_bytes", "gauge", "Bytes queued for sessions that are behind.", queued)


def _storage(page: Page, core: Core, head: int, files: FileStatistics) -> None:
    db = core.db
    page.histogram("chatnode_commit_jobs", "Writes that shared a commit.", {(): db.commits.jobs})
    page.histogram("chatnode_commit_seconds", "A commit with its writes and its flush.", {(): db.commits.seconds})
    page.value("chatnode_commit_failures_total", "counter", "Commits that failed.", db.commits.failures)
    page.value("chatnode_writes_waiting", "gauge", "Writes that wait for their commit.", db.writes_waiting)
    page.value("chatnode_log_head", "gauge", "Number of the newest row of the log.", head)
    page.value("chatnode_database_bytes", "gauge", "Size of the database.", files.bytes)
    page.value("chatnode_database_free_bytes", "gauge", "Unused space inside the database.", files.free_bytes)
    page.value("chatnode_wal_bytes", "gauge", "Size of the write-ahead log.", _size(Path(f"{db.path}-wal")))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _jobs(page: Page, core: Core) -> None:
    last = {(("job", name),): run for name, run in core.jobs.last.items()}
    for name, kind, help, values in (
        ("chatnode_job_runs_total", "counter", "Runs.", {at: run.runs for at, run in last.items()}),
        ("chatnode_job_failures_total", "counter", "Runs that failed.", {at: run.failures for at, run in last.items()}),
        ("chatnode_job_ok", "gauge", "Whether the last run succeeded.", {at: int(run.ok) for at, run in last.items()}),
        ("chatnode_job_last_seconds", "gauge", "Its duration.", {at: run.seconds for at, run in last.items()}),
        ("chatnode_job_last_timestamp_seconds", "gauge", "Its time.", {at: run.at / 1000 for at, run in last.items()}),
    ):
        page.metric(name, kind, help, values)


def _process(page: Page) -> None:
    """The names that Prometheus' own clients use."""
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    page.value("process_cpu_seconds_total", "counter", "User and system time.", time.process_time())
    page.value("process_resident_memory_bytes", "gauge", "Resident memory.", resident)
    page.value("process_open_fds", "gauge", "Open files.", len(os.listdir("/proc/self/fd")))
