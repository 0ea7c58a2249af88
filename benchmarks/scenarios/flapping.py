"""Latency of messages while a thousand people come and go beside them, and while nobody does."""

import time
from collections.abc import Callable

from benchmarks.checks import require_all_arrived
from benchmarks.errors import require
from benchmarks.generator import FlapReport, PostReport, Session
from benchmarks.http_client import Person
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.servers import Server

MESSAGES_PER_SECOND = 500
WINDOW = 64  # what a sender may have in flight before the server has plainly stalled
NEIGHBOURS = 50  # who come and go, in a group with two who talk: they tell each other, and those two


def measure(trial: Trial) -> Figures:
    """The same server: while it is quiet, while it is not, and while it is quiet again, so that a machine that
    becomes slower or faster meanwhile does not make the ratio. Latency counts from the planned time."""
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    size = trial.size
    with trial.serving(data) as server:
        with server.client(root) as admin:
            senders = admin.add_people(size.pairs, "sender")
            readers = admin.add_people(size.pairs, "reader")
            flapping = admin.add_people(size.flapping, "flapping")
        talking = pair_up(server, senders, readers)
        make_neighbours(server, flapping, [*senders, *readers])
        before = talk(trial, server, talking)
        comers = [Session("read", person.token) for person in flapping]
        with trial.generator.flapping(server, comers, size.here, size.away) as flaps:
            flapped = talk(trial, server, talking)
        time.sleep(4 * size.settle)  # until the last ones who went are told of
        after = talk(trial, server, talking)
    require_steady(flaps[0], size.flapping / (size.here + size.away))

    def quiet(figure: Callable[[PostReport], float]) -> float:
        return (figure(before) + figure(after)) / 2

    figures: Figures = {"changes_per_second": (flaps[0].came + flaps[0].went) / flaps[0].seconds}
    for name, figure in FIGURES.items():
        figures |= {f"quiet_{name}": quiet(figure), f"flapping_{name}": figure(flapped)}
        figures[f"times_{name}"] = figure(flapped) / quiet(figure)
    return figures


FIGURES: dict[str, Callable[[PostReport], float]] = {
    "p50": lambda report: report.delivery_ms.p50,
    "p99": lambda report: report.delivery_ms.p99,
    "ack_p99": lambda report: report.ack_ms.p99,
    "percent": lambda report: report.server_cpu_seconds / report.seconds * 100,
}


def pair_up(server: Server, senders: list[Person], readers: list[Person]) -> list[Session]:
    """Pairs who talk: one sends, the other reads."""
    sessions: list[Session] = []
    for sender, reader in zip(senders, readers, strict=True):
        with server.client(sender.token) as client:
            conversation = client.call("conversations.direct", **{"with": reader.handle})["conversation"]
        sessions += [Session("post", sender.token, conversation), Session("read", reader.token, conversation)]
    return sessions


def make_neighbours(server: Server, flapping: list[Person], talking: list[Person]) -> None:
    """Groups of those who come and go, with some of those who talk in each, so that everybody has somebody to tell."""
    groups = [flapping[start : start + NEIGHBOURS] for start in range(0, len(flapping), NEIGHBOURS)]
    for number, group in enumerate(groups):
        members = [person.handle for person in (*group[1:], *talking[number :: len(groups)])]
        with server.client(group[0].token) as client:
            client.call("conversations.create", title="neighbours", members=members)


def talk(trial: Trial, server: Server, sessions: list[Session], rate: int = MESSAGES_PER_SECOND) -> PostReport:
    """The pairs' messages on their timetable, all of which must arrive, whatever happens beside them."""
    report = trial.generator.post(
        server,
        sessions,
        seconds=trial.size.seconds,
        warm_up=trial.size.warm_up,
        rate=rate,
        window=WINDOW,
    )
    require_all_arrived(report, readers=1)
    require(report.overruns == 0, f"the timetable was kept; {report.overruns} messages could not be sent")
    return report


def require_steady(flaps: FlapReport, planned: float) -> None:
    """That people did come and go as often as planned: a server that lets nobody in is not disturbed."""
    came, went = flaps.came / flaps.seconds, flaps.went / flaps.seconds
    for rate in (came, went):
        require(
            planned / 2 < rate < planned * 2, f"{planned:.0f} were to come a second; {came:.0f} came, {went:.0f} went"
        )


FLAPPING = Scenario(
    name="flapping",
    title="{flapping:,} people who come and go, beside 500 messages/s of {pairs:,} pairs",
    rounds=3,
    metrics=(
        Metric("quiet_p50", "delivery p50 while nobody does, ms", 2),
        Metric("quiet_p99", "delivery p99 while nobody does, ms", 2),
        Metric("flapping_p50", "delivery p50 while they do, ms", 2),
        Metric("flapping_p99", "delivery p99 while they do, ms", 2),
        Metric("times_p50", "delivery p50, times as long", 2),
        Metric("times_p99", "delivery p99, times as long", 2, at_most=1.5),
        Metric("times_ack_p99", "ack p99, times as long", 2),
        Metric("changes_per_second", "comings and goings/s"),
        Metric("quiet_percent", "server's core while nobody does, % busy", 1),
        Metric("flapping_percent", "server's core while they do, % busy", 1),
    ),
    measure=measure,
)
