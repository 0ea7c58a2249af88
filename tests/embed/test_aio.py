"""A node in an asyncio program: real loops, a real node in its own thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import attrs
import pytest
import trio

from chatnode.client.aio import connect
from chatnode.client.feed import Live, Pushed, Reset
from chatnode.config import Config, Storage
from chatnode.embed import InUse, NodeGone, Refusal, StartError
from chatnode.embed.aio import AsyncCaller, Node
from chatnode.model.commands.messages import Posted

from .nodes import CONFIG, PATIENCE, sessions, tasks, until
from .plugins import Words


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[Node]:
    """Started and closed in loops that nothing else runs in, as every test has one of its own."""
    chat = Node(tmp_path_factory.mktemp("aio") / "data", config=CONFIG)
    asyncio.run(chat.start())
    yield chat
    asyncio.run(chat.close())


@attrs.frozen
class Talk:
    """A conversation of two."""

    ann: AsyncCaller
    bob: AsyncCaller
    id: str

    async def post(self, text: str) -> Posted:
        return await self.ann.messages.post(conversation=self.id, text=text)

    async def texts(self) -> list[str]:
        return [each.text for each in (await self.ann.messages.list(conversation=self.id, limit=500)).messages]


async def talk(node: Node) -> Talk:
    """Of two new people."""
    names: list[str] = []
    for _ in range(2):
        names.append(f"p{time.monotonic_ns()}")
        await node.operator.people.create(handle=names[-1])
    ann, bob = (node.person(each) for each in names)
    return Talk(ann, bob, (await ann.conversations.direct(with_=names[1])).conversation)


@asynccontextmanager
async def patience() -> AsyncIterator[None]:
    async with asyncio.timeout(PATIENCE):
        yield


# ---- calls


def test_two_people_talk(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        posted = await two.post("Are you there?")
        await two.bob.call("messages.post", conversation=two.id, text="Yes.", cid="once", reply_to=posted.message)
        again = await two.bob.call(
            "messages.post", conversation=two.id, text="Yes.", cid="once", reply_to=posted.message
        )
        assert again["dup"]
        assert await two.texts() == ["Are you there?", "Yes."]
        assert (await two.bob.inbox.list()).conversations[0].unread == 0
        well, parts = await node.health()
        assert well
        assert parts["writing"]["status"] == "ok"

    asyncio.run(main())


def test_refusals_come_as_they_are(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        with pytest.raises(Refusal) as caught:
            await two.ann.messages.post(conversation="0" * 32, text="hello")
        assert (caught.value.code, caught.value.path) == ("not_found", "conversation")
        for caller, code in ((node.person("nobody-at-all"), "not_found"), (node.operator, "forbidden")):
            with pytest.raises(Refusal) as caught:
                await caller.people.me()
            assert caught.value.code == code
        with pytest.raises(Refusal) as caught:
            await two.ann.call("no.such.command")
        assert caught.value.code == "unknown_command"

    asyncio.run(main())


def test_who_is_deactivated_can_do_nothing_more(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        await two.post("one")
        me = (await two.ann.people.me()).person
        await node.operator.people.deactivate(person=me.id)
        with pytest.raises(Refusal) as caught:
            await two.post("two")
        assert caught.value.code == "forbidden"

    asyncio.run(main())


def test_a_bot_is_made_by_its_first_call(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        bot = node.bot("shop-bot")
        person = (await bot.people.me()).person
        await two.ann.conversations.members.list(conversation=two.id)
        assert (await node.bot("shop-bot", create=False).people.me()).person.id == person.id
        with pytest.raises(Refusal):
            await node.bot("another-bot", create=False).people.me()

    asyncio.run(main())


def test_calls_of_many_tasks_are_all_carried_out(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        posted = await asyncio.gather(*(two.post(str(number)) for number in range(300)))
        assert sorted(each.seq for each in posted) == list(range(1, 301))
        assert sorted(map(int, await two.texts())) == list(range(300))

    asyncio.run(main())


def test_several_loops_use_one_node(node: Node) -> None:
    async def work(number: int) -> list[str]:
        two = await talk(node)
        await asyncio.gather(*(two.post(f"{number}") for _ in range(30)))
        return await two.texts()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: asyncio.run(work(number)), range(6)))
    assert found == [[str(number)] * 30 for number in range(6)]


def test_a_loop_that_is_blocked_does_not_block_the_node(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        elsewhere = threading.Thread(target=asyncio.run, args=(two.post("meanwhile"),))
        elsewhere.start()
        elsewhere.join(PATIENCE)  # in the loop's thread
        assert not elsewhere.is_alive()
        assert await two.texts() == ["meanwhile"]

    asyncio.run(main())


# ---- cancelling


def test_a_thousand_cancelled_posts_lose_nothing_and_leave_nothing(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        await two.post("first")
        before = tasks(node)
        posts = [asyncio.create_task(two.post(str(number))) for number in range(1000)]
        for number, each in enumerate(posts):
            if number % 100 == 0:
                await asyncio.sleep(0.001)
            each.cancel()
        async with patience():
            results = await asyncio.gather(*posts, return_exceptions=True)
            last = await two.post("last")
        assert all(isinstance(each, Posted | asyncio.CancelledError) for each in results)
        stored: dict[int, str] = {}
        while last.seq not in stored:
            page = await two.bob.messages.list(conversation=two.id, limit=100, after=max(stored, default=0))
            stored |= {each.seq: each.message for each in page.messages}
        assert [stored[each.seq] for each in results if isinstance(each, Posted)] == [
            each.message for each in results if isinstance(each, Posted)
        ]
        until(lambda: tasks(node) <= before)

    asyncio.run(main())


def test_a_time_limit_ends_the_waiting_at_once_and_the_task(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        before = tasks(node)
        events = two.ann.events()
        async with patience():
            assert isinstance(await anext(events), Reset)
            assert isinstance(await anext(events), Live)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await anext(events)
            await two.post("after the time limit")
            item = await anext(events)
        assert isinstance(item, Pushed)
        assert item.fields["message"]["text"] == "after the time limit"
        await events.aclose()
        until(lambda: tasks(node) <= before)

    asyncio.run(main())


# ---- events


def test_events_come_in_order_and_from_a_cursor(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        await two.post("one")
        cursor = None
        async with patience(), two.bob.events() as events:
            async for item in events:
                if isinstance(item, Live):
                    cursor = item.cursor
                    break
        assert cursor is not None
        for number in range(50):
            await two.post(str(number))
        found: list[str] = []
        async with patience():
            async for item in two.bob.events(cursor, kinds={"message.posted"}):
                if isinstance(item, Pushed):
                    found.append(item.fields["message"]["text"])
                    if len(found) == 50:
                        break
        assert found == [str(number) for number in range(50)]
        until(lambda: sessions(node) == 0)

    asyncio.run(main())


def test_leaving_the_loop_ends_the_session(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        during: list[int] = []
        async for _ in two.bob.events():
            during.append(sessions(node))
            break
        assert during == [1]
        until(lambda: sessions(node) == 0)

    asyncio.run(main())


def test_the_operator_has_no_events(node: Node) -> None:
    async def main() -> None:
        with pytest.raises(Refusal, match="the operator is not a user"):
            await anext(node.operator.events())
        with pytest.raises(Refusal):
            async with node.operator.events():
                pass
        with pytest.raises(Refusal, match="no such user"):
            await anext(node.person("nobody-at-all").events())

    asyncio.run(main())


def test_a_slow_reader_misses_nothing(tmp_path: Path) -> None:
    """With room for a few events, both in the node and on the way."""
    config = attrs.evolve(CONFIG, limits=attrs.evolve(CONFIG.limits, outbox_bytes=4_096))

    async def main() -> None:
        async with Node(tmp_path / "data", config=config) as node:
            two = await talk(node)
            async with patience(), two.bob.events(kinds={"message.posted"}) as events:
                text = "x" * 8_000
                await asyncio.gather(*(two.post(f"{number} {text}") for number in range(400)))
                found: list[int] = []
                async for item in events:
                    if isinstance(item, Pushed) and item.gid is not None:
                        found.append(item.gid)
                        if len(found) == 400:
                            break
            assert found == sorted(set(found))

    asyncio.run(main())


@pytest.mark.slow
def test_a_hundred_thousand_events_at_a_slow_reader(tmp_path: Path) -> None:
    """It is behind from the beginning, so most of them come from the log."""
    number = 100_000

    async def main() -> None:
        async with Node(tmp_path / "data", config=CONFIG) as node:
            two = await talk(node)
            async with two.bob.events(kinds={"message.posted"}) as events:
                numbers = iter(range(number))

                async def post() -> None:
                    for each in numbers:
                        await two.post(str(each))

                posting = [asyncio.create_task(post()) for _ in range(50)]
                found: list[int] = []
                async for item in events:
                    if isinstance(item, Pushed):
                        found.append(int(item.fields["message"]["text"]))
                        if len(found) % 500 == 0:
                            await asyncio.sleep(0.02)
                        if len(found) == number:
                            break
                await asyncio.gather(*posting)
            assert len(set(found)) == number

    asyncio.run(main())


# ---- consumers


def test_a_consumer_goes_on_where_it_was(node: Node) -> None:
    async def main() -> None:
        two = await talk(node)
        found: list[str] = []
        async with patience(), node.consumer("orders", {"message.posted"}) as orders:
            await two.post("one")
            async for batch in orders:
                found += [each.fields["message"]["text"] for each in batch.events]
                await batch.done()
                break
            with pytest.raises(Refusal, match="already running"):
                await anext(node.consumer("orders"))
        await two.post("two")
        async with patience(), node.consumer("orders", {"message.posted"}) as orders:
            batch = await anext(orders)
            found += [each.fields["message"]["text"] for each in batch.events]
            assert await batch.done(lambda tx: tx.now) is not None
            with pytest.raises(RuntimeError):
                await batch.done()
        assert found == ["one", "two"]

    asyncio.run(main())


# ---- start and end


def test_nothing_happens_before_the_start(tmp_path: Path) -> None:
    async def main() -> None:
        chat = Node(tmp_path / "data")
        await chat.close()
        assert not (tmp_path / "data").exists()
        for use in (lambda: chat.operator, lambda: chat.person("ann"), lambda: chat.consumer("orders")):
            with pytest.raises(NodeGone, match="has not been started"):
                use()
        async with chat:
            with pytest.raises(StartError, match="was already started"):
                await chat.start()
            ann = chat.operator
        with pytest.raises(NodeGone, match="was closed"):
            await ann.people.create(handle="ann")
        await chat.close()
        assert await chat.wait_closed() is None
        async with chat:
            await chat.operator.people.create(handle="ann")
            with pytest.raises(NodeGone, match="was closed"):
                await ann.people.create(handle="bob")

    asyncio.run(main())


async def test_on_trio_it_says_what_to_use_there(tmp_path: Path) -> None:
    for use in (Node(tmp_path / "data").start, connect("http://127.0.0.1:1", "token").__aenter__):
        with pytest.raises(RuntimeError, match=r"no event loop of asyncio runs here; on trio use chatnode\.open_node"):
            await use()
    assert not (tmp_path / "data").exists()
    with pytest.raises(ImportError, match=r"import it from chatnode\.embed\.aio in asyncio"):
        import_module("chatnode.embed").Node  # noqa: B018


def test_what_keeps_it_from_starting_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        async with Node(tmp_path / "data", config=CONFIG, serve="127.0.0.1:0") as chat:
            with pytest.raises(StartError, match="in use by another chatnode"):
                await Node(tmp_path / "data", config=CONFIG).start()
            port = chat.url.rpartition(":")[2]
            with pytest.raises(StartError, match="cannot listen"):
                await Node(tmp_path / "other", config=CONFIG, serve=f"127.0.0.1:{port}").start()
        (tmp_path / "file").write_text("no directory")
        with pytest.raises(StartError, match="cannot be used as a data directory"):
            await Node(tmp_path / "file", config=CONFIG).start()

    asyncio.run(main())


def test_a_start_that_failed_can_be_tried_again_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        owner, chat = Node(tmp_path / "data", config=CONFIG), Node(tmp_path / "data", config=CONFIG)
        async with patience(), owner:
            for _ in range(10):
                with pytest.raises(InUse):
                    await chat.start()
        slow = Node(tmp_path / "data", config=CONFIG)
        starting = asyncio.create_task(slow.start())
        await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        async with patience(), slow:
            pass

    asyncio.run(main())


def test_a_start_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    async def main() -> None:
        chat = Node(tmp_path / "data", config=CONFIG, start_seconds=0.001)
        with pytest.raises(StartError, match=r"did not start within 0\.001 s"):
            await chat.start()
        async with patience():
            assert await chat.wait_closed() is None
        async with Node(tmp_path / "data", config=CONFIG):  # nothing is left of it
            pass

    asyncio.run(main())


def test_nodes_with_different_plugins_in_one_loop(tmp_path: Path) -> None:
    async def main() -> None:
        bare = Config(limits=CONFIG.limits, storage=Storage(readers=1))
        async with (
            Node(tmp_path / "one", config=CONFIG, plugins=[Words("one")]) as one,
            Node(tmp_path / "two", config=CONFIG, plugins=[Words("two")]) as two,
            Node(tmp_path / "three", config=bare) as three,
        ):
            first, second = await talk(one), await talk(two)
            await asyncio.gather(*(each.post(f"{number}") for number in range(50) for each in (first, second)))
            assert sorted(await first.texts()) == sorted(await second.texts())
            assert await first.ann.call("words.get") == {"word": "one"}
            assert await second.ann.call("words.get") == {"word": "two"}
            with pytest.raises(Refusal, match="no such command"):
                await three.operator.call("words.get")

    asyncio.run(main())


def test_when_the_thread_dies_everybody_is_told_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def die() -> None:
        raise OSError("the disk is on fire")

    async def main() -> None:
        async with Node(tmp_path / "data", config=CONFIG) as chat:
            two = await talk(chat)
            live = asyncio.Event()

            async def read() -> None:
                async for item in two.bob.events():
                    if isinstance(item, Live):  # presence comes after it, at some time
                        live.set()

            waiting = asyncio.create_task(read())
            closed = asyncio.create_task(chat.wait_closed())
            async with patience():
                await live.wait()
            token = chat._inside.portal._token
            assert token is not None
            token.run_sync_soon(die)
            async with patience():
                gone = await closed
                (heard,) = await asyncio.gather(waiting, return_exceptions=True)
            for each in (gone, heard):
                assert isinstance(each, NodeGone)
                assert each.__cause__ is not None
            with pytest.raises(NodeGone):
                await two.post("too late")

    asyncio.run(main())
    assert "OSError" in caplog.text


def test_clients_can_connect_and_are_told_to_resume(tmp_path: Path) -> None:
    from chatnode.client import Interrupted, connect

    connected = threading.Event()

    async def client(url: str, token: str) -> list[str]:
        seen: list[str] = []
        async with connect(url, token) as ann:
            async for item in ann.events():
                seen.append(type(item).__name__)
                connected.set()
                if isinstance(item, Interrupted):
                    return seen
        return seen

    async def main() -> None:
        async with Node(tmp_path / "data", config=CONFIG, serve="127.0.0.1:0") as chat:
            await chat.operator.people.create(handle="ann")
            token = (await chat.operator.tokens.create(person="ann")).token
            running = asyncio.create_task(asyncio.to_thread(trio.run, client, chat.url, token))
            assert await asyncio.to_thread(connected.wait, PATIENCE)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        async with patience():
            assert (await running)[-1] == "Interrupted"

    asyncio.run(main())
