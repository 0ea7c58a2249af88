"""Latency of messages while clients with an account attack the node, one kind of attack at a time."""

import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from statistics import mean

from benchmarks.errors import BenchmarkError
from benchmarks.generator import PostReport
from benchmarks.http_client import Person
from benchmarks.machine import prefix_to_pin
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.scenarios.flapping import pair_up, talk
from benchmarks.servers import REPOSITORY, Server
from tests.blackbox.attackers import ATTACKS

LIMITS = {"CHATNODE_LIMITS__REQUESTS_PER_MINUTE": "6000", "CHATNODE_LIMITS__POSTS_PER_MINUTE": "600"}
"""The defaults: these limits are a node's defence."""


def measure(trial: Trial) -> Figures:
    """One server: quiet, under an attack, quiet again, under the next one. Each attack is compared with the quiet
    before and after it. Latency counts from the planned time."""
    trial = trial.with_settings("limited", LIMITS)
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    figures: Figures = {}
    with trial.serving(data) as server:
        with server.client(root) as admin:
            senders = admin.add_people(trial.size.pairs, "sender")
            readers = admin.add_people(trial.size.pairs, "reader")
            attackers = admin.add_people(len(ATTACKS), "attacker")
        talking = pair_up(server, senders, readers)
        before, quiet = talk(trial, server, talking), list[PostReport]()
        for name, attacker in zip(ATTACKS, attackers, strict=True):
            quiet.append(before)
            with attacking(trial, server, name, attacker):
                attacked = talk(trial, server, talking)
            after = talk(trial, server, talking)
            figures |= {f"{name}_{key}": value for key, value in mean_of([attacked]).items()}
            figures[f"{name}_times_p99"] = attacked.delivery_ms.p99 / mean_of([before, after])["p99"]
            before = after
    figures |= {f"quiet_{key}": value for key, value in mean_of([*quiet, before]).items()}
    figures["worst_times_p99"] = max(figures[f"{name}_times_p99"] for name in ATTACKS)
    return figures


def mean_of(reports: list[PostReport]) -> Figures:
    return {
        "p50": mean(report.delivery_ms.p50 for report in reports),
        "p99": mean(report.delivery_ms.p99 for report in reports),
        "percent": mean(report.server_cpu_seconds / report.seconds * 100 for report in reports),
    }


@contextmanager
def attacking(trial: Trial, server: Server, name: str, attacker: Person) -> Generator[None]:
    """Run the tests' attackers, on the generator's core at the lowest priority, so that they do not delay the load."""
    with server.client(attacker.token) as client:
        conversation = client.call("conversations.create", title=name, members=[])["conversation"]
    program = [sys.executable, "-m", "tests.blackbox.attackers", name, str(server.port), attacker.token, conversation]
    process = subprocess.Popen(
        ["nice", "-n", "19", *prefix_to_pin(trial.cores.others), *program],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise BenchmarkError(f"the attackers ({name}) did not get in")
        try:
            yield
        finally:
            process.communicate()


def _metrics() -> Iterator[Metric]:
    yield Metric("quiet_p50", "delivery p50 without attack, ms", 2)
    yield Metric("quiet_p99", "delivery p99 without attack, ms", 2)
    yield Metric("quiet_percent", "server's core without attack, % busy", 1)
    for name in ATTACKS:
        yield Metric(f"{name}_p50", f"{name}: delivery p50, ms", 2)
        yield Metric(f"{name}_p99", f"{name}: delivery p99, ms", 2)
        yield Metric(f"{name}_times_p99", f"{name}: p99, ratio to no attack", 2, at_most=2)
        yield Metric(f"{name}_percent", f"{name}: server's core, % busy", 1)
    yield Metric("worst_times_p99", "the worst of them: p99, ratio to no attack", 2, at_most=2)


HOSTILE = Scenario(
    name="hostile",
    title="Attacks, beside 500 messages/s of {pairs:,} pairs",
    rounds=3,
    metrics=tuple(_metrics()),
    measure=measure,
    only_the_node=True,
)
