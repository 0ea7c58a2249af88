"""How much is sent at a time and to whom: turns, kept connections, breakers, and what a cancelled request leaves."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from chatnode.outbound.breakers import FAILURES, Breakers
from chatnode.outbound.client import Outbound
from chatnode.outbound.errors import Blocked, BodyTooLarge, Failed, Paused, TimedOut
from chatnode.outbound.resolve import OF_A_DOMAIN, OF_A_PURPOSE, THREADS
from tests.outbound.sites import Site, answer, answers, drop, outbound, purpose, site


async def ask(client: Outbound, there: Site, **rules: Any) -> int:
    return (await client.request(purpose(**rules), "GET", there.url())).status


# ---- connections


async def test_a_connection_is_used_again() -> None:
    async with site() as there, outbound(there.place) as client:
        for _ in range(5):
            await ask(client, there)
        assert (there.connections, client.idle) == (1, 1)
    async with site(answers(answer(b"ok", connection="close"))) as there, outbound(there.place) as client:
        for _ in range(3):
            await ask(client, there)
        assert (there.connections, client.idle) == (3, 0)


async def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    async def close_after(stream: trio.abc.Stream, request: bytes) -> None:
        await stream.send_all(answer(b"ok"))
        await stream.aclose()

    async with site(close_after) as there, outbound(there.place) as client:
        for _ in range(5):
            await ask(client, there)
            await there.wait_closed()
        assert there.connections == 5


async def test_what_follows_an_answer_is_not_taken_for_the_next_one() -> None:
    async with site(answers(answer(b"ok") + answer(b"uncalled"))) as there, outbound(there.place) as client:
        for count in (1, 2):
            assert (await client.request(purpose(), "GET", there.url())).body == b"ok"
            assert (there.connections, client.idle) == (count, 0)


async def test_idle_connections_are_closed_after_a_while() -> None:
    async with site() as there, outbound(there.place) as client:
        await ask(client, there)
        for connection in client._idle._idle:
            connection._http._expire_at = 0.0  # as if it had waited
        await ask(client, there)
        assert (there.connections, client.idle) == (2, 1)
        await client.aclose()
        assert client.idle == 0
        await there.wait_closed()


async def test_what_expired_is_closed_without_another_request(mock_clock: trio.testing.MockClock) -> None:
    async with site() as there, outbound(there.place) as client:
        await ask(client, there)
        for connection in client._idle._idle:
            connection._http._expire_at = 0.0
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(5.1)
        await there.wait_closed()
        assert client.idle == 0


async def test_kept_connections_make_room_for_others() -> None:
    async with site() as one, site() as other, outbound(one.place, other.place, connections=1) as client:
        for _ in range(2):
            await ask(client, one)
            await ask(client, other)
        assert (one.connections, other.connections, client.idle) == (2, 2, 1)


async def test_another_purpose_does_not_borrow_what_it_may_not_reach() -> None:
    """The connection is there, but the port is one that only the first purpose may use."""
    async with site() as there:
        names = {"a.example": ["127.0.0.1"]}
        async with outbound("127.0.0.1", names=names) as client:
            await client.request(purpose(ports=(there.port,)), "GET", there.url(host="a.example"))
            assert client.idle == 1
            with pytest.raises(Blocked, match="port"):
                await client.request(purpose(), "GET", there.url(host="a.example"))


class Gate:
    """A server's script that answers when the gate is opened."""

    def __init__(self) -> None:
        self.opened = trio.Event()

    async def script(self, stream: trio.abc.Stream, request: bytes) -> None:
        await self.opened.wait()
        await stream.send_all(answer(b"ok"))


async def test_one_address_gets_a_few_at_a_time_and_others_do_not_wait_for_it() -> None:
    slow, names = Gate(), {f"{letter}.example": ["127.0.0.2"] for letter in "abcdefgh"}
    async with site(slow.script, host="127.0.0.2") as there, site() as other:
        allow = [f"{name}:{there.port}" for name in names]
        async with outbound(*allow, other.place, names=names, per_address=2) as client, trio.open_nursery() as nursery:
            few = purpose(at_a_time=3)
            for name in names:
                nursery.start_soon(client.request, few, "GET", there.url(host=name))
            while len(there.requests) < 2:  # noqa: ASYNC110
                await trio.sleep(0.01)
            for _ in range(5):
                await client.request(few, "GET", other.url())
            assert there.most_open == 2
            slow.opened.set()
        assert len(there.requests) == 8


