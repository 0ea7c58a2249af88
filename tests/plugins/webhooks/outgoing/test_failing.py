"""Receivers that fail, each in its own way, and what becomes of their events."""

from __future__ import annotations

import attrs
import pytest
import trio
from chatnode_webhooks.outgoing import courier, judging, sending
from chatnode_webhooks.outgoing.endpoints import Format
from chatnode_webhooks.outgoing.reading import Heard

from chatnode.api import HOUR_MS
from chatnode.node import Node
from chatnode.outbound import breakers
from chatnode.outbound.breakers import Breakers
from chatnode.outbound.client import Outbound
from chatnode.testing import LiveUser, User
from tests.plugins.sql import rows
from tests.plugins.webhooks.outgoing.dialogue import endpoint, failed, id_of, pass_time, state, until, until_rows
from tests.plugins.webhooks.outgoing.receiver import DIE, DRIP, HANG, OK, Answering, Receiver, answer

DAY_MS = 24 * HOUR_MS
TOLD = "SELECT count(*) FROM log WHERE kind = 'webhooks.endpoint.changed'"
ATTEMPTS = "SELECT attempts, state FROM webhooks_deliveries"
PROBES = "SELECT max(probes) FROM webhooks_endpoints"


@pytest.fixture
async def room(ann: User, robo: User) -> str:
    return await ann.group(robo)


