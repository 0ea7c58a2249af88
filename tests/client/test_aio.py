"""The client library for asyncio, against a node that serves in a thread of the same process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode import client as on_trio
from chatnode.client import aio
from chatnode.client.aio import (
    Client,
    Cursor,
    Interrupted,
    Live,
    Pushed,
    Refusal,
    Reset,
    SignedOut,
    Unreachable,
    connect,
    sign_in,
)
from chatnode.embed import open_node
from chatnode.embed.threads import Node
from chatnode.portal.calls import at_once
from chatnode.portal.thread import Portal

from .conftest import CONFIG
from .proxy import Proxy

PATIENCE = 30.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[Node]:
    with Node(tmp_path_factory.mktemp("node") / "data", config=CONFIG, serve="127.0.0.1:0") as chat:
        for handle in ("ann", "bob"):
            chat.operator.people.create(handle=handle, password="correct horse")
        yield chat


class Between:
    """A proxy in a thread of its own."""

    def __init__(self, proxy: Proxy, portal: Portal) -> None:
        self.url = proxy.url
        self._portal = portal
        self._proxy = proxy

    def do(self, function: Callable[[Proxy], None]) -> None:
        self._portal.ask(at_once, function, self._proxy).result(PATIENCE)


@pytest.fixture
def proxy(node: Node) -> Generator[Between]:
    between = Proxy(node.url)

    async def main(portal: Portal) -> None:
        async with portal.accepting(), trio.open_nursery() as nursery:
            await nursery.start(between.run)
            portal.opened(PATIENCE)
            await portal.wait_stopping()
            nursery.cancel_scope.cancel()

    portal = Portal("the proxy")
    portal.start(main)
    portal.ready.result(PATIENCE)
    yield Between(between, portal)
    portal.stop()
    assert portal.join(PATIENCE)


def token(node: Node, handle: str) -> str:
    return node.operator.tokens.create(person=handle).token


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def within_patience() -> None:
        async with asyncio.timeout(PATIENCE):
            await main()

    asyncio.run(within_patience())


@asynccontextmanager
async def ann_and_bob(node: Node, url: str | None = None) -> AsyncIterator[tuple[Client, Client]]:
    tokens = [await asyncio.to_thread(token, node, handle) for handle in ("ann", "bob")]
    async with connect(url or node.url, tokens[0]) as ann, connect(node.url, tokens[1]) as bob:
        yield ann, bob


async def texts(client: Client, count: int) -> list[str]:
    """The texts of the next `count` messages among the events."""
    found: list[str] = []
    async for item in client.events():
        if isinstance(item, Pushed) and item.name == "message.posted":
            found.append(item.fields["message"]["text"])
            if len(found) == count:
                break
    return found


def test_it_has_the_same_names() -> None:
    assert set(aio.__all__) == set(on_trio.__all__)


def test_events_are_for_one_task_at_a_time(node: Node) -> None:
    async def main() -> None:
        async with ann_and_bob(node) as (ann, _):
            while not isinstance(await anext(ann.events()), Live):
                pass
            waiting = asyncio.create_task(texts(ann, 1))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="is waiting for the next item"):
                await anext(ann.events())
            waiting.cancel()

    run(main)


def test_what_works_on_trio_says_what_to_use_on_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"in asyncio use chatnode\.client\.aio"):
            async with on_trio.connect("http://127.0.0.1:1", "token"):
                pass
        with pytest.raises(RuntimeError, match=r"in asyncio use chatnode\.client\.aio"):
            await on_trio.sign_in("http://127.0.0.1:1", "ann", "correct horse")
        with pytest.raises(RuntimeError, match=r"in asyncio use chatnode\.embed\.aio"):
            async with open_node(tmp_path / "data"):
                pass
        assert not (tmp_path / "data").exists()

    run(main)


def test_two_people_talk(node: Node) -> None:
    async def main() -> None:
        async with ann_and_bob(node) as (ann, bob):
            conversation = await ann.direct("bob")
            assert await bob.direct("ann") == conversation
            assert isinstance(await anext(ann.events()), Reset)
            asked = await ann.post(conversation, "Are you there, @bob?")
            await bob.post(conversation, "Yes.", reply_to=asked.message)
            assert await texts(ann, 2) == await texts(bob, 2) == ["Are you there, @bob?", "Yes."]
            history = await bob.history(conversation)
            assert [each.sender.handle for each in history] == ["ann", "bob"]
            assert (ann.me.handle, ann.connected, ann.epoch == bob.epoch) == ("ann", True, True)
            with pytest.raises(Refusal) as caught:
                await ann.post("0" * 32, "hello")
            assert (caught.value.code, caught.value.path) == ("not_found", "conversation")

    run(main)


def test_events_go_on_from_the_cursor_of_what_was_dealt_with(node: Node) -> None:
    async def main() -> None:
        async with ann_and_bob(node) as (ann, bob):
            conversation = await ann.direct("bob")
            async for item in bob.events():
                if isinstance(item, Live):
                    break
            for number in range(100):
                await ann.post(conversation, str(number))
            assert await texts(bob, 10) == [str(number) for number in range(10)]
            cursor = bob.cursor
        assert isinstance(cursor, Cursor)  # of the last but one: the tenth was not said to be dealt with
        async with connect(node.url, await asyncio.to_thread(token, node, "bob"), cursor=cursor) as bob:
            assert await texts(bob, 91) == [str(number) for number in range(9, 100)]

    run(main)


def test_a_lost_connection_is_made_again(node: Node, proxy: Between) -> None:
    async def main() -> None:
        async with ann_and_bob(node, proxy.url) as (ann, bob):
            conversation = await ann.direct("bob")
            async for item in ann.events():
                if isinstance(item, Live):
                    break
            proxy.do(Proxy.cut)
            await bob.post(conversation, "meanwhile")
            async for item in ann.events():
                if isinstance(item, Interrupted):
                    break
            posted = await ann.post(conversation, "and again")
            assert await texts(ann, 2) == ["meanwhile", "and again"]
            assert (await bob.message(posted.message)).text == "and again"

    run(main)


def test_a_cancelled_call_leaves_at_once(node: Node, proxy: Between) -> None:
    async def main() -> None:
        async with ann_and_bob(node, proxy.url) as (ann, _):
            conversation = await ann.direct("bob")
            proxy.do(Proxy.hold_answers)
            calls = [
                asyncio.create_task(ann.post(conversation, str(number), cid=f"c{number}")) for number in range(100)
            ]
            await asyncio.sleep(0.1)
            for each in calls:
                each.cancel()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(each) for each in results} == {asyncio.CancelledError}
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await ann.inbox()
            proxy.do(Proxy.let_answer)
            assert (await ann.post(conversation, "5", cid="c5")).seq > 0
            cids = [each.cid for each in await ann.history(conversation, limit=200)]
            assert cids.count("c5") == 1
            assert len(set(cids) - {None}) == len([each for each in cids if each is not None])

    run(main)


def test_what_keeps_it_from_connecting_is_raised(node: Node) -> None:
    async def main() -> None:
        with pytest.raises(SignedOut):
            async with connect(node.url, "no-token"):
                pass
        with pytest.raises(Unreachable):
            async with connect("http://127.0.0.1:9", "no-token"):
                pass
        with pytest.raises(Refusal, match="wrong_password"):
            await sign_in(node.url, "ann", "wrong")
        signed_in = await sign_in(node.url, "ann", "correct horse")
        with pytest.raises(ZeroDivisionError):
            async with connect(node.url, signed_in.token, events=False):
                raise ZeroDivisionError
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), connect(node.url, signed_in.token):
                pass

    run(main)


def test_files_and_what_is_called_meanwhile(node: Node, tmp_path: Path) -> None:
    content = os.urandom(2**20 + 7)
    here = threading.get_ident()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 2**18):
            assert threading.get_ident() == here
            await asyncio.sleep(0)
            yield content[start : start + 2**18]

    async def main() -> None:
        seen: list[int] = []

        def progress(done: int, whole: int | None) -> None:
            assert threading.get_ident() == here
            seen.append(done)

        async with ann_and_bob(node) as (ann, bob):
            file = await ann.upload(pieces(), name="film.bin", progress=progress)
            assert seen[-1] == file.bytes == len(content)
            await ann.post(await ann.direct("bob"), files=[file])
            await bob.download(file, tmp_path / "film.bin")
        assert (tmp_path / "film.bin").read_bytes() == content

    run(main)


def test_clients_of_several_loops_share_a_thread(node: Node) -> None:
    async def main() -> None:
        async with ann_and_bob(node) as (ann, bob):
            await ann.post(await ann.direct("bob"), "hello")
            assert (await bob.inbox()).conversations

    threads = [threading.Thread(target=run, args=(main,)) for _ in range(3)]
    for each in threads:
        each.start()
    run(main)
    for each in threads:
        each.join(PATIENCE)
        assert not each.is_alive()
    assert [each.name for each in threading.enumerate()].count("the thread of chatnode's clients") == 1
