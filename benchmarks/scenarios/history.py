"""Pages of 50 messages at random places of a conversation of a million."""

from benchmarks.generator import Session
from benchmarks.library import filled
from benchmarks.scenario import Figures, Metric, Scenario, Trial

SESSIONS = 8
PAGE = 50


def measure(trial: Trial) -> Figures:
    """Eight sessions, one request in flight in each; the generator looks at every message of every page."""
    library = filled(trial)
    with trial.serving(library.data) as server:
        report = trial.generator.history(
            server,
            [Session("read", library.token, library.conversation)] * SESSIONS,
            messages=library.messages,
            seconds=trial.size.seconds,
            warm_up=trial.size.warm_up,
            page=PAGE,
        )
    return {
        "pages_per_second": report.pages / report.seconds,
        "page_p50": report.page_ms.p50,
        "page_p99": report.page_ms.p99,
        "server_cpu_us": report.server_cpu_seconds / report.pages * 1e6,
        "server_percent": report.server_cpu_seconds / report.seconds * 100,
        "generator_percent": report.generator_cpu_seconds / report.seconds * 100,
    }


HISTORY = Scenario(
    name="history",
    title="History: pages of 50 at random places among {filled:,} messages, 8 sessions",
    rounds=5,
    metrics=(
        Metric("pages_per_second", "pages/s", at_least=4000),
        Metric("page_p50", "page p50, ms", 2),
        Metric("page_p99", "page p99, ms", 2),
        Metric("server_cpu_us", "server CPU per page, µs"),
        Metric("server_percent", "server's core, % busy with it", 1),
        Metric("generator_percent", "generator's core, % busy with it", 1),
    ),
    measure=measure,
)
