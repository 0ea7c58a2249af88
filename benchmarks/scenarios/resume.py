"""How long a session that missed 10,000 events takes to have them all."""

import statistics

from benchmarks.checks import require_all_arrived
from benchmarks.errors import require
from benchmarks.generator import HelloReport, Session
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.servers import Server

WINDOW = 64
RESUMES = 5


def measure(trial: Trial) -> Figures:
    """From hello to ``live``, on a connection that is already open; the median of a few in a row."""
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    with trial.serving(data) as server:
        with server.client(root) as admin:
            sender, reader = admin.add_people(2, "person")
        with server.client(sender.token) as client:
            conversation = client.call("conversations.direct", **{"with": reader.handle})["conversation"]
        left = trial.generator.hello(server, Session("read", reader.token))
        posted = trial.generator.post(
            server,
            [Session("post", sender.token, conversation)],
            window=WINDOW,
            messages=trial.size.missed,
        )
        require_all_arrived(posted, readers=0)
        resumes = [resume(trial, server, reader.token, left) for _ in range(RESUMES)]
    seconds = statistics.median(resumes)
    return {"live_ms": seconds * 1e3, "events_per_second": trial.size.missed / seconds}


def resume(trial: Trial, server: Server, token: str, left: HelloReport) -> float:
    """Seconds until live for one session that saw everything up to ``left``."""
    cursor = {"epoch": left.epoch, "gid": left.head}
    report = trial.generator.hello(server, Session("read", token), cursor)
    require(report.mode == "replay", f"the session resumes by replay, not by {report.mode}")
    require(report.events == trial.size.missed, f"{report.events} of {trial.size.missed} missed events came")
    return report.live_ms / 1e3


RESUME = Scenario(
    name="resume",
    title="Resume after {missed:,} missed events",
    rounds=3,
    metrics=(
        Metric("live_ms", "hello to live, ms", 1),
        Metric("events_per_second", "events/s"),
    ),
    measure=measure,
)
