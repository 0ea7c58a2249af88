"""Durable messages a second from end to end: many pairs, one message in flight in each."""

from collections.abc import Callable

from benchmarks.checks import require_all_arrived, require_all_stored
from benchmarks.generator import PostReport, Session
from benchmarks.http_client import Person
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.servers import Server

Acquaint = Callable[[Server, Person, Person], None]
"""What the two of a pair do before they talk."""


def post_in_pairs(
    trial: Trial, load: Callable[[Server, list[Session]], PostReport], acquaint: Acquaint = lambda *pair: None
) -> PostReport:
    """Run a load of pairs on a new server, kill the server, and count what a new process finds stored."""
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    sessions: list[Session] = []
    with trial.serving(data) as server:
        with server.client(root) as admin:
            senders = admin.add_people(trial.size.pairs, "sender")
            readers = admin.add_people(trial.size.pairs, "reader")
        for sender, reader in zip(senders, readers, strict=True):
            with server.client(sender.token) as client:
                conversation = client.call("conversations.direct", **{"with": reader.handle})["conversation"]
            acquaint(server, sender, reader)
            sessions += [
                Session("post", sender.token, conversation),
                Session("read", reader.token, conversation),
            ]
        report = load(server, sessions)
        server.kill()
    require_all_arrived(report, readers=1)
    with trial.serving(data) as server:
        require_all_stored(server, {session.conversation: session.token for session in sessions}, report.acked)
    return report


def measure(trial: Trial) -> Figures:
    """A message is done, and its pair's next one leaves, when it is both acked and delivered."""
    report = post_in_pairs(
        trial,
        lambda server, sessions: trial.generator.post(
            server, sessions, seconds=trial.size.seconds, warm_up=trial.size.warm_up
        ),
    )
    return {
        "messages_per_second": report.messages / report.seconds,
        "ack_p50": report.ack_ms.p50,
        "ack_p99": report.ack_ms.p99,
        "delivery_p50": report.delivery_ms.p50,
        "delivery_p99": report.delivery_ms.p99,
        "server_cpu_us": report.server_cpu_seconds / report.messages * 1e6,
        "server_percent": report.server_cpu_seconds / report.seconds * 100,
        "generator_percent": report.generator_cpu_seconds / report.seconds * 100,
    }


PAIRS = Scenario(
    name="pairs",
    title="Durable messages, {pairs:,} pairs, one in flight per pair",
    rounds=5,
    metrics=(
        Metric("messages_per_second", "messages/s, stored and delivered", at_least=15_000),
        Metric("ack_p50", "ack p50, ms", 2),
        Metric("ack_p99", "ack p99, ms", 2, at_most=15),
        Metric("delivery_p50", "delivery p50, ms", 2),
        Metric("delivery_p99", "delivery p99, ms", 2, at_most=15),
        Metric("server_cpu_us", "server CPU per message, µs", 1),
        Metric("server_percent", "server's core, % busy with it", 1),
        Metric("generator_percent", "generator's core, % busy with it", 1),
    ),
    measure=measure,
)