async def test_a_purpose_and_the_node_have_limits_too() -> None:
    both: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, {"at_a_time": 2}), ({"connections": 4}, {})]
    for settings, rules in both:
        gate = Gate()
        async with site(gate.script) as there, outbound(there.place, per_address=9, **settings) as client:
            async with trio.open_nursery() as nursery:
                for _ in range(6):
                    nursery.start_soon(partial(ask, client, there, **rules))
                while client.running < 2 or len(there.requests) < 2:  # noqa: ASYNC110
                    await trio.sleep(0.01)
                assert (client.running, there.open) == (2, 2)
                gate.opened.set()
        assert there.most_open == 2
        assert len(there.requests) == 6


async def test_slow_receivers_of_one_kind_leave_half_to_others() -> None:
    gate = Gate()
    async with site(gate.script) as there, site() as other:
        async with outbound(there.place, other.place, per_address=9, connections=4) as client:
            async with trio.open_nursery() as nursery:
                for _ in range(6):
                    nursery.start_soon(partial(ask, client, there, name="slow", at_a_time=64))
                while len(there.requests) < 2:  # noqa: ASYNC110
                    await trio.sleep(0.01)
                for _ in range(3):
                    assert await ask(client, other, name="quick") == 200
                assert there.open == 2
                gate.opened.set()


async def test_a_slow_receiver_leaves_turns_at_its_address_to_others() -> None:
    """Both are on this machine, as many receivers are behind one proxy."""
    gate = Gate()
    async with site(gate.script) as slow, site() as quick:
        async with outbound(slow.place, quick.place, per_address=2) as client:
            async with trio.open_nursery() as nursery:
                for _ in range(8):
                    nursery.start_soon(partial(ask, client, slow))
                while len(slow.requests) < 2:  # noqa: ASYNC110
                    await trio.sleep(0.01)
                async with trio.open_nursery() as asking:
                    for _ in range(8):
                        asking.start_soon(partial(ask, client, quick))
                    await until_waiting(client)
                    gate.opened.set()  # for those two; the next ones wait again
                    gate.opened = trio.Event()
                assert len(quick.requests) == 8
                gate.opened.set()


async def test_waiting_for_a_turn_ends(mock_clock: trio.testing.MockClock) -> None:
    """The request was not sent, and says so; the time of those before it is their own."""
    gate = Gate()
    async with site(gate.script) as there, outbound(there.place, per_address=1) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(ask, client, there, seconds=60))
            while not there.requests:
                await trio.lowlevel.checkpoint()

            async def second() -> None:
                with pytest.raises(Paused, match="too many requests"):
                    await ask(client, there, seconds=5)
                gate.opened.set()

            nursery.start_soon(second)
            await until_waiting(client)
            mock_clock.jump(5.1)
        assert len(there.requests) == 1


async def until_waiting(client: Outbound) -> None:
    while not any(each.waiting for each in client._turns._addresses.values()):
        await trio.lowlevel.checkpoint()


# ---- names


