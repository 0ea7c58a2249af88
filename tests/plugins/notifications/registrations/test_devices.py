"""Registering devices: by their users only, each address once, for as long as who registered it is signed in."""

from __future__ import annotations

import base64
import logging
import os
from pathlib import Path
from typing import Any

import chatnode_notifications
import pytest
from chatnode_notifications.contact import check_contact

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User, catch_up, configured, refused
from tests.plugins.notifications.alerting import Alerts, context_of, device_of, subscribe
from tests.plugins.notifications.push_service import PushService
from tests.plugins.notifications.receiver import Receiver, encoded
from tests.services.dialogue import token_of

NOWHERE = "https://push.example.org/a"


async def devices(user: User) -> list[str]:
    return [each["registration"] for each in (await user.call("notifications.devices"))["devices"]]


async def test_the_same_address_again_is_the_same_device(ann: User, bob: User) -> None:
    _, first = await subscribe(ann, NOWHERE, label="a browser")
    _, again = await subscribe(ann, NOWHERE, label="my browser")
    assert first == again
    found = await device_of(ann, first)
    assert (found["label"], found["state"], found["server"]) == ("my browser", "active", "https://push.example.org")
    _, second = await subscribe(ann, f"{NOWHERE}2")
    page = await ann.call("notifications.devices", limit=1)
    assert [each["registration"] for each in page["devices"]] == [first]
    rest = await ann.call("notifications.devices", limit=5, after=page["next"])
    assert [each["registration"] for each in rest["devices"]] == [second]
    assert await devices(bob) == []
    assert await bob.call("notifications.unregister", registration=first) == {"removed": False}
    assert await ann.call("notifications.unregister", registration=first) == {"removed": True}
    assert await ann.call("notifications.unregister", registration=first) == {"removed": False}
    with refused("not_found", "registration"):
        await bob.call("notifications.test", registration=second)


async def test_a_browser_that_two_users_share_is_the_last_ones(ann: User, bob: User, alerts: Alerts) -> None:
    eve = await User.new(ann.node, "eve")
    _, anns = await subscribe(ann, NOWHERE)
    talk = await eve.direct(ann)
    await alerts.of(await eve.says(talk, "for ann only"), ann)
    _, bobs = await subscribe(bob, NOWHERE)
    assert (anns != bobs, await devices(ann), await devices(bob)) == (True, [], [bobs])
    assert await alerts.send() == 0
    assert [row[0] for row in await alerts.rows()] == ["bounced"]


async def test_an_address_that_others_can_guess_is_not_taken_over(ann: User, bob: User) -> None:
    address = "https://ntfy.example.org/team"
    await ann.call("notifications.register", transport="ntfy", address=address)
    with refused("conflict", "address"):
        await bob.call("notifications.register", transport="ntfy", address=address)
    assert len(await devices(ann)) == 1


@pytest.mark.parametrize("settings", [{"registrations": 2}])
async def test_so_many_devices(ann: User) -> None:
    _, first = await subscribe(ann, f"{NOWHERE}1")
    await subscribe(ann, f"{NOWHERE}2")
    await subscribe(ann, f"{NOWHERE}1")
    with refused("too_large"):
        await subscribe(ann, f"{NOWHERE}3")
    await ann.call("notifications.unregister", registration=first)
    await subscribe(ann, f"{NOWHERE}3")


GOOD = Receiver().keys
#: On no curve: its second half is random.
OFF_CURVE = encoded(b"\4" + os.urandom(64))


@pytest.mark.parametrize("settings", [{"registrations": 2}])
async def test_addresses_that_are_gone_do_not_pile_up(ann: User, service: PushService) -> None:
    """Whoever runs the service could have any number of them."""
    for number in range(6):
        path = f"/{number}"
        service.answers(path, 410)
        address = service.address(path)
        found = await ann.call("notifications.register", transport="webhook", address=address)
        tried = await ann.call("notifications.test", registration=found["device"]["registration"])
        assert tried["outcome"] == "gone"
    states = [each["state"] for each in (await ann.call("notifications.devices"))["devices"]]
    assert states == ["gone"] * 3


