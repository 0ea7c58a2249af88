"""How fast events are posted to local receivers, and what one costs: a backlog of messages for several endpoints."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from benchmarks.errors import require
from benchmarks.generator import Session
from benchmarks.http_client import HttpClient
from benchmarks.machine import cpu_seconds_of, prefix_to_pin
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.servers import REPOSITORY, Server, free_port

AT_LEAST_PER_SECOND = 300
ENDPOINTS = 10
EVENTS_PER_ENDPOINT = 10  # for each of the size's pairs


@frozen
class Receivers:
    """A process with a receiver at each port, which counts."""

    ports: list[int]
    process: "subprocess.Popen[str]"

    def count(self) -> int:
        """How many webhooks have come."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextmanager
def receiving(core: int) -> Iterator[Receivers]:
    """Receivers on a core of their own, until the end of the block."""
    ports = [free_port() for _ in range(ENDPOINTS)]
    command = [*prefix_to_pin(core), sys.executable, "-m", "benchmarks.receiver", *map(str, ports)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        try:
            receivers = Receivers(ports, process)
            receivers.count()
            yield receivers
        finally:
            process.kill()


def measure(trial: Trial) -> Figures:
    """The endpoints are paused while messages are posted, then resumed together."""
    with receiving(trial.cores.others) as receivers:
        trial = trial.with_settings("webhooks", {
            "CHATNODE_OUTBOUND__ALLOW": ",".join(f"127.0.0.1:{port}" for port in receivers.ports),
            "CHATNODE_PLUGINS__WEBHOOKS__PER_MINUTE": "0",
        })  # fmt: skip
        data = trial.directory / "data"
        root = trial.stack.administrator(data)
        with trial.serving(data) as server:
            with server.client(root) as admin:
                endpoints, session = prepare(admin, receivers.ports)
                messages = trial.size.pairs * EVENTS_PER_ENDPOINT
                trial.generator.post(server, [session], messages=messages, window=16)
                return send(server, admin, receivers, endpoints, messages)


def prepare(admin: HttpClient, ports: list[int]) -> tuple[list[str], Session]:
    """Bots with a paused endpoint each, all in one group with a user who posts."""
    admin.call("people.create", handle="sender")
    token = admin.call("tokens.create", person="sender")["token"]
    bots = [f"bot{number}" for number in range(ENDPOINTS)]
    endpoints: list[str] = []
    for bot, port in zip(bots, ports, strict=True):
        admin.call("people.create", handle=bot, bot=True)
        added = admin.call(
            "webhooks.endpoints.add", bot=bot, url=f"http://127.0.0.1:{port}/hook", kinds=["message.posted"]
        )
        endpoints.append(added["endpoint"]["endpoint"])
        admin.call("webhooks.endpoints.pause", endpoint=endpoints[-1])
    room = admin.call("conversations.create", title="talk", members=["sender", *bots])["conversation"]
    return endpoints, Session("post", token, room)


def send(server: Server, admin: HttpClient, receivers: Receivers, endpoints: list[str], messages: int) -> Figures:
    """Resume all endpoints, and wait until everything has come."""
    wanted = messages * len(endpoints)
    cpu, began = cpu_seconds_of(server.pid), time.perf_counter()
    for endpoint in endpoints:
        admin.call("webhooks.endpoints.resume", endpoint=endpoint)
    while (count := receivers.count()) < wanted:
        time.sleep(0.02)
    took, used = time.perf_counter() - began, cpu_seconds_of(server.pid) - cpu
    require(count == wanted, f"{count} webhooks came of {wanted}")
    return {"per_second": wanted / took, "cpu_us": used / wanted * 1e6}


WEBHOOKS = Scenario(
    name="webhooks",
    title="A backlog of messages, posted to 10 endpoints of bots",
    rounds=3,
    metrics=(
        Metric("per_second", "webhooks/s", at_least=AT_LEAST_PER_SECOND),
        Metric("cpu_us", "server CPU per webhook, µs", 1),
    ),
    measure=measure,
    only_the_node=True,
)