async def test_names_that_nobody_answers_for_do_not_block_what_others_need() -> None:
    """They hold a few threads of the resolver's own: some of a domain, more for a purpose, and the rest is for others,
    even after nobody waits for them."""
    stuck, let_go = threading.Semaphore(0), threading.Event()

    def black_hole(host: str) -> list[str]:
        if host.endswith(".good.test"):
            return ["127.0.0.1"]
        stuck.release()
        let_go.wait(30)
        return ["127.0.0.1"]

    async with site() as there, outbound(f"a.good.test:{there.port}", names=black_hole) as client:
        async with trio.open_nursery() as nursery:
            for number in range(2 * THREADS):
                for domain, name in (("slow.test", "slow"), (f"slow{number}.test", "many")):
                    url = f"http://host{number}.{domain}/"
                    nursery.start_soon(client.request, purpose(name=name), "GET", url)
            for _ in range(OF_A_DOMAIN + OF_A_PURPOSE):
                await trio.to_thread.run_sync(stuck.acquire)
            await trio.testing.wait_all_tasks_blocked()
            assert client._resolver.running == OF_A_DOMAIN + OF_A_PURPOSE
            for name in ("slow", "other"):
                answered = await client.request(purpose(name=name), "GET", there.url(host="a.good.test"))
                assert answered.status == 200
            nursery.cancel_scope.cancel()  # nobody waits for the threads
        assert client._resolver.running == OF_A_DOMAIN + OF_A_PURPOSE
        let_go.set()
        while client._resolver.running:  # noqa: ASYNC110
            await trio.sleep(0.01)
        assert len(client._resolver._turns._domains) > OF_A_DOMAIN
        client._resolver._turns.of("other", "a.test")
        assert list(client._resolver._turns._domains) == [("other", "a.test")]


async def test_a_failed_look_up_is_remembered_for_half_a_minute(mock_clock: trio.testing.MockClock) -> None:
    asked: list[str] = []

    def unknown(host: str) -> list[str]:
        asked.append(host)
        raise OSError

    async with outbound(names=unknown) as client:
        for _ in range(3):
            with pytest.raises(Failed, match="not known"):
                await client.request(purpose(), "GET", "http://a.example/")
        assert len(asked) == 1
        mock_clock.jump(31)
        with pytest.raises(Failed, match="not known"):
            await client.request(purpose(), "GET", "http://a.example/")
        assert len(asked) == 2


# ---- breakers


async def test_an_origin_that_fails_is_left_alone_and_tried_by_one_request(mock_clock: trio.testing.MockClock) -> None:
    down, up = answer(status=503), answer(b"ok")
    script = answers(*[down] * 5, down, down, up)
    async with site(script) as there, outbound(there.place) as client:
        assert [await ask(client, there) for _ in range(5)] == [503] * 5
        for wait in (30, 60, 120):
            with pytest.raises(Paused) as paused:
                await ask(client, there)
            assert wait - 1 < paused.value.seconds <= wait
            assert client.paused == 1
            mock_clock.jump(wait + 0.1)
            assert client.paused == 0
            await ask(client, there)
        assert len(there.requests) == 8
        assert await ask(client, there) == 200


async def test_a_success_ends_the_row(mock_clock: trio.testing.MockClock) -> None:
    script = answers(*([answer(status=502)] * 4 + [answer(status=500)]) * 3, answer())
    async with site(script) as there, outbound(there.place) as client:
        assert [await ask(client, there) for _ in range(16)][-1] == 200


async def test_connections_that_fail_count_and_policy_does_not() -> None:
    async with site() as gone:
        pass
    async with outbound(gone.place) as client:
        for _ in range(5):
            with pytest.raises(Failed, match="refuses connections"):
                await client.request(purpose(), "GET", gone.url())
        with pytest.raises(Paused):
            await client.request(purpose(), "GET", gone.url())
        for _ in range(9):
            with pytest.raises(Blocked):
                await client.request(purpose(), "GET", "http://10.0.0.1/")
        assert client.paused == 1


async def test_an_answer_that_is_too_large_does_not_count() -> None:
    async with site(answers(answer(b"x" * 100))) as there, outbound(there.place) as client:
        for _ in range(8):
            with pytest.raises(BodyTooLarge):
                await ask(client, there, most_bytes=10)


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_for_every_request_to_the_origin(status: int, mock_clock: trio.testing.MockClock) -> None:
    async with site(answers(answer(status=status, retry_after="40"), answer(b"ok"))) as there, site() as other:
        async with outbound(there.place, other.place) as client:
            assert await ask(client, there) == status
            for path in ("/", "/elsewhere"):
                with pytest.raises(Paused) as paused:
                    await client.request(purpose(), "GET", there.url(path))
                assert 39 < paused.value.seconds <= 40
            assert await ask(client, other) == 200
            assert await ask(client, there, name="another purpose") == 200
            mock_clock.jump(41)
            assert await ask(client, there) == 200


