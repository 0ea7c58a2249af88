"""Posts together with what users do besides: marks, typing, statuses, history and search, in real proportions."""

from benchmarks.checks import require_all_stored
from benchmarks.errors import require
from benchmarks.generator import MixedReport, Session
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.servers import Server

READERS = 2
KINDS = ("post", "delivery", "delivered", "read", "typing", "status", "history", "search")


def sessions_of_groups(server: Server, root: str, groups: int) -> list[Session]:
    """Groups of three with all their sessions: the sender of each, then its readers."""
    with server.client(root) as admin:
        senders = admin.add_people(groups, "sender")
        readers = admin.add_people(groups * READERS, "reader")
    sessions: list[Session] = []
    for number, sender in enumerate(senders):
        members = readers[number * READERS :][:READERS]
        with server.client(sender.token) as client:
            handles = [member.handle for member in members]
            conversation = client.call("conversations.create", title="team", members=handles)["conversation"]
        sessions.append(Session("post", sender.token, conversation))
        sessions += [Session("read", member.token, conversation) for member in members]
    return sessions


def require_sound(report: MixedReport) -> None:
    """Every message was acked and reached its readers in order, and every request was answered."""
    require(report.unfinished == 0, f"{report.unfinished} conversations were not served to the end")
    require(report.acked == report.sent, f"acked {report.acked} of {report.sent} sent")
    require(report.out_of_order == 0, f"seq rose by one but for {report.out_of_order} deliveries")


def measure(trial: Trial) -> Figures:
    """A new server, which is killed at the end and must have stored everything it acked."""
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    with trial.serving(data) as server:
        sessions = sessions_of_groups(server, root, trial.size.pairs)
        report = trial.generator.mixed(server, sessions, seconds=trial.size.seconds, warm_up=trial.size.warm_up)
        server.kill()
    require_sound(report)
    with trial.serving(data) as server:
        require_all_stored(server, {session.conversation: session.token for session in sessions}, report.acked)
    figures: Figures = {
        "messages_per_second": report.messages / report.seconds,
        "requests_per_second": sum(report.ms[kind].count for kind in KINDS if kind != "delivery") / report.seconds,
        "server_cpu_us": report.server_cpu_seconds / report.messages * 1e6,
        "server_percent": report.server_cpu_seconds / report.seconds * 100,
        "generator_percent": report.generator_cpu_seconds / report.seconds * 100,
    }
    for kind in KINDS:
        figures |= {f"{kind}_p50": report.ms[kind].p50, f"{kind}_p99": report.ms[kind].p99}
    return figures


MIXED = Scenario(
    name="mixed",
    title="Messages, and what users do besides, {pairs:,} groups of three, one message in flight in each",
    rounds=3,
    metrics=(
        Metric("messages_per_second", "messages/s, with everything that follows them"),
        Metric("requests_per_second", "requests/s"),
        Metric("server_cpu_us", "server CPU per message, µs", 1),
        *(Metric(f"{kind}_{part}", f"{kind} {part}, ms", 2) for kind in KINDS for part in ("p50", "p99")),
        Metric("server_percent", "server's core, % busy with it", 1),
        Metric("generator_percent", "generator's core, % busy with it", 1),
    ),
    measure=measure,
    only_the_node=True,
)
