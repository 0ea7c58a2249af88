"""A push service that others wrote, which verifies and decrypts, killed and brought back in the middle."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel
from chatnode_notifications.delivering.lanes import PER_ORIGIN

from chatnode.config import Config
from chatnode.testing import User, configured
from tests.needs import missing, program
from tests.plugins.notifications.alerting import Alerts, device_of

HERE = Path(__file__).parent / "receivers"
CONVERSATIONS = 8


@attrs.define
class RealService:
    """The process, and what it has written down."""

    node: str
    script: Path
    port: int
    file: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [self.node, str(self.script), str(self.port), str(self.file)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.post("/status", {})
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the push service does not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def post(self, path: str, body: Mapping[str, str]) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse().read()
        finally:
            connection.close()
        return json.loads(answer) if answer.startswith(b"{") else None

    def ids(self) -> Counter[tuple[str, str]]:
        """How often each device got each notification."""
        lines = map(json.loads, self.file.read_text().splitlines())
        return Counter((line["hash"], json.loads(line["message"])["id"]) for line in lines if "message" in line)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealService]:
    node, npm = program("node"), program("npm")
    directory = shutil.copytree(HERE, tmp_path / "receivers")
    command = [npm, "ci", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"web-push-testing cannot be installed: {done.stderr[-300:]}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = RealService(node, directory / "server.js", port, tmp_path / "kept")
    service.start()
    yield service
    service.kill()


@pytest.fixture
def config(real: RealService) -> Config:
    contact = {"notifications": {"contact": "mailto:chat@chatnode.org"}}
    return configured(outbound={"allow": [f"127.0.0.1:{real.port}"]}, plugins=contact)


@attrs.define
class Browser:
    hash: str
    registration: str


async def subscribed(user: User, real: RealService) -> Browser:
    key = (await user.call("notifications.vapid"))["key"]
    body = {"userVisibleOnly": "true", "applicationServerKey": key}
    made = (await trio.to_thread.run_sync(real.post, "/subscribe", body))["data"]
    done = await user.call(
        "notifications.register", transport="webpush", keys=made["keys"],
        address=made["endpoint"].replace("localhost", "127.0.0.1"),
    )  # fmt: skip
    return Browser(made["clientHash"], done["device"]["registration"])


async def until_settled(alerts: Alerts) -> None:
    """Let time pass until nothing waits; a server that failed is left alone for half a minute of real time."""
    with trio.fail_after(300):
        while "pending" in await alerts.states():
            await alerts.send()
            alerts.clock.forward(seconds=400)
            await trio.sleep(1)


@pytest.mark.slow
async def test_once_or_visibly_failed_though_the_service_is_killed(
    ann: User, bob: User, real: RealService, alerts: Alerts
) -> None:
    browsers = [await subscribed(ann, real) for _ in range(3)]
    rooms = [await bob.group(ann, title=f"room {number}") for number in range(CONVERSATIONS)]

    async def tell() -> set[str]:
        return {await alerts.of(await bob.says(room, "hello"), ann) for room in rooms}

    expected = await tell()
    await alerts.send()
    assert real.ids() == {(each.hash, id): 1 for each in browsers for id in expected}

    # Down, and up again.
    real.kill()
    expected |= await tell()
    await alerts.send()
    assert set(await alerts.states()) == {"sent", "pending"}
    await trio.to_thread.run_sync(real.start)
    await until_settled(alerts)
    assert real.ids() == {(each.hash, id): 1 for each in browsers for id in expected}

    # Killed in the middle: what it was just writing down may come again, with the same id.
    before = real.ids().total()
    expected |= await tell()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alerts.send)
        while real.ids().total() == before:
            await trio.lowlevel.checkpoint()
        real.kill()
    await trio.to_thread.run_sync(real.start)
    await until_settled(alerts)
    found = real.ids()
    assert set(found) == {(each.hash, id) for each in browsers for id in expected}
    assert found.total() - len(found) <= PER_ORIGIN
    assert set(await alerts.states()) == {"sent"}

    # A subscription that ends.
    await trio.to_thread.run_sync(real.post, f"/expire-subscription/{browsers[0].hash}", {})
    last = await alerts.of(await bob.says(rooms[0], "bye"), ann)
    await until_settled(alerts)
    assert {(each.hash, last) in real.ids() for each in browsers[1:]} == {True}
    assert (await device_of(ann, browsers[0].registration))["state"] == "gone"
    assert [(row[0], row[2]) for row in await alerts.rows()].count(("bounced", 410)) == 1
