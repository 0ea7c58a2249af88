"""A node that obtains a certificate and is killed at the first step that is new, and started again until it has one.

A step is an answer of the authority, not yet looked at, or a file that was just stored. Prints how many orders were
placed, and how often it was killed. Each node is a process of its own, forked from one that has imported everything.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio

from chatnode.certificates import store
from chatnode.config import Acme, Config, OutboundSettings, Server
from chatnode.node import open_node
from chatnode.outbound.client import Outbound

TWICE = {"POST/my-order", "POST/authZ", "saved/state.json", "saved/accounts.json"}
"""Steps that come in different states: killed at the first two of each."""


class Steps:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._orders = file.with_suffix(".orders")
        self._before = set(file.read_text().split()) if file.exists() else set[str]()
        self._now: dict[str, int] = {}

    def reached(self, step: str) -> None:
        number = self._now[step] = self._now.get(step, 0) + 1
        name = f"{step}#{number}"
        if name in self._before or number > (2 if step in TWICE else 1):
            return
        with self._file.open("a") as file:
            file.write(name + "\n")
        os.kill(os.getpid(), signal.SIGKILL)

    def ordered(self) -> None:
        with self._orders.open("a") as file:
            file.write("order\n")

    @property
    def orders(self) -> int:
        return len(self._orders.read_text().split())


def watch(steps: Steps) -> None:
    """Around what the node does, and in place of nothing."""
    request, replace = Outbound.request, store.replace

    async def counted(self: Outbound, purpose: Any, method: str, url: str, **more: Any) -> Any:
        answer = await request(self, purpose, method, url, **more)
        if answer.status < 400:
            step = method + "/" + urlsplit(url).path.split("/")[1]
            if step == "POST/order-plz":
                steps.ordered()
            steps.reached(step)
        return answer

    def replaced(path: Path, data: bytes) -> None:
        replace(path, data)
        steps.reached(f"saved/{path.name}")

    Outbound.request = counted  # type: ignore[method-assign]
    store.replace = replaced


async def main(data: Path, directory: str, allowed: str, port: str) -> None:
    config = Config(
        server=Server(bind=f"127.0.0.1:{port}", shutdown_seconds=0.1),
        acme=Acme(accept_terms=True, domains=("a.example", "b.example"), directory=directory),
        outbound=OutboundSettings(allow=(allowed,)),
    )
    async with open_node(data, config, only=()) as node, trio.open_nursery() as nursery:
        await nursery.start(node.serve)
        with trio.fail_after(40):
            while True:
                found = await node.call("certificate.status")
                assert not found["failures"], found
                if not found["certificate"]["self_signed"] and found["next_try"] > "2026":
                    break
                await trio.sleep(0.01)
        await trio.sleep(0.2)  # what is stored after it is in use
        nursery.cancel_scope.cancel()


def run(data: Path, file: Path, *rest: str) -> None:
    steps = Steps(file)
    watch(steps)
    trio.run(main, data, *rest)


MOST_KILLS = 40


def again_and_again(data: Path, file: Path, *rest: str) -> int:
    """How often the node was killed before it had its certificate."""
    for kills in range(MOST_KILLS):
        child = os.fork()
        if not child:
            run(data, file, *rest)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if not status:
            return kills
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            break
    raise SystemExit(f"it did not end well after:\n{file.read_text()}")


if __name__ == "__main__":
    _, data, file, *rest = sys.argv
    kills = again_and_again(Path(data), Path(file), *rest)
    sys.stdout.write(f"{Steps(Path(file)).orders} {kills}\n")
