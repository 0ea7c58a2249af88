"""Clients that others wrote, over a network that breaks, against a node that is killed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest
import trio

from chatnode.config import Config
from chatnode.node import open_node
from tests.big_files import MIB, hash_of, write_random
from tests.blackbox.node_process import NodeProcess
from tests.needs import missing, program
from tests.plugins.attachments.uploading.cutting_proxy import Address, CuttingProxy
from tests.plugins.attachments.uploading.tus_client import TusClient

HERE = Path(__file__).parent
WITH_TUSPY = HERE / "with_tuspy.py"
SIZE = 1024 * MIB
KILLS = 5
MOST_MEMORY = 16 * MIB
SETTINGS = {
    "PLUGINS__ATTACHMENTS__FILE_MIB": 0,
    "PLUGINS__ATTACHMENTS__PERSON_MIB": 0,
    "PLUGINS__ATTACHMENTS__DAY_MIB": 0,
}


def endpoint(address: Address) -> str:
    return f"http://{address[0]}:{address[1]}/plugins/attachments/uploads"


async def test_tuspy_uploads_over_a_network_that_breaks(ann: TusClient, tmp_path: Path) -> None:
    path = tmp_path / "random"
    content = os.urandom(500_000)
    path.write_bytes(content)
    with CuttingProxy(ann.address, 150_000, 250_000).running() as proxy:
        done = await trio.run_process(
            [sys.executable, WITH_TUSPY, endpoint(proxy.address), ann.token, path, "200000"], capture_stdout=True
        )
        assert proxy.cuts
    assert await ann.stored(done.stdout.decode().strip()) == content


# ---- a gibibyte


def tuspy(tmp_path: Path) -> Sequence[str]:
    return [sys.executable, str(WITH_TUSPY)]


def tus_js(tmp_path: Path) -> Sequence[str]:
    node, npm = program("node"), program("npm")
    directory = shutil.copytree(HERE / "js", tmp_path / "js")
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"tus-js-client cannot be installed: {done.stderr[-300:]}")
    return [node, str(directory / "upload.js")]


def prepared(data: Path) -> str:
    """A data directory with a user; a token of theirs."""

    async def make() -> str:
        async with open_node(data, Config()) as node:
            await node.call("people.create", handle="ann")
            return (await node.call("tokens.create", person="ann"))["token"]

    return trio.run(make)


class Memory:
    """How much a node's process grew, in each of its lives."""

    def __init__(self) -> None:
        self.rises: list[int] = []
        self._at_first = 0

    def begins(self, node: NodeProcess) -> None:
        """The node has imported what HTTP needs."""
        host, port = node.address
        urlopen(f"http://{host}:{port}/health").close()
        self._at_first = self._read(node, "VmRSS")

    def ends(self, node: NodeProcess) -> None:
        self.rises.append(self._read(node, "VmHWM") - self._at_first)

    @staticmethod
    def _read(node: NodeProcess, name: str) -> int:
        status = Path(f"/proc/{node.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:"))) * 1024


def kill_and_start(node: NodeProcess, proxy: CuttingProxy, memory: Memory) -> None:
    memory.ends(node)
    node.kill()
    time.sleep(0.5)
    proxy.target = node.start()
    memory.begins(node)


def stored(data: Path, id: str) -> bytes:
    """The SHA-256 of what is on disk."""
    with closing(sqlite3.connect(data / "chatnode.sqlite3")) as database:
        sql = "SELECT b.name FROM attachments_files f JOIN attachments_blobs b ON b.key = f.blob WHERE f.id = ?"
        (name,) = database.execute(sql, (id,)).fetchone()
    return hash_of(data / "plugins/attachments/blobs" / name[:2] / name)


@pytest.mark.slow
@pytest.mark.parametrize("client", [tuspy, tus_js])
def test_a_gibibyte_arrives_whole_though_the_network_breaks_and_the_node_is_killed(
    tmp_path: Path, client: Callable[[Path], Sequence[str]]
) -> None:
    command = client(tmp_path)
    token = prepared(tmp_path / "data")
    digest = write_random(tmp_path / "random", SIZE)
    memory = Memory()
    node = NodeProcess(tmp_path / "data", SETTINGS)
    with node, CuttingProxy(node.address, 50 * MIB, 200 * MIB).running() as proxy:
        memory.begins(node)
        uploading = subprocess.Popen(
            [*command, endpoint(proxy.address), token, str(tmp_path / "random"), str(16 * MIB)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        watchdog = threading.Timer(600, uploading.kill)
        watchdog.start()
        try:
            for number in range(1, KILLS + 1):
                while proxy.sent < SIZE * number // (KILLS + 1) and uploading.poll() is None:
                    time.sleep(0.05)
                assert uploading.poll() is None, uploading.communicate()
                kill_and_start(node, proxy, memory)
            out, err = uploading.communicate()
            assert uploading.returncode == 0, err
        finally:
            watchdog.cancel()
            uploading.kill()
        memory.ends(node)
        assert proxy.cuts
        node.stop()
    (tmp_path / "random").unlink()
    assert stored(tmp_path / "data", out.strip().rpartition("/")[2]) == digest
    assert max(memory.rises) < MOST_MEMORY, memory.rises