async def test_what_is_wrong_is_named(ann: User) -> None:
    for path, fields in (
        ("keys.p256dh", {"keys": GOOD | {"p256dh": "not base64!"}}),
        ("keys.p256dh", {"keys": GOOD | {"p256dh": encoded(b"\4" * 64)}}),
        ("keys.p256dh", {"keys": GOOD | {"p256dh": encoded(b"\2" + b"x" * 32)}}),
        ("keys.p256dh", {"keys": GOOD | {"p256dh": OFF_CURVE}}),
        ("keys.p256dh", {"keys": None}),
        ("keys.auth", {"keys": GOOD | {"auth": encoded(b"x" * 15)}}),
        ("keys.auth", {"keys": GOOD | {"auth": ""}}),
        ("address", {"address": ""}),
        ("address", {"address": "ftp://push.example.org/a"}),
        ("address", {"address": "https://ann:secret@push.example.org/a"}),
        ("address", {"address": "https://push.example.org:99999/a"}),
        ("address", {"address": "https://push.example.org/ä"}),
        ("address", {"transport": "ntfy", "address": "https://ntfy.sh/a/b"}),
        ("address", {"transport": "ntfy", "address": "https://ntfy.sh/"}),
        ("keys.secret", {"transport": "webhook", "keys": {"secret": "whsec_short"}}),
        ("transport", {"transport": "desktop", "address": ""}),  # there is no session
        ("address", {"transport": "desktop"}),
        ("transport", {"transport": "pigeon"}),
    ):
        asked = {"transport": "webpush", "address": NOWHERE, "keys": GOOD} | fields
        with refused("invalid", path):
            await ann.call(
                "notifications.register", **{name: value for name, value in asked.items() if value is not None}
            )
    assert await devices(ann) == []


@pytest.mark.parametrize("settings", [{"transports": ["ntfy"]}])
async def test_only_what_the_operator_wants(ann: User) -> None:
    with refused("invalid", "transport"):
        await subscribe(ann, NOWHERE)


async def test_a_webhook_shows_its_secret_once(ann: User) -> None:
    asked = {"transport": "webhook", "address": "https://hooks.example.org/a"}
    first = await ann.call("notifications.register", **asked)
    again = await ann.call("notifications.register", **asked)
    assert len(base64.b64decode(first["secret"].removeprefix("whsec_"))) == 32
    assert (again["device"], "secret" in again) == (first["device"], False)
    own = f"whsec_{base64.b64encode(os.urandom(24)).decode()}"
    assert "secret" not in await ann.call("notifications.register", keys={"secret": own}, **asked)


# ---- how they end


async def test_signing_out_ends_what_the_device_registered(node: Node, ann: User, alerts: Alerts, bob: User) -> None:
    phone, laptop = await token_of(ann), await token_of(ann)
    _, of_phone = await subscribe(phone, f"{NOWHERE}1")
    _, of_laptop = await subscribe(laptop, f"{NOWHERE}2")
    assert (await device_of(phone, of_phone))["current"]
    assert not (await device_of(phone, of_laptop))["current"]
    await ann.call("sessions.revoke", session=await phone.session())
    # At once, before anything follows it.
    await alerts.of(await bob.says(await bob.direct(ann), "hello"), ann)
    assert len(await alerts.rows()) == 1
    await catch_up(node)
    assert await devices(ann) == [of_laptop]


async def test_an_expired_session_gets_nothing_and_is_forgotten(
    node: Node, ann: User, alerts: Alerts, bob: User
) -> None:
    phone = await token_of(ann)
    await subscribe(phone, NOWHERE)
    message = await bob.says(await bob.direct(ann), "hello")
    await alerts.of(message, ann)
    await node.core.db.write(lambda tx: tx.execute("UPDATE sessions SET expires_at = 1"))
    await alerts.send()
    await alerts.of(message, ann)
    assert [(state, error) for state, _, _, error in await alerts.rows()] == [("bounced", "the device is signed out")]
    await node.call("jobs.run", job="notifications.forget_devices")
    assert await devices(ann) == []


async def test_a_deactivated_account_gets_nothing(node: Node, ann: User, bob: User, alerts: Alerts) -> None:
    await subscribe(ann, NOWHERE)
    message = await bob.says(await bob.direct(ann), "hello")
    await alerts.of(message, ann)
    await node.call("people.deactivate", person="ann")
    await alerts.of(message, ann)
    await alerts.send()
    assert await alerts.states() == ["bounced"]
    await node.call("jobs.run", job="notifications.forget_devices")
    sql = "SELECT count(*) FROM notifications_registrations"
    assert await node.core.db.read(lambda reader: reader.execute(sql).fetchone()) == (0,)


async def test_an_erased_user_leaves_no_device(node: Node, ann: User, bob: User, alerts: Alerts) -> None:
    await subscribe(ann, NOWHERE)
    await alerts.of(await bob.says(await bob.direct(ann), "hello"), ann)
    await node.call("people.erase", person="ann", handle="ann")
    await alerts.send()
    sql = "SELECT count(*) FROM notifications_registrations"
    assert await node.core.db.read(lambda reader: reader.execute(sql).fetchone()) == (0,)
    assert await alerts.states() == []  # the user's notifications are erased too


