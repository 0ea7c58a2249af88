"""Each transport against a server that answers by script."""

from __future__ import annotations

from typing import Any, cast

import attrs
import pytest
from chatnode_notifications.transports import TRANSPORTS
from chatnode_notifications.transports.transport import Transport
from chatnode_notifications.transports.webpush import WEBPUSH
from py_vapid import Vapid02, jwt
from standardwebhooks import Webhook, WebhookVerificationError

from chatnode.node import Node
from chatnode.testing import LiveUser, User, refused
from tests.plugins.notifications.alerting import Alerts, device_of, subscribe
from tests.plugins.notifications.push_service import PushService
from tests.plugins.notifications.receiver import Receiver
from tests.services.dialogue import token_of


async def test_a_push_is_for_its_device_only_and_says_who_sends(
    ann: User, bob: User, service: PushService, alerts: Alerts
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    talk, room = await bob.direct(ann), await bob.group(ann)
    item = await alerts.of(await bob.says(talk, "the text-canary"), ann)
    await alerts.of(await bob.says(room, "less urgent"), ann, personal=False)
    await alerts.of(await bob.says(talk, "again"), ann)
    assert await alerts.send() == 3
    first, second = service.at("/ann")  # the first of the two about one conversation is left out
    told = {push.headers["urgency"]: receiver.read(push.body) for push in (first, second)}
    pushes = {push.headers["urgency"]: push for push in (first, second)}
    assert (told["high"]["body"], told["normal"]["body"]) == ("again", "less urgent")
    assert (told["high"]["conversation"], told["high"]["badge"], told["high"]["sender"]["handle"]) == (talk, 2, "bob")
    assert told["high"]["id"] != item
    push = pushes["high"]
    assert len(receiver.plain(push.body)) % 512 == 0
    assert b"again" not in push.body
    assert (push.headers["content-encoding"], push.headers["content-type"]) == ("aes128gcm", "application/octet-stream")
    assert 86_000 < int(push.headers["ttl"]) <= 86_400
    assert int(pushes["normal"].headers["ttl"]) == 4 * 3_600
    topics = {push.headers["topic"] for push in (first, second)}
    assert len(topics) == 2
    assert all(len(topic) == 32 and talk not in topic for topic in topics)
    # RFC 8292: a token for this service, signed by the key that browsers know.
    key = (await ann.call("notifications.vapid"))["key"]
    said = push.headers["authorization"]
    assert Vapid02.verify(said.replace(", ", ","))
    token = said.removeprefix("vapid t=").partition(",")[0]
    claims = jwt.decode(token, key)
    assert (claims["aud"], claims["sub"]) == (service.address(""), "mailto:chat@chatnode.org")
    assert 0 < claims["exp"] - alerts.clock() / 1000 <= 86_400
    with pytest.raises(Exception, match="Decryption"):
        Receiver().plain(push.body)


async def test_too_large_is_sent_again_with_less(ann: User, bob: User, service: PushService, alerts: Alerts) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    service.answers("/ann", 413, 413, 201)
    await alerts.of(await bob.says(await bob.direct(ann), "the text"), ann)
    await alerts.send()
    fields = [sorted(receiver.read(push.body)) for push in service.at("/ann")]
    assert ["body" in each for each in fields] == [True, False, False]
    assert fields[2] == ["badge", "id", "v"]
    assert await alerts.rows() == [("sent", 1, 201, None)]


@attrs.frozen
class Case:
    transport: str
    answer: Any
    state: str
    device: str


CASES = [
    *(Case("webpush", status, "sent", "active") for status in (200, 201, 202)),
    *(Case("webpush", status, "bounced", "gone") for status in (404, 410)),
    *(Case("webpush", status, "pending", "failing") for status in (401, 403, 429, 500, 501)),
    *(Case("webpush", status, "bounced", "failing") for status in (400, 413, 302)),
    Case("unifiedpush", 507, "pending", "failing"),
    Case("unifiedpush", 404, "bounced", "gone"),
    Case("unifiedpush", 201, "sent", "active"),
    Case("ntfy", 200, "sent", "active"),
    *(Case("ntfy", status, "pending", "failing") for status in (401, 403, 429, 500)),
    *(Case("ntfy", status, "bounced", "failing") for status in (400, 404)),
    *(Case("webhook", status, "sent", "active") for status in (200, 204)),
    Case("webhook", 410, "bounced", "gone"),
    *(Case("webhook", status, "pending", "failing") for status in (404, 302, 400, 500)),
]


async def test_what_each_answer_means(node: Node, bob: User, service: PushService, alerts: Alerts) -> None:
    """One user for each answer; ntfy's requests all go to one path, so these are sent one after the other."""
    found: dict[Case, tuple[str, str]] = {}
    for number, case in enumerate(CASES):
        user = await User.new(node, f"user{number}")
        path = f"/{number}"
        service.answers("/" if case.transport == "ntfy" else path, case.answer)
        keys = {"keys": Receiver().keys} if case.transport in ("webpush", "unifiedpush") else {}
        done = await user.call(
            "notifications.register", transport=case.transport, address=service.address(path), **keys
        )
        await alerts.of(await bob.says(await bob.direct(user), "hello"), user)
        await alerts.send()
        device = await device_of(user, done["device"]["registration"])
        found[case] = ((await alerts.states())[-1], device["state"])
        await user.call("notifications.unregister", registration=device["registration"])
    assert found == {case: (case.state, case.device) for case in CASES}


async def test_nothing_leaves_but_what_the_user_wants(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts
) -> None:
    receiver, _ = await subscribe(ann, service.address("/full"), content="full")
    await ann.call(
        "notifications.register", transport="unifiedpush", address=service.address("/sender"), keys=receiver.keys,
        content="sender",
    )  # fmt: skip
    hook = await ann.call(
        "notifications.register", transport="webhook", address=service.address("/nothing"), content="nothing"
    )
    await ann.call("notifications.register", transport="ntfy", address=service.address("/usual"))
    await alerts.of(await bob.says(await bob.direct(ann), "the text-canary"), ann)
    await alerts.send()
    (full,), (sender,), (nothing,), (usual,) = (service.at(path) for path in ("/full", "/sender", "/nothing", "/"))
    assert receiver.read(full.body)["body"] == "the text-canary"
    assert "canary" not in receiver.plain(sender.body).decode()
    assert receiver.read(sender.body)["title"] == "bob"
    Webhook(hook["secret"]).verify(nothing.body, nothing.headers)
    assert sorted(nothing.json["data"]) == ["badge", "id", "v"]
    assert (usual.json["topic"], usual.json["title"], "canary" in str(usual)) == ("usual", "bob", False)


async def test_a_user_may_want_less_everywhere(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts
) -> None:
    receiver, _ = await subscribe(ann, service.address("/full"), content="full")
    sql = "INSERT INTO notifications_people (person, content) VALUES (?, 'nothing')"
    await node.core.db.write(lambda tx: tx.execute(sql, (ann.key,)))
    await alerts.of(await bob.says(await bob.direct(ann), "the text-canary"), ann)
    await alerts.send()
    (push,) = service.at("/full")
    assert sorted(receiver.read(push.body)) == ["badge", "id", "v"]


class TestBounded:
    """By the operator."""

    @pytest.fixture
    def settings(self, service: PushService) -> dict[str, Any]:
        return {"max_content": "sender", "ntfy_server": service.address(""), "ntfy_token": "tk_canary"}

    async def test_the_operator_may_allow_less(
        self, ann: User, bob: User, service: PushService, alerts: Alerts
    ) -> None:
        receiver, device = await subscribe(ann, service.address("/full"), content="full")
        await alerts.of(await bob.says(await bob.direct(ann), "the text-canary"), ann)
        await alerts.send()
        (push,) = service.at("/full")
        assert "body" not in receiver.read(push.body)
        assert (await ann.call("notifications.test", registration=device))["outcome"] == "sent"

    async def test_the_token_is_for_the_operators_server(
        self, ann: User, bob: User, service: PushService, alerts: Alerts
    ) -> None:
        await ann.call("notifications.register", transport="ntfy", address=service.address("/topic"))
        await alerts.of(await bob.says(await bob.direct(ann), "hello"), ann)
        await alerts.send()
        (push,) = service.at("/")
        assert push.headers["authorization"] == "Bearer tk_canary"


@pytest.mark.parametrize("settings", [{"ntfy_server": "https://ntfy.example.org", "ntfy_token": "tk_canary"}])
async def test_the_token_is_for_no_other_server(ann: User, bob: User, service: PushService, alerts: Alerts) -> None:
    await ann.call("notifications.register", transport="ntfy", address=service.address("/topic"))
    await alerts.of(await bob.says(await bob.direct(ann), "hello"), ann)
    await alerts.send()
    (push,) = service.at("/")
    assert "canary" not in str(push)


async def test_a_webhook_is_signed_and_keeps_its_id(ann: User, bob: User, service: PushService, alerts: Alerts) -> None:
    hook = await ann.call("notifications.register", transport="webhook", address=service.address("/hook"))
    service.answers("/hook", 500, 200)
    await alerts.of(await bob.says(await bob.direct(ann), "hello"), ann)
    await alerts.send()
    alerts.clock.forward(seconds=15)
    await alerts.send()
    first, second = service.at("/hook")
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    verifier = Webhook(hook["secret"])
    for post in (first, second):
        verifier.verify(post.body, post.headers)
        assert post.json["data"]["body"] == "hello"
        with pytest.raises(WebhookVerificationError):
            verifier.verify(post.body + b" ", post.headers)


async def test_the_desktop_that_asked_shows_it(node: Node, ann: LiveUser, bob: User, alerts: Alerts) -> None:
    laptop, tablet = await token_of(ann), await token_of(ann)
    device = (await laptop.call("notifications.register", transport="desktop"))["device"]["registration"]
    await laptop.call("notifications.register", transport="desktop")
    on_laptop, on_tablet = await laptop.live(), await tablet.live()
    talk = await bob.direct(ann)
    item = await alerts.of(await bob.says(talk, "hello"), ann)
    await alerts.send()
    (told,) = on_laptop.heard("notification")
    assert (told["notification"], "id" in told) == (item, False)  # a frame with an id is a reply
    assert (told["title"], told["body"], told["conversation"], told["badge"]) == ("bob", "hello", talk, 1)
    assert "gid" not in told
    assert on_tablet.heard("notification") == ann.heard("notification") == []
    assert await laptop.call("notifications.test", registration=device) == {"outcome": "sent"}
    node.sessions.detach(on_laptop)
    await alerts.of(await bob.says(talk, "are you there?"), ann)
    await alerts.send()
    assert await alerts.states() == ["sent", "suppressed"]


async def test_a_test_tells_what_the_service_answers(ann: User, service: PushService) -> None:
    receiver, device = await subscribe(ann, service.address("/ann"))
    service.answers("/ann", 500, 201, 410)
    assert (await ann.call("notifications.test", registration=device))["status"] == 500
    assert (await device_of(ann, device))["state"] == "failing"
    assert await ann.call("notifications.test", registration=device) == {"outcome": "sent", "status": 201}
    assert (await device_of(ann, device))["state"] == "active"
    assert receiver.read(service.at("/ann")[1].body)["kind"] == "system"
    assert (await ann.call("notifications.test", registration=device))["outcome"] == "gone"
    assert "410" in (await device_of(ann, device))["last_error"]


async def test_a_service_that_does_not_answer_is_tried_again(
    ann: User, bob: User, service: PushService, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = attrs.evolve(WEBPUSH, purpose=attrs.evolve(WEBPUSH.purpose, seconds=0.2))
    monkeypatch.setitem(cast("dict[str, Transport]", TRANSPORTS), "webpush", hurried)
    _, device = await subscribe(ann, service.address("/ann"))
    service.answers("/ann", None, 201)
    await alerts.of(await bob.says(await bob.direct(ann), "hello"), ann)
    await alerts.send()
    assert [row[:3] for row in await alerts.rows()] == [("pending", 1, None)]
    assert (await device_of(ann, device))["state"] == "failing"
    alerts.clock.forward(seconds=15)
    await alerts.send()
    assert await alerts.states() == ["sent"]


@pytest.mark.parametrize("transport", ["webpush", "unifiedpush", "ntfy", "webhook"])
async def test_an_address_that_the_node_may_not_reach_is_refused_at_once(ann: User, transport: str) -> None:
    for address in ("https://10.0.0.1/topic", "https://printer.local/topic"):
        with refused("invalid", "address"):
            await subscribe(ann, address, transport=transport)


async def test_an_address_that_the_node_may_not_reach_any_more(ann: User, bob: User, alerts: Alerts) -> None:
    _, device = await subscribe(ann, "https://push.example.org/path-canary")
    sql = "UPDATE notifications_registrations SET address = 'https://10.0.0.1/path-canary'"
    await alerts.node.core.db.write(lambda tx: tx.execute(sql))
    await alerts.of(await bob.says(await bob.direct(ann), "hello"), ann)
    await alerts.send()
    ((state, _, status, error),) = await alerts.rows()
    assert (state, status) == ("bounced", None)
    assert "10.0.0.1" in error
    found = await device_of(ann, device)
    assert (found["state"], "canary" in str([found, error])) == ("failing", False)
