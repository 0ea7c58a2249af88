"""Memory: of the node itself, and of each idle session, plain and over TLS."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from attrs import evolve

from benchmarks.generator import Session
from benchmarks.http_client import Person
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.servers import Server
from benchmarks.tls_sessions import settings_with_certificate, tls_sessions

TLS_SHARE = 5
"""One session over TLS for this many plain ones, because each handshake takes milliseconds."""

Idle = Callable[[Server, list[Person]], AbstractContextManager[None]]
"""Sessions of these people, open while the block runs."""


def measure(trial: Trial) -> Figures:
    """Sessions that the generator opens."""
    return _measure(
        trial, lambda server, people: trial.generator.idle(server, [Session("read", each.token) for each in people])
    )


def measure_tls(trial: Trial) -> Figures:
    """Sessions over TLS, opened one after the other."""
    sessions = trial.size.sessions // TLS_SHARE
    secure = evolve(
        trial,
        size=evolve(trial.size, sessions=sessions),
        settings={**trial.settings, **settings_with_certificate(trial.directory)},
    )
    return _measure(secure, lambda server, people: tls_sessions(server.port, [each.token for each in people]))


def _measure(trial: Trial, idle: Idle) -> Figures:
    """Another process creates the people, without TLS, so that this does not count as memory of the measured one."""
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    with evolve(trial, settings={}).serving(data) as server, server.client(root) as admin:
        people = admin.add_people(trial.size.sessions, "person")
    with trial.serving(data) as server:
        with idle(server, people[:1]):  # loads what the node imports at first use
            time.sleep(trial.size.settle)
        base = server.memory()
        start = time.perf_counter()
        with idle(server, people):
            opening = time.perf_counter() - start
            time.sleep(trial.size.settle)
            full = server.memory()
    return {
        "base_rss": base.rss / 1024,
        "base_pss": base.pss / 1024,
        "session": (full.rss - base.rss) / len(people),
        "opened_per_second": len(people) / opening,
    }


IDLE = Scenario(
    name="idle",
    title="Memory with {sessions:,} idle sessions",
    rounds=3,
    metrics=(
        Metric("base_rss", "server with no session, RSS, MiB", 1, at_most=50),
        Metric("base_pss", "server with no session, PSS, MiB", 1),
        Metric("session", "each session, RSS, KiB", 2, at_most=5),
        Metric("opened_per_second", "sessions opened/s, hello included"),
    ),
    measure=measure,
)

IDLE_TLS = Scenario(
    name="idle-tls",
    title="Memory with idle sessions over TLS, a fifth of {sessions:,}",
    rounds=3,
    metrics=(
        Metric("base_rss", "server with no session, RSS, MiB", 1),
        Metric("session", "each session, RSS, KiB", 2),
        Metric("opened_per_second", "sessions opened/s, handshake and hello included"),
    ),
    measure=measure_tls,
    only_the_node=True,
)
