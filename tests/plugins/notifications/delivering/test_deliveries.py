"""Deliveries: once, or visibly failed; judged again at each attempt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from chatnode_notifications import notes
from chatnode_notifications.delivering import rows, sending
from chatnode_notifications.delivering.figures import health
from chatnode_notifications.delivering.lanes import PER_ORIGIN
from chatnode_notifications.delivering.rows import after_restore
from chatnode_notifications.transports.state import plugin_state

from chatnode.api import Outbound, Paused, Refusal, RestoreNote, Transaction, now_ms, rfc3339
from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import LiveUser, User, configured, fetch, refused
from tests.plugins.notifications.alerting import Alerts, context_of, device_of, subscribe
from tests.plugins.notifications.push_service import PushService, push_service
from tests.plugins.notifications.telling import MINUTE, tell
from tests.services.dialogue import token_of


@pytest.fixture
async def talk(ann: User, bob: User) -> str:
    return await bob.direct(ann)


# ---- which devices


async def test_each_device_of_the_user_and_no_other(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    for user, path in ((ann, "/ann1"), (ann, "/ann2"), (bob, "/bob")):
        await subscribe(user, service.address(path))
    await alerts.of(await bob.says(talk, "hello"), ann)
    assert await alerts.send() == 2
    assert sorted(push.path for push in service.received) == ["/ann1", "/ann2"]
    assert await alerts.send() == 0


async def test_what_the_user_wants_of_the_conversation(
    ann: LiveUser, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    laptop = await token_of(ann)
    await subscribe(ann, service.address("/push"))
    await ann.call("notifications.register", transport="webhook", address=service.address("/hook"))
    await laptop.call("notifications.register", transport="desktop")
    live = await laptop.live()
    told: list[tuple[int, int, int]] = []
    for wanted in ({"mobile": False}, {"mobile": True, "desktop": False}, {"desktop": True}):
        await ann.call("conversations.settings", conversation=talk, **wanted)
        await alerts.of(await bob.says(talk, "hello"), ann)
        await alerts.send()
        told.append((len(service.at("/push")), len(service.at("/hook")), len(live.heard("notification"))))
    assert told == [(0, 1, 1), (1, 2, 1), (2, 3, 2)]


async def test_a_device_that_is_connected_has_the_message(
    ann: LiveUser, bob: User, service: PushService, alerts: Alerts, talk: str, node: Node
) -> None:
    phone = await token_of(ann)
    await subscribe(phone, service.address("/app"), transport="unifiedpush")
    await subscribe(phone, service.address("/page"))
    live = await phone.live()
    await alerts.of(await bob.says(talk, "seen at once"), ann)
    await alerts.send()
    assert service.received == []
    alerts.clock.forward(seconds=100)  # a page that was suspended looks connected
    await alerts.of(await bob.says(talk, "hello?"), ann)
    await alerts.send()
    assert [push.path for push in service.received] == ["/page"]
    node.sessions.detach(live)
    await alerts.of(await bob.says(talk, "hello??"), ann)
    await alerts.send()
    assert sorted(push.path for push in service.received) == ["/app", "/page", "/page"]


# ---- again


async def test_tried_again_until_it_is_taken(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    receiver, device = await subscribe(ann, service.address("/ann"))
    service.answers("/ann", 500, (500, {"Retry-After": "3000"}), 201)
    item = await alerts.of(await bob.says(talk, "hello"), ann)
    for seconds, state in ((0, "pending"), (5, "pending"), (15, "pending"), (1_000, "pending"), (2_500, "sent")):
        alerts.clock.forward(seconds=seconds)
        await alerts.send()
        assert await alerts.states() == [state]
    assert [receiver.read(push.body)["id"] for push in service.at("/ann")] == [item] * 3
    found = await device_of(ann, device)
    assert (found["state"], "failing_since" in found, "last_ok_at" in found) == ("active", False, True)


async def test_given_up_in_time_and_said_so(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    service.answers("/ann", 500)
    await subscribe(ann, service.address("/ann"))
    await alerts.of(await bob.says(talk, "hello"), ann)
    for _ in range(30):
        await alerts.send()
        alerts.clock.forward(hours=1)
    ((state, attempts, status, error),) = await alerts.rows()
    assert (state, status, error) == ("failed", 500, "the server answered 500")
    assert attempts == len(service.at("/ann")) <= 10
    assert (await bob.node.call("notifications.queue", state="failed"))["deliveries"][0]["status"] == 500


async def test_what_was_read_meanwhile_is_not_told(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    service.answers("/ann", 500, 201)
    await subscribe(ann, service.address("/ann"))
    await alerts.of(await bob.says(talk, "hello"), ann)
    await alerts.send()
    await ann.call("receipts.read", conversation=talk, seq=1)
    alerts.clock.forward(hours=1)
    await alerts.send()
    assert (len(service.at("/ann")), await alerts.states()) == (1, ["suppressed"])


PAUSE: dict[str, Any] = {"paused_until": rfc3339(now_ms() + 48 * 3_600_000)}
QUIET: dict[str, Any] = {"quiet": [{"begins": "00:00", "ends": "00:00"}]}


@pytest.mark.parametrize("silence", [PAUSE, QUIET])
async def test_what_failed_does_not_ring_in_a_pause_or_quiet_hours_that_began_meanwhile(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str, silence: dict[str, Any]
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    await ann.call("notifications.register", transport="webhook", address=service.address("/hook"))
    for path in ("/ann", "/hook"):
        service.answers(path, 500, 201)
    await alerts.of(await bob.says(talk, "hello"), ann)
    await alerts.send()
    await ann.call("notifications.settings.set", **silence)
    for hours in (1, 11, 1):
        alerts.clock.forward(hours=hours)
        await alerts.send()
        assert [row[:2] for row in await alerts.rows()] == [("pending", 1)] * 2
    assert len(service.received) == 2
    await ann.call("notifications.settings.set", paused_until="", quiet=[])
    assert await alerts.send() == 2
    assert receiver.read(service.at("/ann")[1].body)["body"] == "hello"
    assert [row[:2] for row in await alerts.rows()] == [("sent", 2)] * 2


async def test_the_pause_of_one_user_holds_up_no_other(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    for user, path in ((ann, "/ann"), (bob, "/bob")):
        await subscribe(user, service.address(path))
    await alerts.of(await bob.says(talk, "hello"), ann)
    await alerts.of(await ann.says(await ann.group(bob), "hello"), bob)
    await ann.call("notifications.settings.set", paused_until=rfc3339(now_ms() + 3_600_000))
    await alerts.send()
    assert [push.path for push in service.received] == ["/bob"]
    await bob.call("notifications.settings.set", zone="Europe/Paris")
    assert await alerts.send() == 0
    alerts.clock.forward(seconds=3_601)
    await alerts.send()
    assert [push.path for push in service.received] == ["/bob", "/ann"]


async def test_an_older_one_is_told_when_the_newer_one_cannot_be(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    service.answers("/ann", 500, 500, 201)
    await alerts.of(await bob.says(talk, "important"), ann)
    await alerts.send()
    alerts.clock.forward(seconds=6)
    newer = await bob.says(talk, "a tpyo")
    await alerts.of(newer, ann)
    await alerts.send()
    alerts.clock.forward(seconds=6.2)
    assert await alerts.send() == 1
    assert [row[:2] for row in await alerts.rows()] == [("pending", 1)] * 2  # the older one waits for the newer one
    await bob.call("messages.delete", message=newer)
    for _ in range(10):
        alerts.clock.forward(seconds=1)
        await alerts.send()
    assert [receiver.read(push.body).get("body") for push in service.at("/ann")] == ["important", "a tpyo", "important"]
    assert await alerts.states() == ["sent"]


async def test_after_an_outage_one_push_for_each_conversation(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    await ann.call("notifications.register", transport="webhook", address=service.address("/hook"))
    for path in ("/ann", "/hook"):
        service.answers(path, *[500] * 4, 201)
    room = await bob.group(ann)
    for where, text in ((talk, "one"), (room, "two"), (talk, "three"), (room, "four")):
        await alerts.of(await bob.says(where, text), ann)
        await alerts.send()
    alerts.clock.forward(hours=2)
    await alerts.send()
    told = [receiver.read(push.body)["body"] for push in service.at("/ann")[4:]]
    assert sorted(told) == ["four", "three"]
    assert sorted(post.json["data"]["body"] for post in service.at("/hook")[4:]) == ["four", "one", "three", "two"]
    alerts.clock.forward(hours=2)
    await alerts.send()
    assert len(service.at("/ann")) == 4 + 2
    assert sorted(await alerts.states()) == ["sent"] * 6 + ["suppressed"] * 2


async def test_a_mention_is_not_replaced_by_small_talk(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    await alerts.of(await bob.says(talk, "important"), ann, personal=True)
    await alerts.of(await bob.says(talk, "small talk"), ann, personal=False)
    await alerts.send()
    assert sorted(receiver.read(push.body)["body"] for push in service.at("/ann")) == ["important", "small talk"]


@pytest.mark.parametrize("settings", [{"settle_seconds": 0}])
async def test_a_mention_waits_for_its_device_although_a_later_message_was_deleted(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    room = await bob.group(ann)
    await bob.says(room, "@ann important")
    small_talk = await bob.says(room, "small talk")
    await tell(node, ahead_seconds=MINUTE)
    await bob.call("messages.delete", message=small_talk)
    await alerts.send()
    (alert,) = [receiver.read(push.body) for push in service.at("/ann")]
    assert (alert["body"], alert["count"], alert["kind"], alert["badge"]) == ("@ann important", 1, "mention", 1)


async def test_the_badge_counts_what_the_list_shows(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    eve = await User.new(node, "eve")
    await alerts.of(await eve.says(await eve.group(ann), "spam"), ann)
    await ann.call("people.block", person="eve")
    await alerts.of(await bob.says(talk, "hello"), ann)
    await alerts.send()
    (alert,) = [receiver.read(push.body) for push in service.at("/ann")]
    assert (alert["body"], alert["badge"]) == ("hello", 1)


async def test_too_old_to_ring(ann: User, bob: User, service: PushService, alerts: Alerts, talk: str) -> None:
    await subscribe(ann, service.address("/ann"))
    await alerts.of(await bob.says(talk, "hello"), ann)
    alerts.clock.forward(hours=24)
    await alerts.send()
    assert (service.received, await alerts.states()) == ([], ["expired"])


async def test_read_on_another_device_is_told_with_the_next(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    room = await bob.group(ann)
    await alerts.of(await bob.says(talk, "hello"), ann)
    await alerts.send()
    await ann.call("receipts.read", conversation=talk, seq=1)
    await alerts.of(await bob.says(room, "all of you"), ann)
    await alerts.send()
    first, second = (receiver.read(push.body) for push in service.at("/ann"))
    assert ("read" in first, second["read"], second["badge"]) == (False, {talk: 1}, 1)


# ---- devices that fail


async def test_a_device_that_fails_for_days_is_suspended_until_it_registers_again(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    service.answers("/ann", *[500] * 4, 201)
    _, device = await subscribe(ann, service.address("/ann"))
    states: list[str] = []
    for _ in range(5):
        await alerts.of(await bob.says(talk, "hello"), ann)
        await alerts.node.core.db.write(lambda tx: _date(tx, alerts.clock()))
        await alerts.send()
        states.append((await device_of(ann, device))["state"])
        await alerts.node.call("notifications.forget", everything=True)
        alerts.clock.forward(hours=25)
    assert states == ["failing", "failing", "failing", "suspended", "suspended"]
    assert len(service.at("/ann")) == 4
    await subscribe(ann, service.address("/ann"))
    assert (await device_of(ann, device))["state"] == "active"


def _date(tx: Transaction, now: int) -> None:
    """The items are of today."""
    tx.execute("UPDATE notifications_items SET created_at = ?", (now,))
    tx.execute("UPDATE notifications_deliveries SET due_at = ? WHERE state = 'pending'", (now,))


async def test_a_service_that_is_left_alone_costs_no_attempt(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, device = await subscribe(ann, service.address("/ann"))

    async def paused(*_: Any, **__: Any) -> None:
        raise Paused("the server is left alone for now", 120)

    with monkeypatch.context() as patch:
        patch.setattr(Outbound, "request", paused)
        await alerts.of(await bob.says(talk, "hello"), ann)
        for _ in range(3):
            assert await alerts.send() == 1
            assert [row[:2] for row in await alerts.rows()] == [("pending", 0)]
            alerts.clock.forward(seconds=60)
            assert await alerts.send() == 0
            alerts.clock.forward(seconds=61)
    assert (await device_of(ann, device))["state"] == "active"
    await alerts.send()
    assert [row[:2] for row in await alerts.rows()] == [("sent", 1)]


class TestDead:
    """Beside a server that takes connections and never answers."""

    @pytest.fixture
    async def dead(self) -> AsyncIterator[PushService]:
        async with push_service("127.0.0.2") as dead:
            dead.answers("/dead", None)
            yield dead

    @pytest.fixture
    def config(self, service: PushService, dead: PushService) -> Config:
        return configured(outbound={"allow": [f"{each.host}:{each.port}" for each in (service, dead)]})

    async def test_it_holds_up_no_other(
        self, node: Node, ann: User, bob: User, service: PushService, dead: PushService, alerts: Alerts, talk: str,
        nursery: trio.Nursery,
    ) -> None:  # fmt: skip
        await ann.call("notifications.register", transport="webhook", address=dead.address("/dead"))
        for _ in range(sending.AT_A_TIME + 8):
            await alerts.of(await bob.says(talk, "hello"), ann)
        for number in range(5):
            user = await User.new(node, f"user{number}")
            await user.call("notifications.register", transport="webhook", address=service.address(f"/{number}"))
            await alerts.of(await bob.says(await bob.direct(user), "hello"), user)
        nursery.start_soon(alerts.send)
        for number in range(5):
            await service.gets(f"/{number}")
        assert 1 <= len(dead.received) <= PER_ORIGIN
        nursery.cancel_scope.cancel()


# ---- crashes


async def test_killed_between_sending_and_storing_it_is_sent_again_with_the_same_id(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts, talk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann.call("notifications.register", transport="webhook", address=service.address("/hook"))
    await alerts.of(await bob.says(talk, "hello"), ann)

    class Killed(Exception):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(rows, "store_outcomes", kill)
        with pytest.raises(ExceptionGroup) as caught:
            await alerts.send()
    assert caught.group_contains(Killed)
    assert [row[:2] for row in await alerts.rows()] == [("pending", 1)]
    alerts.clock.forward(seconds=55)
    assert await alerts.send() == 0
    alerts.clock.forward(seconds=6)
    assert await alerts.send() == 1
    first, second = service.at("/hook")
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert await alerts.states() == ["sent"]


async def test_while_the_disk_is_full_nothing_is_sent_twice(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_AFTER_FAULT", 0)
    await subscribe(ann, service.address("/ann"))
    await alerts.of(await bob.says(talk, "hello"), ann)
    real, left = rows.store_outcomes, [3]

    def full(tx: Transaction, outcomes: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise Refusal("unavailable", "the disk is full; nothing was stored")
        real(tx, outcomes)

    monkeypatch.setattr(rows, "store_outcomes", full)
    await alerts.send()
    assert (len(service.at("/ann")), await alerts.states(), left) == (1, ["sent"], [0])


async def test_a_restore_ends_what_was_pending(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    await subscribe(ann, service.address("/ann"))
    await alerts.of(await bob.says(talk, "hello"), ann)
    await node.core.db.write(lambda tx: after_restore(tx, RestoreNote(tx.now, ())))
    assert (await alerts.send(), await alerts.states()) == (0, ["expired"])


async def test_a_clock_that_was_ahead_delays_nothing(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    await subscribe(ann, service.address("/ann"))
    await alerts.of(await bob.says(talk, "hello"), ann)
    sql = "UPDATE notifications_deliveries SET due_at = due_at + 90000000"
    await alerts.node.core.db.write(lambda tx: tx.execute(sql))
    assert await alerts.send() == 1


# ---- a node that serves


async def test_a_serving_node_sends_by_itself(
    url: str, node: Node, ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    root = await User.new(node, "root", admin=True)
    service.answers("/ann", 500, 201)
    await alerts.of(await bob.says(talk, "hello"), ann)
    await service.gets("/ann")
    with trio.fail_after(30):
        while (await root.call("notifications.queue"))["deliveries"][0]["attempts"] != 1:  # noqa: ASYNC110
            await trio.sleep(0.01)
        assert (await root.call("notifications.retry", transport="webpush"))["deliveries"] == 1
        (_, push) = await service.gets("/ann", 2)
        assert receiver.read(push.body)["body"] == "hello"
        while await alerts.states() != ["sent"]:  # noqa: ASYNC110
            await trio.sleep(0.01)
    metrics = (await fetch(f"{url}/metrics", await root.token())).text
    for line in ("webpush_sent_total 1", "webpush_retried_total 1", "pending 0"):
        assert f"chatnode_notifications_{line}" in metrics


# ---- operators


async def test_operators_see_where_it_goes_but_no_address(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts, talk: str
) -> None:
    root = await User.new(node, "root", admin=True)
    service.answers("/ann-secret", 500)
    _, device = await subscribe(ann, service.address("/ann-secret"))
    item = await alerts.of(await bob.says(talk, "text-canary"), ann)
    await alerts.send()
    with refused("forbidden"):
        await ann.call("notifications.queue")
    (found,) = (await root.call("notifications.queue"))["deliveries"]
    assert (found["notification"], found["person"], found["registration"]) == (item, ann.id, device)
    assert (found["server"], found["attempts"], found["error"]) == (service.address(""), 1, "the server answered 500")
    assert not [canary for canary in ("ann-secret", "text-canary") if canary in str(found)]
    with refused("invalid"):
        await root.call("notifications.retry")
    assert await root.call("notifications.retry", notification=item) == {"deliveries": 1}
    await alerts.send()
    assert len(service.received) == 2
    assert await root.call("notifications.forget", registration=device) == {"deliveries": 1}
    assert await root.call("notifications.forget", registration=device) == {"deliveries": 0}
    assert await alerts.states() == ["expired"]
    actions = [each["action"] for each in (await root.call("audit.list"))["entries"]]
    assert actions[:2] == ["notifications.queue.forget", "notifications.queue.retry"]


async def test_health_says_what_only_the_operator_can_change(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts, talk: str, caplog: pytest.LogCaptureFixture
) -> None:
    ctx = context_of(node)
    service.answers("/ann", 403, 201)
    await subscribe(ann, service.address("/ann"))
    await alerts.of(await bob.says(talk, "hello"), ann)
    figures = {"webpush": "on", "push_services_refusing": 0, "pending": 1, "oldest_pending_seconds": 0}
    assert await health(ctx) == figures
    await alerts.send()
    assert await health(ctx) == figures | {"push_services_refusing": 1}
    assert "does not accept the signature" in caplog.text
    alerts.clock.forward(seconds=20)
    await alerts.send()
    assert await health(ctx) == figures | {"pending": 0}
    plugin_state(ctx).vapid = None
    with pytest.raises(RuntimeError, match="contact is not set"):
        await health(ctx)


async def test_one_that_cannot_be_told_fails_alone(
    ann: User, bob: User, service: PushService, alerts: Alerts, talk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribe(ann, service.address("/ann"))
    room = await bob.group(ann)
    await alerts.of(await bob.says(talk, "bad"), ann)
    await alerts.of(await bob.says(room, "good"), ann)
    real = notes.notes_of

    def failing(reader: Any, items: Any, base_url: str) -> Any:
        found = real(reader, items, base_url)
        if any(note.body == "bad" for note in found.values()):
            raise RuntimeError("a fault")
        return found

    monkeypatch.setattr(notes, "notes_of", failing)
    assert await alerts.send() == 2
    assert [(state, error) for state, _, _, error in await alerts.rows()] == [
        ("failed", "an error of the node; see its log"), ("sent", None),
    ]  # fmt: skip
