"""Several processes over one node, with real processes: one owns it, the others are attached, and take over."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.embed import InUse
from chatnode.embed.aio import Node as AioNode
from chatnode.embed.attaching import OWNER_SECONDS
from chatnode.embed.link import ANSWER_SECONDS
from chatnode.embed.portal import Attach
from chatnode.embed.threads import Node
from tests.blackbox.node_process import NodeProcess

from .processes import Gunicorn, Script, gunicorn, until
from .programs import Visitor, running

pytestmark = pytest.mark.slow

TAKEN_OVER_SECONDS = 10.0

SHARES = """
import os, sys
from chatnode.embed.threads import Node
with Node(sys.argv[1], attach=sys.argv[2]) as chat:
    print("ready", chat.operator.call("node.info")["name"], flush=True)
    for line in sys.stdin:
        command, *words = line.split()
        if command == "create":
            print(chat.operator.people.create(handle=words[0]).person.handle, flush=True)
        elif command == "room":
            print(chat.person("ann").conversations.create(title="room").conversation, flush=True)
        elif command == "post":
            print(chat.person("ann").messages.post(conversation=words[0], text=words[1], cid=words[1]).seq, flush=True)
        elif command == "hear":
            events = chat.person("ann").events(kinds={"message.posted"})
            events.__enter__()
            print("listening", flush=True)
        elif command == "heard":
            for item in events:
                if type(item).__name__ == "Pushed":
                    print(item.fields["message"]["text"], flush=True)
                    break
