"""A node that has attachments and does not use them imports none of the libraries that they need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trio

from chatnode.config import Config
from chatnode.node import open_node
from tests.blackbox.node_process import NodeProcess
from tests.transport.clients import ChatSocket, Http

LIBRARIES = ("PIL", "puremagic", "httpcore2", "boto3", "botocore", "s3transfer", "cryptography")


async def prepare(data: Path) -> None:
    """A node with two people, of whom nobody has uploaded anything."""
    async with open_node(data, Config()) as node:
        for handle in ("ann", "bob"):
            await node.call("people.create", handle=handle, password=f"correct horse {handle}")


async def chat(node: NodeProcess) -> None:
    """Sign in over HTTP, post a message over a socket, and see that files are served."""
    async with await Http.open(node.address) as http:
        signed_in = await http.call("sessions.create", handle="ann", password="correct horse ann")
        token = signed_in.json["token"]
        async with await ChatSocket.signed_in(node.address, token) as socket:
            talk = (await socket.call("conversations.direct", **{"with": "bob"}))["conversation"]
            await socket.call("messages.post", conversation=talk, cid="one", text="hi")
        options = await http.request("OPTIONS", "/plugins/attachments/uploads")
        assert options.headers["tus-version"] == "1.0.0"
        assert (await http.request("GET", "/health")).json["parts"]["plugin.attachments"]


def imported(stderr: str) -> set[str]:
    """The packages that a Python imported which says so (`-X importtime`)."""
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +([\w.]+)$", stderr, re.MULTILINE)
    return {name.partition(".")[0] for name in names}


async def test_an_unused_plugin_imports_none_of_its_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await prepare(tmp_path / "data")
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    node = NodeProcess(tmp_path / "data")
    await trio.to_thread.run_sync(node.start)
    try:
        await chat(node)
        assert await trio.to_thread.run_sync(node.stop) == 0
    finally:
        node.kill()
    found = imported(node.stderr_path.read_text())
    assert {"chatnode", "chatnode_attachments", "quart"} <= found
    assert found.intersection(LIBRARIES) == set()