WAYS: dict[str, tuple[Answering, int | None, str]] = {
    "an error": (lambda got: answer(500), 500, "answered 500"),
    "a redirect": (lambda got: answer(302, "Location: http://127.0.0.1:1/"), 302, "answered 302"),
    "not found": (lambda got: answer(404), 404, "answered 404"),
    "no answer": (lambda got: DIE, None, "failed"),
    "hanging": (lambda got: HANG, None, "timed out"),
    "a byte a second": (lambda got: DRIP, None, "timed out"),
    "a long answer": (lambda got: answer(200, body=b"x" * 20_000), None, "answer too large"),
    "no HTTP": (lambda got: b"SSH-2.0-OpenSSH\r\n\r\n", None, "failed"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_it_is_tried_again_and_the_others_go_on(
    node: Node, receiver: Receiver, robo: User, ann: User, room: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PURPOSE", attrs.evolve(sending.PURPOSE, seconds=0.3))
    answers, status, error = WAYS[way]
    receiver.answers = lambda got: answers(got) if b"poison" in got.body else OK
    id = id_of(await endpoint(robo, receiver))
    for text in ("one", "poison", "three", "four"):
        await ann.says(room, text)
    await until(node, id, lambda found: found["pending"] == 1 and len(receiver.got) == 4)
    [delivery] = await failed(node, id)
    assert (delivery.get("status"), delivery["error"].startswith(error), delivery["attempts"]) == (status, True, 1)
    assert len(receiver.got) == 4  # a redirect was not followed
    first = next(each for each in receiver.got if b"poison" in each.body)
    receiver.answers = lambda got: OK
    await pass_time(node, id, 10_000)
    await receiver.until_got(5)
    assert (receiver.got[-1].id, receiver.got[-1].body) == (first.id, first.body)
    found = await until(node, id, lambda found: not found["pending"])
    assert (found["state"], found.get("failing_since")) == ("active", None)


async def test_given_up_after_seven_attempts_and_recovered(
    node: Node, receiver: Receiver, robo: User, ann: User, room: str
) -> None:
    receiver.answers = lambda got: answer(500)
    id = id_of(await endpoint(robo, receiver))
    await ann.says(room, "hello")
    for attempts in range(1, 7):
        await until_rows(node, ATTEMPTS, lambda found, attempts=attempts: found == [(attempts, "pending")])
        await pass_time(node, id, 13 * HOUR_MS)
    found = await until(node, id, lambda found: found["dead"])
    assert (found["pending"], len(receiver.got), len(set(receiver.ids))) == (0, 7, 1)
    [delivery] = await failed(node, id, "dead")
    assert (delivery["attempts"], delivery.get("answer"), delivery.get("due_at")) == (7, None, None)
    attempts = (await robo.call("webhooks.attempts", endpoint=id))["attempts"]
    assert [each["error"] for each in attempts] == ["answered 500"] * 7
    receiver.answers = lambda got: OK
    assert await robo.call("webhooks.recover", endpoint=id) == {"events": 1}
    await until(node, id, lambda found: not found["dead"] and not found["pending"])
    assert len(receiver.got) == 8


async def test_gone_disables_at_once(node: Node, receiver: Receiver, robo: User, ann: User, room: str) -> None:
    root = await LiveUser.new(node, "root", admin=True)
    receiver.answers = lambda got: answer(410)
    id = id_of(await endpoint(robo, receiver))
    await ann.says(room, "one")
    found = await until(node, id, lambda found: found["state"] == "disabled")
    assert found["reason"] == "the receiver answered 410 Gone"
    assert (await root.hears("webhooks.endpoint.changed"))["endpoint"]["state"] == "active"  # it was added
    assert (await root.hears("webhooks.endpoint.changed"))["endpoint"]["state"] == "disabled"
    count = len(receiver.got)
    await ann.says(room, "two")
    await trio.sleep(0.05)
    assert len(receiver.got) == count
    receiver.answers = lambda got: OK
    await robo.call("webhooks.endpoints.resume", endpoint=id)
    await receiver.until(lambda: {"one", "two"} <= set(receiver.texts()[count:]))
    assert (await until(node, id, lambda found: not found["pending"]))["state"] == "active"


async def test_a_receiver_that_asks_for_a_pause_gets_it(
    node: Node, receiver: Receiver, robo: User, ann: User, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers = lambda got: answer(429, "Retry-After: 3000") if got.number == 1 else OK
    id = id_of(await endpoint(robo, receiver))
    await ann.says(room, "one")
    await until(node, id, lambda found: found["pending"])
    await ann.says(room, "two")
    await trio.sleep(0.1)
    assert len(receiver.got) == 1
    [(due, tried)] = await rows(node, "SELECT due_at, tried_at FROM webhooks_deliveries")
    assert 3_000_000 <= due - tried < 3_001_000
    monkeypatch.setattr(node.core.part(Outbound), "_breakers", Breakers())  # its clock cannot be moved
    await pass_time(node, id, 3_000_000)
    await receiver.until_got(3)
    assert set(receiver.texts()[1:]) == {"one", "two"}


async def test_while_its_host_is_left_alone_nothing_is_sent_and_nothing_counts(
    node: Node, receiver: Receiver, robo: User, ann: User, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "FAILURES", 1)
    receiver.answers = lambda got: DIE
    id = id_of(await endpoint(robo, receiver))
    await ann.says(room, "one")
    await until(node, id, lambda found: found["pending"])
    await ann.says(room, "two")
    result = await robo.call("webhooks.endpoints.test", endpoint=id)
    assert (result["sent"], "gets no requests" in result["error"]) == (False, True)
    await pass_time(node, id, HOUR_MS)
    await trio.sleep(0.1)
    [delivery] = await failed(node, id)
    assert (len(receiver.got), delivery["attempts"]) == (1, 1)
    receiver.answers = lambda got: OK
    monkeypatch.setattr(node.core.part(Outbound), "_breakers", Breakers())
    await pass_time(node, id, 0)
    await receiver.until_got(3)
    assert set(receiver.texts()[1:]) == {"one", "two"}


async def test_stalled_until_it_answers_and_nothing_is_lost(
    node: Node, nursery: trio.Nursery, receiver: Receiver, robo: User, ann: User, room: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(judging, "MOST_OUTSTANDING", 5)
    receiver.down()
    id = id_of(await endpoint(robo, receiver))
    for number in range(15):
        await ann.says(room, str(number))
    found = await until(node, id, lambda found: found["state"] == "stalled")
    assert 5 <= found["pending"] <= 12  # what was in flight, and what one settling brings

    async def probe() -> dict[int, int]:
        """Returns how often each was tried, as counts towards being given up."""
        tried = await rows(node, PROBES)
        await pass_time(node, id, HOUR_MS)
        await until_rows(node, PROBES, lambda found: found != tried)
        return {each["gid"]: each["attempts"] for each in await failed(node, id)}

    await probe()  # what was in flight when it stalled
    before = await probe()
    assert [await probe() for _ in range(3)] == [before] * 3
    assert (await state(node, id))["state"] == "stalled"
    await receiver.up(nursery)
    await pass_time(node, id, HOUR_MS)
    await receiver.until_got(15)
    assert (await until(node, id, lambda found: not found["pending"]))["state"] == "active"
    assert sorted(receiver.texts(), key=int) == [str(number) for number in range(15)]


async def test_a_notice_after_a_day_and_disabled_after_five(
    node: Node, receiver: Receiver, robo: User, ann: User, room: str
) -> None:
    root = await LiveUser.new(node, "root", admin=True)
    receiver.answers = lambda got: answer(500)
    id = id_of(await endpoint(robo, receiver))

    async def fails_again() -> None:
        count = len(receiver.got)
        await ann.says(room, "hello")
        await receiver.until(lambda: len(receiver.got) > count)
        await until(node, id, lambda found: found.get("failed_at"))

    await fails_again()
    await until(node, id, lambda found: "failing_since" in found)
    [(noticed,)] = await rows(node, "SELECT noticed_at FROM webhooks_endpoints")
    assert noticed is None
    await pass_time(node, id, DAY_MS)
    [(told,)] = await rows(node, TOLD)
    await fails_again()
    await until_rows(node, "SELECT noticed_at FROM webhooks_endpoints", lambda found: found[0][0])
    assert await rows(node, TOLD) == [(told + 1,)]
    await pass_time(node, id, 4 * DAY_MS)
    await until(node, id, lambda found: found["state"] == "disabled")
    assert (await state(node, id))["reason"] == "every attempt failed for 5 days"
    while (await root.hears("webhooks.endpoint.changed"))["endpoint"]["state"] != "disabled":
        pass
    assert robo.key in [key for (key,) in await rows(node, "SELECT person FROM log_audience")]


async def test_an_event_that_cannot_be_made_is_in_nobodys_way(
    node: Node, receiver: Receiver, robo: User, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = courier.make_body

    def make(format: Format, epoch: str, heard: Heard) -> bytes:
        if heard.event["message"]["text"] == "broken":
            raise RuntimeError("no such event")
        return made(format, epoch, heard)

    monkeypatch.setattr(courier, "make_body", make)
    room = await ann.group(robo)
    id = id_of(await endpoint(robo, receiver, ["message.posted"]))
    for text in ("one", "broken", "two"):
        await ann.says(room, text)
    await receiver.until_got(2)
    assert sorted(receiver.texts()) == ["one", "two"]
    await until(node, id, lambda found: found["pending"] == 1)
    assert [each["error"] for each in await failed(node, id)] == ["the node failed; see its log"]
