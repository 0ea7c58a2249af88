"""How fast events are posted to local receivers, and what one costs: a backlog of messages for several endpoints."""

import json
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from benchmarks.errors import require
from benchmarks.generator import Session
from benchmarks.http_client import HttpClient
from benchmarks.machine import cpu_seconds_of, prefix_to_pin
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.servers import REPOSITORY, Server

AT_LEAST_PER_SECOND = 300
ENDPOINTS = 10
EVENTS_PER_ENDPOINT = 10  # for each of the size's pairs


@frozen
class Receivers:
    """A process with a receiver at each place, an address and a port; it counts."""

    process: "subprocess.Popen[str]"
    places: list[str]

    def report(self) -> dict[str, float]:
        """How many webhooks have come, and the 99th percentile of what those since the last report took."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return _line(self.process)

    def count(self) -> int:
        """How many webhooks have come."""
        return int(self.report()["count"])


def _line(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@contextmanager
def receiving(core: int, tempers: Sequence[str] = ("well",) * ENDPOINTS) -> Generator[Receivers]:
    """Receivers on a core of their own, until the end of the block; `tempers` are those of `benchmarks.receiver`."""
    command = [*prefix_to_pin(core), sys.executable, "-m", "benchmarks.receiver", *tempers]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        try:
            yield Receivers(process, _line(process))
        finally:
            process.kill()


def measure(trial: Trial) -> Figures:
    """The endpoints are paused while messages are posted, then resumed together."""
    with receiving(trial.cores.others) as receivers:
        trial = trial.with_settings("webhooks", settings(receivers))
        data = trial.directory / "data"
        root = trial.stack.administrator(data)
        with trial.serving(data) as server:
            with server.client(root) as admin:
                endpoints, session = prepare(admin, receivers.places)
                messages = trial.size.pairs * EVENTS_PER_ENDPOINT
                trial.generator.post(server, [session], messages=messages, window=16)
                return send(server, admin, receivers, endpoints, messages)


def settings(receivers: Receivers) -> dict[str, str]:
    """The server's environment."""
    return {
        "CHATNODE_OUTBOUND__ALLOW": ",".join(receivers.places),
        "CHATNODE_PLUGINS__WEBHOOKS__PER_MINUTE": "0",
    }


def prepare(admin: HttpClient, places: list[str], *, paused: bool = True) -> tuple[list[str], Session]:
    """Bots with an endpoint each, all in one group with a user who posts."""
    admin.call("people.create", handle="sender")
    token = admin.call("tokens.create", person="sender")["token"]
    bots = [f"bot{number}" for number in range(len(places))]
    endpoints: list[str] = []
    for bot, place in zip(bots, places, strict=True):
        admin.call("people.create", handle=bot, bot=True)
        added = admin.call("webhooks.endpoints.add", bot=bot, url=f"http://{place}/hook", kinds=["message.posted"])
        endpoints.append(added["endpoint"]["endpoint"])
        if paused:
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
