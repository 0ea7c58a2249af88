"""A node in a program of threads: real threads, a real node."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode import control_socket
from chatnode.api import Plugin, hookimpl
from chatnode.client.feed import Live, Pushed, Reset
from chatnode.embed import NodeGone, Refusal, StartError
from chatnode.embed.threads import BlockingCaller, Node

from .nodes import CONFIG, PATIENCE, sessions, until

_numbers = count()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[Node]:
    with Node(tmp_path_factory.mktemp("threads") / "data", config=CONFIG) as chat:
        yield chat


@attrs.frozen
class Talk:
    """A conversation of two."""

    ann: BlockingCaller
    bob: BlockingCaller
    id: str

    def post(self, text: str) -> int:
        return self.ann.messages.post(conversation=self.id, text=text).seq

    def texts(self) -> list[str]:
        return [each.text for each in self.ann.messages.list(conversation=self.id, limit=500).messages]


@pytest.fixture
def talk(node: Node) -> Talk:
    """Of two new people."""
    names = [f"p{next(_numbers)}" for _ in range(2)]
    for each in names:
        node.operator.people.create(handle=each)
    ann, bob = (node.person(each) for each in names)
    return Talk(ann, bob, ann.conversations.direct(with_=names[1]).conversation)


def test_two_people_talk(node: Node, talk: Talk) -> None:
    assert talk.post("Are you there?") == 1
    assert talk.bob.call("messages.post", conversation=talk.id, text="Yes.", cid="once")["seq"] == 2
    assert talk.texts() == ["Are you there?", "Yes."]
    assert node.health()[0]
    with pytest.raises(Refusal) as caught:
        talk.ann.messages.post(conversation="0" * 32, text="hello")
    assert (caught.value.code, caught.value.path) == ("not_found", "conversation")


def test_many_threads_call_at_a_time(talk: Talk) -> None:
    with ThreadPoolExecutor(16) as pool:
        seqs = list(pool.map(talk.post, map(str, range(320))))
    assert sorted(seqs) == list(range(1, 321))
    assert sorted(talk.texts(), key=int) == [str(number) for number in range(320)]


def test_a_thread_reads_events_until_they_are_closed(node: Node, talk: Talk) -> None:
    events = talk.bob.events(kinds={"message.posted"})
    found: list[str] = []
    heard = threading.Event()

    def read() -> None:
        for item in events:
            if isinstance(item, Pushed):
                found.append(item.fields["message"]["text"])
                heard.set()

    with events:
        reader = threading.Thread(target=read)
        reader.start()
        talk.post("hello")
        assert heard.wait(PATIENCE)
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert found == ["hello"]
    until(lambda: sessions(node) == 0)


def test_leaving_the_loop_ends_the_session(node: Node, talk: Talk) -> None:
    during: list[tuple[type[object], int]] = []
    for item in talk.bob.events():
        during.append((type(item), sessions(node)))
        break
    assert during == [(Reset, 1)]
    until(lambda: sessions(node) == 0)


def test_events_go_on_from_a_cursor(node: Node, talk: Talk) -> None:
    cursor = next(each for each in talk.bob.events() if isinstance(each, Live)).cursor
    for number in range(20):
        talk.post(str(number))
    found: list[str] = []
    for item in talk.bob.events(cursor):
        if isinstance(item, Live):
            break
        if isinstance(item, Pushed):
            found.append(item.fields["message"]["text"])
    assert found == [str(number) for number in range(20)]
    with pytest.raises(Refusal, match="no such user"):
        next(node.person("nobody-at-all").events())


def test_a_consumer_goes_on_where_it_was(node: Node, talk: Talk) -> None:
    found: list[str] = []
    for text in ("one", "two"):
        with node.consumer("orders", {"message.posted"}) as orders:
            talk.post(text)
            for batch in orders:
                found += [each.fields["message"]["text"] for each in batch.events]
                batch.done()
                break
    assert found == ["one", "two"]


async def test_it_refuses_to_block_a_trio_run(node: Node, talk: Talk) -> None:
    for use in (node.health, node.close, talk.texts, lambda: next(talk.ann.events())):
        with pytest.raises(RuntimeError, match=r"chatnode\.embed\.open_node"):
            use()


def test_it_refuses_to_block_an_event_loop(node: Node, talk: Talk, tmp_path: Path) -> None:
    async def main() -> None:
        other = Node(tmp_path / "data")
        for use in (node.health, node.close, other.start, talk.texts, lambda: next(talk.ann.events())):
            with pytest.raises(RuntimeError, match=r"chatnode\.embed\.aio"):
                use()
        assert await asyncio.to_thread(talk.texts) == []

    asyncio.run(main())


def test_a_call_from_the_nodes_own_thread_is_refused(node: Node, talk: Talk) -> None:
    """As from a plugin that holds the handle: it could never be answered."""

    async def blocking() -> None:
        talk.texts()

    with pytest.raises(RuntimeError, match="trio run"):
        node._inside.portal.submit(blocking).result(PATIENCE)


def test_a_call_within_a_transaction_is_refused_and_the_node_goes_on(node: Node, talk: Talk) -> None:
    """The thread that writes would wait for a write of its own, and all others with it."""
    with node.consumer("within", {"message.posted"}) as posts:
        talk.post("one")
        batch = next(posts)
        with pytest.raises(RuntimeError, match="after the transaction"):
            batch.done(lambda tx: talk.post("two"))
        with pytest.raises(RuntimeError, match="after the transaction"):
            batch.done(lambda tx: node.close())
        batch.done()
    talk.post("three")
    assert talk.texts() == ["one", "three"]


def test_a_hook_that_calls_the_node_in_its_own_thread_fails_and_says_why(tmp_path: Path) -> None:
    class Hooks:
        @staticmethod
        @hookimpl
        def chatnode_plugin() -> Plugin:
            return Plugin(name="demo", version="1.0", api="2.0", about="Of a test.")

        @staticmethod
        @hookimpl
        def enrich_messages(ids: list[str]) -> dict[str, str]:
            return {ids[0]: chat.operator.people.list().people[0].handle}

    with Node(tmp_path / "data", config=CONFIG, plugins=[Hooks()]) as chat:
        chat.operator.people.create(handle="ann")
        ann = chat.person("ann")
        notes = ann.conversations.direct(with_="ann").conversation
        ann.messages.post(conversation=notes, text="hello")
        assert [each.extra for each in ann.messages.list(conversation=notes).messages] == [None]
        [plugin] = [each for each in chat.operator.plugins.list().plugins if each.name == "demo"]
        assert "this thread is the node's own" in (plugin.last_failure or "")


def test_the_command_line_reaches_a_node_without_a_port(node: Node, talk: Talk) -> None:
    connected = control_socket.connect(node._inside.data)
    assert connected is not None
    with connected:
        assert connected.call("node.info")["version"]
    assert node.url == ""


def test_start_and_end(tmp_path: Path) -> None:
    chat = Node(tmp_path / "data", config=CONFIG, serve="127.0.0.1:0")
    chat.close()
    with pytest.raises(NodeGone, match="has not been started"):
        chat.operator.people.create(handle="ann")
    with chat:
        assert chat.url.startswith("http://127.0.0.1:")
        ann = chat.operator
        ann.people.create(handle="ann")
        with pytest.raises(TimeoutError):
            chat.wait_closed(0.01)
        with pytest.raises(StartError, match="in use by another"):
            Node(tmp_path / "data", config=CONFIG).start()
        waiting = ThreadPoolExecutor(1).submit(lambda: list(chat.person("ann").events()))
        until(lambda: sessions(chat) == 1)
    assert chat.wait_closed() is None
    with pytest.raises(NodeGone):
        waiting.result(PATIENCE)
    with pytest.raises(NodeGone, match="was closed"):
        ann.people.create(handle="bob")
    chat.close()
    with pytest.raises(StartError, match="did not start within"):
        Node(tmp_path / "data", config=CONFIG, start_seconds=0.001).start()


def test_options_that_cannot_be_are_named(tmp_path: Path) -> None:
    wrong: Any = "yes"
    with pytest.raises(ValueError, match="expected one of never, auto, only"):
        Node(tmp_path / "data", attach=wrong)
    with pytest.raises(ValueError, match="data is empty"):
        Node("")
    port: Any = 8008
    with pytest.raises(TypeError, match=r'serve must be an address and a port, such as "127\.0\.0\.1:8008", not 8008'):
        Node(tmp_path / "data", serve=port)
    with pytest.raises(StartError, match="'reactions' is not a plugin"):
        Node(tmp_path / "data", plugins=["reactions"]).start()