async def test_a_row_that_is_used_again_has_nothing_of_its_last_user(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts
) -> None:
    """SQLite gives the key of a deleted row to the next one."""
    sql = "SELECT key FROM notifications_registrations"
    eve = await User.new(node, "eve")
    _, device = await subscribe(ann, service.address("/ann"))
    before = await node.core.db.read(lambda reader: reader.execute(sql).fetchall())
    talk = await eve.direct(ann)
    await alerts.of(await eve.says(talk, "one"), ann)
    await alerts.send()
    await alerts.of(await eve.says(talk, "two"), ann)
    await ann.call("receipts.read", conversation=talk, seq=1)
    await ann.call("notifications.unregister", registration=device)
    receiver, _ = await subscribe(bob, service.address("/bob"))
    assert await node.core.db.read(lambda reader: reader.execute(sql).fetchall()) == before
    await alerts.of(await eve.says(await eve.direct(bob), "three"), bob)
    await alerts.send()
    assert await alerts.states() == ["sent", "bounced", "sent"]
    (push,) = service.at("/bob")
    told = receiver.read(push.body)
    assert (told["body"], "read" in told) == ("three", False)


# ---- the node's key


async def test_the_key_stays_and_devices_of_another_one_are_gone(tmp_path: Path, config: Config) -> None:
    data = tmp_path / "data"
    async with open_node(data, config, only=[chatnode_notifications]) as node:
        ann = await User.new(node, "ann")
        key = (await ann.call("notifications.vapid"))["key"]
        _, device = await subscribe(ann, NOWHERE)
    async with open_node(data, config, only=[chatnode_notifications]) as node:
        ann = await User.of(node, "ann")
        assert (await ann.call("notifications.vapid"))["key"] == key
        assert (await device_of(ann, device))["state"] == "active"
        await node.core.db.write(lambda tx: tx.execute("DELETE FROM notifications_keys"))
    async with open_node(data, config, only=[chatnode_notifications]) as node:
        ann = await User.of(node, "ann")
        assert (await ann.call("notifications.vapid"))["key"] != key
        assert (await device_of(ann, device))["state"] == "gone"
        with refused("gone", "registration"):
            await ann.call("notifications.test", registration=device)
        await subscribe(ann, NOWHERE)
        assert (await device_of(ann, device))["state"] == "active"


@pytest.mark.parametrize("settings", [{"contact": ""}])
async def test_without_a_contact_there_is_no_web_push(ann: User) -> None:
    assert await ann.call("notifications.vapid") == {}
    with refused("invalid", "transport"):
        await subscribe(ann, NOWHERE)


@pytest.mark.parametrize(
    "text", ["", "mailto:chat@chatnode.org", "https://chatnode.org/contact", "MAILTO:a@b.example.org"]
)
def test_contacts(text: str) -> None:
    assert check_contact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "chat@chatnode.org", "http://chatnode.org", "mailto:chat@localhost", "mailto:chat@node.local",
        "mailto:chat@node.invalid", "https://localhost/", "https://node.local.", "mailto:", "mailto:@chatnode.org",
        "mailto:chat@ chatnode.org", "https://",
    ],
)  # fmt: skip
async def test_contacts_that_push_services_refuse(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"push services refuse|expected an address"):
        check_contact(text)


async def test_a_wrong_contact_is_said_at_the_start(tmp_path: Path) -> None:
    config = configured(plugins={"notifications": {"contact": "mailto:chat@localhost"}})
    async with open_node(tmp_path / "data", config, only=[chatnode_notifications]) as node:
        (found,) = [each for each in node.plugins.statuses() if each.name == "notifications"]
        assert found.state == "broken"
        assert "contact" in found.reason
        assert "push services refuse the host localhost" in found.reason


# ---- secrets


async def test_secrets_of_devices_are_in_no_reply_export_or_log(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    root = await User.new(node, "root", admin=True)
    receiver, device = await subscribe(ann, service.address("/endpoint-canary"))
    hook = await ann.call("notifications.register", transport="webhook", address=service.address("/hook-canary"))
    await ann.call("notifications.register", transport="ntfy", address=service.address("/topic-canary"))
    service.answers("/endpoint-canary", 500)
    service.answers("/hook-canary", 410)
    service.answers("/", 403)
    await alerts.of(await bob.says(await bob.direct(ann), "text-canary"), ann)
    assert await alerts.send() == 3
    told: list[Any] = [
        await ann.call("notifications.devices"),
        await ann.call("notifications.test", registration=device),
        await ann.call("people.export"),
        await root.call("notifications.queue"),
        await root.call("notifications.queue", state="bounced"),
        await alerts.rows(),
        caplog.text,
    ]
    secrets = [*receiver.keys.values(), hook["secret"], "endpoint-canary", "hook-canary", "topic-canary"]
    for text in map(str, told):
        assert [secret for secret in secrets if secret in text] == []
    assert "text-canary" not in str([*told[:2], *told[3:]])
    assert context_of(node)  # the node still runs
