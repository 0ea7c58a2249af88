"""What a node imports, and when: chat needs no HTTP framework, and does not wait for one to be imported."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

import trio

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.storage.upkeep import sealing
from tests.transport import clients
from tests.transport.clients import ChatSocket, Http, Response, serving, wait_for

ROOT = Path(__file__).parents[1]
HTTP_STACK = ("quart", "quart_trio", "flask", "werkzeug", "jinja2", "hypercorn", "h2", "h11", "wsproto")


def run_apart(scene: str, data: Path) -> None:
    """Run an async function of this module in a Python that has imported nothing yet."""
    program = f"import sys, trio; from pathlib import Path; from tests.test_start import {scene} as scene\n"
    program += "trio.run(scene, Path(sys.argv[1]))"
    words = [sys.executable, "-c", program, str(data)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def imported(*names: str) -> list[str]:
    return [name for name in names if name in sys.modules]


class Gate(MetaPathFinder):
    """Holds up the thread that imports `name`, until it is opened."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reached = threading.Event()
        self.opened = threading.Event()

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == self.name:
            self.reached.set()
            assert self.opened.wait(clients.PATIENCE), "nothing else went on during the import"


class Fault(MetaPathFinder):
    """No file can be opened when `name` is to be imported, once."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == self.name:
            sys.meta_path.remove(self)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


async def chat_and_then_browse(data: Path) -> None:
    clients.PATIENCE = 60.0  # where Python may not keep bytecode, it compiles the framework
    gate = Gate("quart")
    async with open_node(data, Config()) as node, serving(node) as address:
        await node.call("people.create", handle="ann")
        token = (await node.call("tokens.create", person="ann"))["token"]
        async with await ChatSocket.signed_in(address, token) as chat, await Http.open(address) as http:
            room = (await chat.call("conversations.create", title="a group"))["conversation"]
            await chat.call("messages.post", conversation=room, cid="before", text="hi")
            assert not imported(*HTTP_STACK, "cryptography", "chatnode.certificates.keeper")

            sys.meta_path.insert(0, gate)
            answers: list[Response] = []

            async def browse() -> None:
                answers.append(await http.request("GET", "/health"))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(browse)
                await wait_for(gate.reached.is_set, clients.PATIENCE)
                for number in range(3):
                    await chat.call("messages.post", conversation=room, cid=f"meanwhile-{number}", text="and you?")
                assert not answers
                gate.opened.set()
            assert answers[0].json["status"] == "ok"
            assert imported("quart", "cryptography") == ["quart"]


def test_chat_needs_no_http_framework_and_goes_on_while_it_is_imported(tmp_path: Path) -> None:
    run_apart("chat_and_then_browse", tmp_path / "data")


def share_written(node: Node) -> float:
    """Of the classes of requests, how many attrs has written."""
    written = [isinstance(vars(command.takes)["__attrs_attrs__"], tuple) for command in node.table]
    return sum(written) / len(written)


async def ask_for_the_document(data: Path) -> None:
    clients.PATIENCE = 60.0
    async with open_node(data, Config()) as node, serving(node) as address, await Http.open(address) as http:
        assert (await http.request("GET", "/health")).status == 200
        assert share_written(node) < 0.1
        assert (await http.request("GET", "/v1/openapi.json")).status == 200
        assert share_written(node) == 1


def test_classes_of_requests_are_written_when_somebody_needs_them(tmp_path: Path) -> None:
    run_apart("ask_for_the_document", tmp_path / "data")


async def browse_without_files(data: Path) -> None:
    clients.PATIENCE = 60.0
    async with open_node(data, Config()) as node, serving(node) as address:
        sys.meta_path.insert(0, Fault("asyncio.queues"))
        for status in (503, 200):
            async with await Http.open(address) as http:
                assert (await http.request("GET", "/health")).status == status


def test_an_import_that_failed_halfway_is_tried_again_by_the_next_request(tmp_path: Path) -> None:
    run_apart("browse_without_files", tmp_path / "data")


async def back_up(directory: Path) -> None:
    for passphrase, expected in ((None, []), ("a passphrase", ["cryptography"])):
        sealing.write(directory / f"{passphrase}", {}, io.BytesIO(b"data"), passphrase, lambda written: None)
        assert imported("cryptography") == expected


def test_cryptography_is_imported_for_a_backup_with_a_passphrase(tmp_path: Path) -> None:
    run_apart("back_up", tmp_path)
