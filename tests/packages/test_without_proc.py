"""A node where /proc is not mounted, as in a plain chroot: what comes from there is left out."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

pytestmark = pytest.mark.slow

PROGRAM = """
import os, sys, urllib.request
from pathlib import Path

import trio

from chatnode import control_socket, open_node

assert not os.path.exists("/proc/self")


def ask(data, url):
    with control_socket.connect(data) as node:
        print(node.call("node.info")["version"])
    print(urllib.request.urlopen(url + "/metrics").read().decode())


async def main(data):
    async with open_node(data, only=()) as node, trio.open_nursery() as nursery:
        url = await nursery.start(node.serve, "127.0.0.1:0")
        await trio.to_thread.run_sync(ask, data, url)
        nursery.cancel_scope.cancel()


trio.run(main, Path(sys.argv[1]))
"""


def without_proc(*command: str) -> subprocess.CompletedProcess[str]:
    needs.root()
    steps = f"umount --lazy /proc && exec {shlex.join(command)}"
    return subprocess.run(
        [needs.program("unshare"), "--mount", "sh", "-c", steps], capture_output=True, text=True, check=False
    )


def test_a_node_serves_without_proc(tmp_path: Path) -> None:
    done = without_proc(sys.executable, "-c", PROGRAM, str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert "process_cpu_seconds_total " in done.stdout
    assert "process_resident_memory_bytes" not in done.stdout


def test_a_path_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    data = tmp_path / ("d" * 120)
    done = without_proc(sys.executable, "-m", "chatnode", "--data", str(data), "serve", "--bind", "127.0.0.1:0")
    assert done.returncode == 1
    assert "longer than a socket's path may be; mount /proc, or choose another --data" in done.stderr