async def test_one_receiver_that_asks_for_an_hour_holds_up_its_neighbours_for_a_minute(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with site(answers(answer(status=503, retry_after="3600"), answer(b"ok"))) as there:
        async with outbound(there.place) as client:
            answered = await client.request(purpose(), "GET", there.url("/hostile"))
            assert answered.headers["retry-after"] == "3600"
            with pytest.raises(Paused):
                await client.request(purpose(), "GET", there.url("/neighbour"))
            mock_clock.jump(61)
            assert (await client.request(purpose(), "GET", there.url("/neighbour"))).status == 200


async def test_only_one_request_tries_an_origin_that_failed(mock_clock: trio.testing.MockClock) -> None:
    breakers = Breakers()
    for _ in range(5):
        with pytest.raises(TimedOut), breakers.attempt("test", "a"):
            raise TimedOut("slow")
    mock_clock.jump(31)
    with breakers.attempt("test", "a"):
        with pytest.raises(Paused, match="being tried"), breakers.attempt("test", "a"):
            pass
    with pytest.raises(KeyboardInterrupt), breakers.attempt("test", "a"):  # ended from outside: the next may try
        raise KeyboardInterrupt
    with breakers.attempt("test", "a"):
        breakers.answered("test", "a", 200, "")
    with breakers.attempt("test", "a"), breakers.attempt("test", "a"):
        pass


async def test_what_was_under_way_when_a_breaker_opened_does_not_lengthen_it(
    mock_clock: trio.testing.MockClock,
) -> None:
    breakers = Breakers()
    for _ in range(20):
        breakers.answered("test", "a", 503, "")
    with pytest.raises(Paused) as paused:
        breakers.check("test", "a")
    assert paused.value.seconds == 30


async def test_a_success_beside_a_wait_does_not_end_it(mock_clock: trio.testing.MockClock) -> None:
    breakers = Breakers()
    breakers.answered("test", "a", 429, "600")
    breakers.answered("test", "a", 201, "")
    with pytest.raises(Paused):
        breakers.check("test", "a")


async def test_a_slow_redirect_to_a_host_is_no_failure_of_that_host(mock_clock: trio.testing.MockClock) -> None:
    async def slowly(stream: trio.abc.Stream, request: bytes) -> None:
        mock_clock.jump(9.9)
        await stream.send_all(answer(status=302, location=victim.url()))

    async def takes_a_moment(stream: trio.abc.Stream, request: bytes) -> None:
        mock_clock.jump(0.2)
        await trio.testing.wait_all_tasks_blocked()
        await stream.send_all(answer(b"ok"))

    async with site(takes_a_moment) as victim, site(slowly) as there, outbound(there.place, victim.place) as client:
        for _ in range(8):
            with pytest.raises(TimedOut, match="took longer than 10 s"):
                await ask(client, there, redirects=1, seconds=10)
        assert await ask(client, victim, seconds=10) == 200


async def test_a_host_that_is_asked_with_little_time_left_has_not_failed(mock_clock: trio.testing.MockClock) -> None:
    async def takes_a_moment(stream: trio.abc.Stream, request: bytes) -> None:
        mock_clock.jump(0.2)
        await trio.testing.wait_all_tasks_blocked()
        await stream.send_all(answer(b"ok"))

    async with site(takes_a_moment) as there, outbound(there.place) as client:
        for _ in range(FAILURES + 1):
            with pytest.raises(TimedOut):
                await client.request(purpose(seconds=10), "GET", there.url(), within=0.1)
        assert client.paused == 0
        assert await ask(client, there, seconds=10) == 200


# ---- cancellation


async def test_a_cancelled_request_leaves_no_connection() -> None:
    async def half(stream: trio.abc.Stream, request: bytes) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await drop(stream)

    for script in (drop, half):
        async with site(script) as there, outbound(there.place) as client:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(ask, client, there)
                while len(there.requests) < 3:  # noqa: ASYNC110
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
            await there.wait_closed()
            assert (client.running, client.idle) == (0, 0)
            assert not client._turns._addresses