"""


def owner_of(data: Path) -> int:
    return int((data / "lock").read_text())


# ---- a web application with several workers


def test_three_workers_and_another_takes_over_from_the_one_that_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with gunicorn("tests.embed.workers_app:app", data, "-w", "3", "-k", "uvicorn.workers.UvicornWorker") as server:
        room = until(lambda: server.ask("/prepare", "POST"), "the first answer")["room"]
        workers = until(lambda: _workers(server), "three workers")
        owner = owner_of(data)
        assert owner in workers
        posting = _Posting(server, room)
        with posting:
            until(lambda: len(posting.acknowledged) >= 60 or None, "posts")
            os.kill(owner, signal.SIGKILL)
            killed = time.monotonic()
            before = len(posting.acknowledged)
            until(lambda: (len(posting.acknowledged) >= before + 60 and owner_of(data) != owner) or None, "posts again")
            assert posting.first_after(killed) - killed <= TAKEN_OVER_SECONDS
            until(lambda: (len(posting.processes) >= 3) or None, "answers of three processes")
        assert owner_of(data) != owner
    with Node(data) as chat:
        kept = _texts(chat, room)
        assert posting.acknowledged <= set(kept)
        assert len(kept) == len(set(kept))


def _workers(server: Gunicorn) -> set[int] | None:
    found = {server.ask("/who")["process"] for _ in range(30)}
    return found if len(found) == 3 else None


def _texts(chat: Node, room: str) -> list[str]:
    ann, texts, before = chat.person("ann", limits=False), list[str](), None
    while page := ann.messages.list(conversation=room, before=before, limit=500).messages:
        texts += [each.text for each in page]
        before = page[0].seq
    return texts


class _Posting:
    """Three clients that post, and say the same again until it is acknowledged."""

    def __init__(self, server: Gunicorn, room: str) -> None:
        self._server = server
        self._room = room
        self._ended = False
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(3)]
        self.acknowledged: set[str] = set()
        self.times: list[float] = []
        self.processes: set[int] = set()

    def __enter__(self) -> None:
        for each in self._threads:
            each.start()

    def __exit__(self, *raised: object) -> None:
        self._ended = True
        for each in self._threads:
            each.join()

    def first_after(self, when: float) -> float:
        """When the first request was answered that was made after that."""
        return min(each for each in self.times if each > when + 0.2)

    def _run(self, client: int) -> None:
        for number in range(1_000_000):
            cid = f"{client}-{number}"
            while not self._ended:
                try:
                    answer = self._server.ask(f"/post?room={self._room}&cid={cid}", "POST")
                except OSError:
                    time.sleep(0.02)
                    continue
                assert answer["text"] == cid
                self.acknowledged.add(cid)
                self.processes.add(answer["process"])
                self.times.append(time.monotonic())
                break
            if self._ended:
                return


def test_under_preload_a_node_of_the_parent_says_what_to_do(tmp_path: Path) -> None:
    with gunicorn("tests.embed.preloaded_app:app", tmp_path / "data", "-w", "1", "--preload") as server:
        answer = until(lambda: server.ask("/"), "an answer")
    assert "start one after the fork" in answer


# ---- scripts


def test_a_script_beside_a_node_that_serves(tmp_path: Path) -> None:
    """It waits for the node, uses it, and goes on with the next one when that was killed."""
    data = tmp_path / "data"
    with Script(SHARES, data, "only") as script:
        with NodeProcess(data) as node:
            node.add_user("ann")
            assert script.says() == "ready chatnode"
            script.tell("room")
            room = script.says()
            script.tell(f"post {room} one")
            assert script.says() == "1"
            script.tell("hear")
            assert script.says() == "listening"
            node.kill()
            script.tell(f"post {room} two")
            node.start()
            assert script.says() == "2"
            script.tell("heard")
            assert script.says() == "two"
            assert node.stop() == 0
        assert script.end() == 0


def test_of_processes_that_start_together_one_owns_the_node(tmp_path: Path) -> None:
    data = tmp_path / "data"
    scripts = [Script(SHARES, data, "auto") for _ in range(4)]
    try:
        assert {each.says() for each in scripts} == {"ready chatnode"}
        for number, each in enumerate(scripts):
            each.tell(f"create person{number}")
        assert [each.says() for each in scripts] == [f"person{number}" for number in range(4)]
        with pytest.raises(InUse, match='attach to it with attach="auto"') as refused:
            Node(data).start()
        assert refused.value.process == owner_of(data)
        assert refused.value.process in {each.process.pid for each in scripts}
        assert [each.end() for each in scripts] == [0, 0, 0, 0]
    finally:
        for each in scripts:
            each.__exit__()


@pytest.mark.parametrize("attach", ["auto", "only"])
def test_an_owner_that_is_frozen_is_named(tmp_path: Path, attach: Attach) -> None:
    data = tmp_path / "data"
    with Script(SHARES, data, "auto") as owner:
        owner.says()
        owner.process.send_signal(signal.SIGSTOP)
        with pytest.raises(InUse, match="it does not answer") as refused:
            Node(data, attach=attach, start_seconds=ANSWER_SECONDS + 3).start()
        assert refused.value.process == owner.process.pid
        owner.process.send_signal(signal.SIGCONT)
        with Node(data, attach=attach) as chat:
            assert chat.operator.call("node.info")["name"] == "chatnode"
        assert owner.end() == 0


def test_the_last_of_several_still_has_what_all_have_said(tmp_path: Path) -> None:
    """The others are killed, the owner first; the one that is left hears each event once."""
    data = tmp_path / "data"
    scripts = [Script(SHARES, data, "auto") for _ in range(3)]
    try:
        for each in scripts:
            each.says()
        scripts.sort(key=lambda script: script.process.pid != owner_of(data))
        *others, last = scripts
        last.tell("create ann")
        last.says()
        last.tell("room")
        room = last.says()
        last.tell("hear")
        last.says()
        seqs: list[str] = []
        for number in range(2):
            last.tell(f"post {room} before{number}")
            seqs.append(last.says())
            began = time.monotonic()
            owner = next((each for each in others if each.process.pid == owner_of(data)), others[0])
            others.remove(owner)
            owner.kill()
            last.tell(f"post {room} after{number}")
            seqs.append(last.says())
            assert time.monotonic() - began <= TAKEN_OVER_SECONDS
        assert seqs == ["1", "2", "3", "4"]
        for expected in ("before0", "after0", "before1", "after1"):
            last.tell("heard")
            assert last.says() == expected
        assert last.end() == 0
    finally:
        for each in scripts:
            each.__exit__()


def test_a_child_of_a_killed_owner_does_not_keep_others_from_taking_over(tmp_path: Path) -> None:
    """It holds neither the lock nor the connections of its parent."""
    forks = SHARES.replace(
        '    print("ready"',
        "    child = os.fork()\n    if child == 0:\n"
        + (
            "        import time\n"
            "        try:\n"
            '            chat.operator.call("node.info")\n'
            "        except Exception as error:\n"
            '            print("child", type(error).__name__, flush=True)\n'
            "        time.sleep(600)\n"
        )
        + '    print("ready"',
    )
    data = tmp_path / "data"
    with Script(forks, data, "auto") as owner:
        assert sorted([owner.says(), owner.says()]) == ["child NodeGone", "ready chatnode"]
        with Script(SHARES, data, "auto") as other:
            assert other.says() == "ready chatnode"
            other.tell("create ann")
            assert other.says() == "ann"
            began = time.monotonic()
            owner.kill()
            other.tell("create bob")
            assert other.says() == "bob"
            assert time.monotonic() - began <= TAKEN_OVER_SECONDS
            assert owner_of(data) == other.process.pid
            assert other.end() == 0


# ---- a mounted node


async def test_the_chat_of_an_attached_program_outlives_the_owner(tmp_path: Path) -> None:
    """Its client sockets end, and may resume; requests are answered by the program itself from then on."""
    (tmp_path / "owner").mkdir()
    settings = {"CHAT_ATTACH": "auto", "CHAT_DATA": str(tmp_path / "data")}
    async with (
        running(tmp_path / "owner", "tests.embed.host", "uvicorn", "PORT", **settings) as owner,
        running(tmp_path, "tests.embed.host", "uvicorn", "PORT", **settings) as program,
    ):
        assert owner_of(program.data) == owner.process.pid
        ann = Visitor(program.address, {"X-User": "ann"})
        group = (await ann.call("conversations.create", title="room"))["conversation"]
        async with await ann.socket() as chat:
            await ann.call("messages.post", conversation=group, text="hello", cid="1")
            await chat.push("message.posted")
            owner.process.kill()
            began = trio.current_time()
            assert (await chat.closed()).code not in range(4000, 4100)
        while (answer := await ann.request("GET", "/v1/people.me")).status == 503:  # noqa: ASYNC110 - nothing tells of it
            await trio.sleep(0.1)
        assert answer.json["person"]["handle"] == "ann"
        assert trio.current_time() - began <= TAKEN_OVER_SECONDS
        assert owner_of(program.data) == program.process.pid
        page = await ann.call("messages.list", conversation=group)
        assert [each["text"] for each in page["messages"]] == ["hello"]
        async with await ann.socket():
            pass


def test_a_request_to_a_frozen_owner_ends_when_its_client_goes(tmp_path: Path) -> None:
    """Before the owner has begun it, and afterwards."""
    data = tmp_path / "data"

    async def ask(chat: AioNode, leaves: asyncio.Event) -> None:
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            began.set()

        scope = {"type": "http", "method": "GET", "http_version": "1.1", "path": "/v1/events", "headers": []}
        await chat.asgi()(scope, receive, send)

    began = asyncio.Event()

    async def run(owner: Script) -> None:
        async with AioNode(data, attach="only", identify=lambda scope: "app:1") as chat:
            open_stream, asked = asyncio.Event(), asyncio.Event()
            stream = asyncio.create_task(ask(chat, open_stream))
            await began.wait()
            owner.process.send_signal(signal.SIGSTOP)
            request = asyncio.create_task(ask(chat, asked))
            await asyncio.sleep(0.1)
            assert not stream.done()
            assert not request.done()
            open_stream.set()
            asked.set()
            async with asyncio.timeout(OWNER_SECONDS / 5):
                await asyncio.gather(stream, request)
            owner.process.send_signal(signal.SIGCONT)

    with Script(SHARES, data, "auto") as owner:
        owner.says()
        asyncio.run(run(owner))
        assert owner.end() == 0


SLOW_TO_IMPORT = """
import importlib.abc, sys, time
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "chatnode.embed.attaching":
            time.sleep(1)
sys.meta_path.insert(0, Slow())
from chatnode.embed import StartError
from chatnode.embed.threads import Node
try:
    Node(sys.argv[1], attach="only", start_seconds=4.0).start()
except StartError as error:
    print(error)
"""


def test_a_start_gives_its_reason_in_time_also_when_imports_are_slow(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLOW_TO_IMPORT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "no process owns the node here to attach to" in done.stdout
