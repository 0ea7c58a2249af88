"""The portal alone: a trio run in a thread, called from threads and from asyncio."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
import trio

from chatnode.errors import NodeGone
from chatnode.portal.calls import Call, at_once
from chatnode.portal.loops import LoopPortal, LoopQueue
from chatnode.portal.thread import Portal

PATIENCE = 10.0


async def hold_open(portal: Portal) -> None:
    async with portal.accepting():
        portal.opened(PATIENCE)
        await portal.wait_stopping()


@contextmanager
def running(main: Callable[[Portal], Coroutine[Any, Any, None]] = hold_open) -> Generator[Portal]:
    portal = Portal("the portal")
    portal.start(main)
    try:
        portal.ready.result(PATIENCE)
        yield portal
    finally:
        portal.stop()
        assert portal.join(PATIENCE)


@pytest.fixture
def portal() -> Generator[Portal]:
    with running() as each:
        yield each


class Counted:
    """Counts batches."""

    def __init__(self) -> None:
        self.begun = self.ended = 0

    def hold(self) -> None:
        self.begun += 1

    def hand_over(self) -> None:
        self.ended += 1


def ran(*results: object) -> Callable[..., object]:
    """A plain function that gives these, one after the other."""
    return iter(results).__next__


def tasks() -> int:
    """How many there are, on the trio thread."""
    return trio.lowlevel.current_statistics().tasks_living


# ---- what crosses


def test_a_task_runs_on_the_trio_thread(portal: Portal) -> None:
    async def where() -> tuple[str, float]:
        await trio.lowlevel.checkpoint()
        return threading.current_thread().name, trio.current_time()

    name, _ = portal.submit(where).result(PATIENCE)
    assert name == "the portal"


def test_calls_begin_in_the_order_of_their_thread(portal: Portal) -> None:
    seen: list[int] = []
    calls = [portal.ask(at_once, seen.append, number) for number in range(1000)]
    for each in calls:
        each.result(PATIENCE)
    assert seen == list(range(1000))


def test_calls_made_while_the_thread_is_busy_cross_in_one_batch(portal: Portal) -> None:
    portal.batches = counted = Counted()
    begun, go_on = threading.Event(), threading.Event()

    def busy() -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    first = portal.ask(at_once, busy)
    assert begun.wait(PATIENCE)
    others = [portal.ask(at_once, len, "four") for _ in range(200)]
    go_on.set()
    first.result(PATIENCE)
    assert [each.result(PATIENCE) for each in others] == [4] * 200
    assert counted.begun == counted.ended == 2


def test_other_tasks_get_their_turn_between_many_calls(portal: Portal) -> None:
    begun, go_on, order = threading.Event(), threading.Event(), list[str]()

    async def other() -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            order.append("other")

    def busy() -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    portal.ask(at_once, busy)
    assert begun.wait(PATIENCE)
    ticking = portal.submit(other)
    calls = [portal.ask(at_once, order.append, "call") for _ in range(2000)]
    go_on.set()
    for each in [ticking, *calls]:
        each.result(PATIENCE)
    assert order.count("call") == 2000
    assert order.index("other") < 1000


def test_no_call_is_lost_among_many_threads(portal: Portal) -> None:
    def work(number: int) -> int:
        return sum(portal.ask(at_once, int, number).result(PATIENCE) for _ in range(200))

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(16))) == [200 * number for number in range(16)]


def test_the_context_of_the_caller_goes_with_a_call(portal: Portal) -> None:
    request: ContextVar[str] = ContextVar("request")
    request.set("one")

    async def late() -> str:
        await trio.lowlevel.checkpoint()
        return request.get()

    assert portal.ask(at_once, request.get).result(PATIENCE) == "one"
    task = portal.submit(late)
    request.set("two")
    assert task.result(PATIENCE) == "one"


_ERRORS = [
    KeyError("k"), SystemExit(3), StopAsyncIteration(), KeyboardInterrupt(), GeneratorExit(),
    asyncio.CancelledError(),
]  # fmt: skip


@pytest.mark.parametrize("error", _ERRORS)
def test_what_a_call_raises_is_its_own(portal: Portal, error: BaseException) -> None:
    def fail() -> None:
        raise error

    async def fail_later() -> None:
        await trio.lowlevel.checkpoint()
        raise error

    async def fail_often() -> None:
        raise BaseExceptionGroup("several", [error, ValueError("a")])

    with pytest.raises(type(error)):
        portal.ask(at_once, fail).result(PATIENCE)
    with pytest.raises(type(error)):
        portal.submit(fail_later).result(PATIENCE)
    with pytest.raises(BaseExceptionGroup, match="several"):
        portal.submit(fail_often).result(PATIENCE)
    assert portal.ask(at_once, int).result(PATIENCE) == 0


def test_a_plain_function_that_raises_ends_nothing(portal: Portal, caplog: pytest.LogCaptureFixture) -> None:
    portal.call_soon(ran())  # raises StopIteration
    assert portal.ask(at_once, int).result(PATIENCE) == 0
    assert "the portal failed" in caplog.text


# ---- cancelling


def test_cancelling_a_future_cancels_its_task(portal: Portal) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    future = portal.submit(wait)
    assert begun.wait(PATIENCE)
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result()
    assert cancelled.wait(PATIENCE)


def test_interrupts_at_any_moment_hold_up_nobody(portal: Portal) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    interrupted = 0
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for number in range(150):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003 + number * 0.00002)
                for _ in range(1_000):
                    portal.wait(at_once, int)
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 100  # Python ignores one that comes within a `__del__`
    assert portal.ask(at_once, int).result(PATIENCE) == 0


# ---- asyncio


def test_a_cancelled_call_of_asyncio_leaves_at_once_and_ends_its_task(portal: Portal) -> None:
    cancelled = threading.Event()

    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.3)
            cancelled.set()

    async def main() -> None:
        loops = LoopPortal(portal)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await loops.run(stubborn)
        assert time.monotonic() - began < 0.25
        assert not cancelled.is_set()
        assert await loops.run(trio.sleep, 0) is None

    asyncio.run(main())
    assert cancelled.wait(PATIENCE)


def test_a_thousand_cancelled_calls_leave_no_task_behind(portal: Portal) -> None:
    async def main() -> None:
        loops = LoopPortal(portal)
        calls = [asyncio.create_task(loops.run(trio.sleep_forever)) for _ in range(1000)]
        await asyncio.sleep(0)
        await loops.ask(at_once, int)
        for each in calls:
            each.cancel()
        assert all(
            isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*calls, return_exceptions=True)
        )
        async with asyncio.timeout(PATIENCE):
            while await loops.ask(at_once, tasks) > before:  # noqa: ASYNC110 - trio tells nobody
                await asyncio.sleep(0.01)

    before = portal.ask(at_once, tasks).result(PATIENCE)
    asyncio.run(main())


def test_several_loops_in_several_threads_use_one_portal(portal: Portal) -> None:
    loops = LoopPortal(portal)

    async def work(number: int) -> list[int]:
        return await asyncio.gather(*(loops.ask(at_once, int, number) for _ in range(300)))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: asyncio.run(work(number)), range(8)))
    assert found == [[number] * 300 for number in range(8)]


def test_a_loop_that_is_gone_does_not_matter(portal: Portal) -> None:
    loops = LoopPortal(portal)
    go_on = threading.Event()

    async def main() -> None:
        asyncio.create_task(loops.ask(at_once, go_on.wait, PATIENCE))  # noqa: RUF006 - the loop ends first
        await asyncio.sleep(0)

    asyncio.run(main())
    go_on.set()
    assert portal.ask(at_once, int).result(PATIENCE) == 0
    assert asyncio.run(loops.ask(at_once, int)) == 0


@pytest.mark.parametrize("begun", [True, False])
def test_who_waits_for_a_loop_that_is_closed_is_told(portal: Portal, begun: bool) -> None:
    """As the thread of a client does that uploads what an async iterator in the loop gives."""
    loop = asyncio.new_event_loop()
    queue = LoopQueue(loop)
    running = threading.Event()

    async def work() -> None:
        running.set()
        await asyncio.sleep(PATIENCE)

    waiting = portal.submit(queue.run, work)
    portal.ask(at_once, int).result(PATIENCE)  # it has asked the loop by now
    if begun:
        loop.run_until_complete(asyncio.to_thread(running.wait, PATIENCE))
        loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    with pytest.raises(RuntimeError, match="the event loop is closed"):
        waiting.result(PATIENCE)


def test_stop_iteration_reaches_asyncio_as_an_error(portal: Portal) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(LoopPortal(portal).ask(at_once, ran()))


# ---- the end


def test_nothing_crosses_before_the_start_and_after_the_end() -> None:
    portal = Portal("the portal")
    with pytest.raises(NodeGone, match="not there yet"):
        portal.ask(at_once, int)
    with running() as portal:
        pass
    assert portal.ended.result(PATIENCE) is None
    with pytest.raises(NodeGone, match="the portal was closed"):
        portal.ask(at_once, int)
    with pytest.raises(NodeGone):
        asyncio.run(LoopPortal(portal).run(trio.sleep, 0))


def test_stopping_answers_the_calls_under_way() -> None:
    with running() as portal:
        waiting = [portal.submit(trio.sleep_forever) for _ in range(3)]
        portal.ask(at_once, int).result(PATIENCE)
    for each in waiting:
        with pytest.raises(NodeGone):
            each.result(PATIENCE)


def test_a_thread_that_dies_answers_everybody_with_its_error(caplog: pytest.LogCaptureFixture) -> None:
    async def main(portal: Portal) -> None:
        async with portal.accepting():
            portal.opened(PATIENCE)
            await portal.wait_stopping()
            raise OSError("the disk is on fire")

    def never(_: Call) -> None:
        pass

    with running(main) as portal:
        waiting = [portal.submit(trio.sleep_forever), portal.ask(never)]
        portal.ask(at_once, int).result(PATIENCE)
        portal.stop()
        for each in waiting:
            with pytest.raises(NodeGone, match="on fire") as caught:
                each.result(PATIENCE)
            assert isinstance(caught.value.__cause__, OSError)
        gone = portal.ended.result(PATIENCE)
    assert gone is not None
    assert isinstance(gone.__cause__, OSError)
    assert "the thread of the portal ended with an error" in caplog.text


def test_what_keeps_it_from_starting_is_raised_as_it_is() -> None:
    async def main(portal: Portal) -> None:
        async with trio.open_nursery():
            raise OSError("no such directory")

    portal = Portal("the portal")
    portal.start(main)
    with pytest.raises(OSError, match="no such directory"):
        portal.ready.result(PATIENCE)
    assert portal.join(PATIENCE)


def test_it_has_ended_once_it_is_known_that_it_did_not_start() -> None:
    async def main(portal: Portal) -> None:
        await trio.lowlevel.checkpoint()
        raise OSError("no such directory")

    portal, ended = Portal("the portal"), list[bool]()
    portal.ready.add_done_callback(lambda _: ended.append(portal.ended.done()))
    portal.start(main)
    assert portal.join(PATIENCE)
    assert ended == [True]


def test_a_start_that_is_stopped_is_cancelled() -> None:
    async def main(portal: Portal) -> None:
        await trio.sleep_forever()

    portal = Portal("the portal")
    portal.start(main)
    portal.stop()
    assert portal.join(PATIENCE)
    with pytest.raises(NodeGone):
        portal.ready.result(PATIENCE)


def test_who_hands_over_while_it_ends_is_answered() -> None:
    """Threads that call without a pause, while it stops."""
    answered: list[BaseException | None] = []

    def work(portal: Portal, begun: threading.Barrier) -> None:
        begun.wait(PATIENCE)
        while True:
            error = None
            try:
                portal.ask(at_once, int).result(PATIENCE)
            except NodeGone as gone:
                error = gone
            if error is not None:
                answered.append(error)
                return

    for _ in range(20):
        with running() as portal:
            begun = threading.Barrier(5)
            threads = [threading.Thread(target=work, args=(portal, begun)) for _ in range(4)]
            for each in threads:
                each.start()
            begun.wait(PATIENCE)
            time.sleep(0.002)
        for each in threads:
            each.join(PATIENCE)
            assert not each.is_alive()
    assert len(answered) == 80


def test_a_forked_child_is_told(portal: Portal) -> None:
    """The child reports by its status, and runs nothing else of the test."""
    child = os.fork()
    if child == 0:
        try:
            portal.ask(at_once, int)
        except NodeGone as gone:
            os._exit(7 if "forked" in str(gone) and portal.ended.done() else 1)
        os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert portal.ask(at_once, partial(int, "3")).result(PATIENCE) == 3
