"""Memory: the node's own, and what one session takes that says nothing."""

import time

from benchmarks.generator import Session
from benchmarks.scenario import Figures, Metric, Scenario, Trial


def measure(trial: Trial) -> Figures:
    """The server starts anew after the people were made, so that their making is not in its memory."""
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    with trial.serving(data) as server, server.client(root) as admin:
        people = admin.add_people(trial.size.sessions, "person")
    sessions = [Session("read", person.token) for person in people]
    with trial.serving(data) as server:
        with trial.generator.idle(server, sessions[:1]):  # what is loaded at first use
            time.sleep(trial.size.settle)
        base = server.memory()
        start = time.perf_counter()
        with trial.generator.idle(server, sessions):
            opening = time.perf_counter() - start
            time.sleep(trial.size.settle)
            full = server.memory()
    return {
        "base_rss": base.rss / 1024,
        "base_pss": base.pss / 1024,
        "session": (full.rss - base.rss) / len(sessions),
        "opened_per_second": len(sessions) / opening,
    }


IDLE = Scenario(
    name="idle",
    title="Memory with {sessions:,} sessions that are idle",
    rounds=3,
    metrics=(
        Metric("base_rss", "server with no session, RSS, MiB", 1, at_most=70),
        Metric("base_pss", "server with no session, PSS, MiB", 1),
        Metric("session", "each session, RSS, KiB", 2, at_most=15),
        Metric("opened_per_second", "sessions opened/s, hello included"),
    ),
    measure=measure,
)
