"""What notifications cost those who post, and how fast pushes leave for a local push service."""

import base64
import os
import time
from statistics import mean, median

import trio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.errors import require
from benchmarks.generator import PostReport
from benchmarks.http_client import HttpClient, Person
from benchmarks.machine import cpu_seconds_of
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.scenarios.pairs import post_in_pairs
from benchmarks.scenarios.webhooks import Receivers, receiving
from benchmarks.servers import Server
from chatnode.client import connect

CASES = ("off", "nobody", "everybody")
ORDER = (*CASES, *reversed(CASES))
"""Drift of the machine meets all alike."""
PUSHES_PER_PERSON = 20
ASKED_AT_A_TIME = 32
ALONE = 20
"""Messages that are timed one by one."""
WITHOUT = {"CHATNODE_PLUGINS__DISABLED": "notifications"}


def measure(trial: Trial) -> Figures:
    """Posting without the plugin, with nobody registered and with everybody; then pushes, many at once and alone."""
    with receiving(trial.cores.others) as receivers:
        reports: dict[str, list[PostReport]] = {case: [] for case in CASES}
        for number, case in enumerate(ORDER):
            one = trial.with_settings(f"run-{number}", WITHOUT if case == "off" else settings(receivers))
            reports[case].append(_posting(one, receivers, everybody=case == "everybody"))
        rates = {case: mean(each.messages / each.seconds for each in found) for case, found in reports.items()}
        cpu = {case: mean(each.server_cpu_seconds / each.messages for each in found) for case, found in reports.items()}
        return {
            "off": rates["off"],
            "nobody": (1 - rates["nobody"] / rates["off"]) * 100,
            "nobody_cpu": (cpu["nobody"] / cpu["off"] - 1) * 100,
            "everybody": (1 - rates["everybody"] / rates["off"]) * 100,
            "everybody_cpu": (cpu["everybody"] / cpu["off"] - 1) * 100,
            **_pushing(trial.with_settings("pushes", settings(receivers)), receivers),
        }


def settings(receivers: Receivers) -> dict[str, str]:
    """The server's environment: the receivers are its push services."""
    return {
        "CHATNODE_OUTBOUND__ALLOW": ",".join(receivers.places),
        "CHATNODE_PLUGINS__NOTIFICATIONS__CONTACT": "mailto:operator@example.org",
        "CHATNODE_PLUGINS__NOTIFICATIONS__CHANGES_PER_MINUTE": "0",
        "CHATNODE_PLUGINS__NOTIFICATIONS__REGISTRATIONS_PER_MINUTE": "0",
    }


def register(client: HttpClient, receivers: Receivers, number: int) -> None:
    """A browser that gets Web Push."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    keys = {
        "p256dh": _encoded(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
        "auth": _encoded(os.urandom(16)),
    }
    place = receivers.places[number % len(receivers.places)]
    client.call(
        "notifications.register",
        transport="webpush",
        address=f"http://{place}/{number}",
        keys=keys,
        label="browser",
    )


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _posting(trial: Trial, receivers: Receivers, *, everybody: bool) -> PostReport:
    registered = 0

    def acquaint(server: Server, sender: Person, reader: Person) -> None:
        nonlocal registered
        for person in (sender, reader) if everybody else ():
            with server.client(person.token) as client:
                register(client, receivers, registered)
                registered += 1

    return post_in_pairs(
        trial,
        lambda server, sessions: trial.generator.post(
            server, sessions, seconds=trial.size.seconds, warm_up=trial.size.warm_up
        ),
        acquaint,
    )


def _pushing(trial: Trial, receivers: Receivers) -> Figures:
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    with trial.serving(data) as server, server.client(root) as admin:
        people = admin.add_people(trial.size.pairs, "person")
        for number, person in enumerate(people):
            with server.client(person.token) as client:
                register(client, receivers, number)
        return {**_many(server, root, receivers, people), **_alone(server, receivers, people)}


def _many(server: Server, root: str, receivers: Receivers, people: list[Person]) -> Figures:
    """Until all that was sent to everybody has come."""
    before = receivers.count()
    wanted = PUSHES_PER_PERSON * len(people)
    cpu, began = cpu_seconds_of(server.pid), time.perf_counter()
    trio.run(_ask, f"http://127.0.0.1:{server.port}", root, people)
    while (count := receivers.count() - before) < wanted:
        time.sleep(0.02)
    took, used = time.perf_counter() - began, cpu_seconds_of(server.pid) - cpu
    require(count == wanted, f"{count} pushes came of {wanted}")
    return {"pushes": wanted / took, "push_cpu_us": used / wanted * 1e6}


async def _ask(url: str, root: str, people: list[Person]) -> None:
    """Ask for all pushes, over one socket."""
    async with connect(url, root, events=False) as admin, trio.open_nursery() as nursery:
        at_a_time = trio.CapacityLimiter(ASKED_AT_A_TIME)

        async def ask(person: Person, number: int) -> None:
            async with at_a_time:
                await admin.call("notifications.send", person=person.handle, title="Benchmark", body=f"number {number}")

        for number in range(PUSHES_PER_PERSON):
            for person in people:
                nursery.start_soon(ask, person, number)


def _alone(server: Server, receivers: Receivers, people: list[Person]) -> Figures:
    """From a message to its push at the push service; nobody is connected."""
    waits: list[float] = []
    with server.client(people[0].token) as client:
        for person in people[1 : ALONE + 1]:
            conversation = client.call("conversations.direct", **{"with": person.handle})["conversation"]
            before, began = receivers.count(), time.perf_counter()
            client.call("messages.post", conversation=conversation, text="hello", cid=person.handle)
            while receivers.count() == before:
                time.sleep(0.01)
            waits.append(time.perf_counter() - began)
    return {"wait": median(waits), "longest": max(waits)}


NOTIFICATIONS = Scenario(
    name="notifications",
    title="Posting with notifications, {pairs:,} pairs; and pushes to a local push service",
    rounds=1,
    metrics=(
        Metric("off", "messages/s without the plugin"),
        Metric("nobody", "slower with nobody registered, %", 1, at_most=5),
        Metric("nobody_cpu", "more CPU per message with nobody registered, %", 1),
        Metric("everybody", "slower with everybody registered, %", 1, at_most=20),
        Metric("everybody_cpu", "more CPU per message with everybody registered, %", 1),
        Metric("pushes", "web pushes/s", at_least=500),
        Metric("push_cpu_us", "server CPU per push, with the command that asks for it, µs"),
        Metric("wait", "from a message to its push, median, s", 2, at_most=3),
        Metric("longest", "the longest of 20, s", 2),
    ),
    measure=measure,
    only_the_node=True,
)
