"""Deliveries a second: one sender, 500 recipients, a few messages in flight."""

from benchmarks.checks import require_all_arrived, require_all_stored
from benchmarks.generator import Session
from benchmarks.scenario import Figures, Metric, Scenario, Trial

WINDOW = 4


def measure(trial: Trial) -> Figures:
    """A message is done, and the next one leaves, when it is acked and every recipient has it."""
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    with trial.serving(data) as server:
        with server.client(root) as admin:
            (sender,) = admin.add_people(1, "sender")
            recipients = admin.add_people(trial.size.recipients, "recipient")
        with server.client(sender.token) as client:
            members = [recipient.handle for recipient in recipients]
            conversation = client.call("conversations.create", title="fan-out", members=members)["conversation"]
        report = trial.generator.post(
            server,
            [
                Session("post", sender.token, conversation),
                *(Session("read", recipient.token, conversation) for recipient in recipients),
            ],
            window=WINDOW,
            seconds=trial.size.seconds,
            warm_up=trial.size.warm_up,
        )
        server.kill()
    require_all_arrived(report, readers=trial.size.recipients)
    with trial.serving(data) as server:
        require_all_stored(server, {conversation: sender.token}, report.acked)
    return {
        "deliveries_per_second": report.deliveries / report.seconds,
        "delivery_p50": report.delivery_ms.p50,
        "delivery_p99": report.delivery_ms.p99,
        "server_cpu_us": report.server_cpu_seconds / report.deliveries * 1e6,
        "server_percent": report.server_cpu_seconds / report.seconds * 100,
        "generator_percent": report.generator_cpu_seconds / report.seconds * 100,
    }


FANOUT = Scenario(
    name="fanout",
    title="Fan-out from one sender to {recipients:,} recipients, 4 messages in flight",
    rounds=5,
    metrics=(
        Metric("deliveries_per_second", "deliveries/s", at_least=80_000),
        Metric("delivery_p50", "delivery p50, ms", 2),
        Metric("delivery_p99", "delivery p99, ms", 2),
        Metric("server_cpu_us", "server CPU per delivery, µs", 2),
        Metric("server_percent", "server's core, % busy with it", 1),
        Metric("generator_percent", "generator's core, % busy with it", 1),
    ),
    measure=measure,
)
