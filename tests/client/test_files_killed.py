"""A large file by `chatnode upload` and back by `chatnode download`: the network breaks, the node is killed, and memory
stays flat."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import trio

from tests.big_files import MIB, hash_of, write_random
from tests.blackbox.node_process import UNLIMITED, NodeProcess

from .proxy import Proxy

SIZE = 128 * MIB
KILLS = 3
MOST_MEMORY = 16 * MIB
SETTINGS = UNLIMITED | {f"PLUGINS__ATTACHMENTS__{name}_MIB": 0 for name in ("FILE", "PERSON", "DAY")}


class Runner:
    """Runs the command as a user, through a proxy."""

    def __init__(self, url: str, token: str, directory: Path) -> None:
        self._by = ("--url", url, "--token", token)
        self._directory = directory

    async def run(self, *arguments: str) -> tuple[str, int]:
        """What it printed, and the most memory that it took."""
        environment = os.environ | {"XDG_STATE_HOME": str(self._directory / "state")}
        command = [sys.executable, "-m", "chatnode", arguments[0], *self._by, *arguments[1:]]
        most = 0
        with (self._directory / "out").open("wb") as out:
            process = await trio.lowlevel.open_process(command, stdout=out, cwd=self._directory, env=environment)
            while process.poll() is None:
                most = max(most, _highest(process.pid))
                with trio.move_on_after(0.02):
                    await process.wait()
        assert process.returncode == 0
        return (self._directory / "out").read_text().strip(), most


def _highest(pid: int) -> int:
    try:
        rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(row.split()[1]) * 1024 for row in rows if row.startswith("VmHWM:")), 0)


@pytest.mark.slow
async def test_a_large_file_survives_kills_and_cuts_in_flat_memory(tmp_path: Path, nursery: trio.Nursery) -> None:
    small, large = write_random(tmp_path / "small", 2 * MIB), write_random(tmp_path / "large", SIZE)
    with NodeProcess(tmp_path / "data", SETTINGS) as node:
        node.add_user("ann")
        proxy = Proxy(url_of(node))
        await nursery.start(proxy.run)
        runner = Runner(proxy.url, node.token("ann"), tmp_path)
        first, usual = await runner.run("upload", "small")
        _, usual_down = await runner.run("download", first, "small.copy")

        proxy.cuts_after, proxy.sent = 30 * MIB, 0
        async with trio.open_nursery() as upload:
            upload.start_soon(kill_now_and_then, node, proxy)
            second, most = await runner.run("upload", "large")
            upload.cancel_scope.cancel()
        assert proxy.connections > SIZE // (30 * MIB)
        _, most_down = await runner.run("download", second, "large.copy")
        assert node.check().returncode == 0
    assert (hash_of(tmp_path / "small.copy"), hash_of(tmp_path / "large.copy")) == (small, large)
    assert most - usual < MOST_MEMORY
    assert most_down - usual_down < MOST_MEMORY


def url_of(node: NodeProcess) -> str:
    host, port = node.address
    return f"http://{host}:{port}"


async def kill_now_and_then(node: NodeProcess, proxy: Proxy) -> None:
    for number in range(1, KILLS + 1):
        await proxy.wait_sent(number * SIZE // (KILLS + 1))
        await trio.to_thread.run_sync(node.kill)
        await trio.to_thread.run_sync(node.start)
        proxy.lead_to(url_of(node))
    await trio.sleep_forever()
