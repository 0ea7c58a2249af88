"""What people ask of the notifications of a chat, in the names that chats commonly have."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.api import DAY_MS, now_ms, rfc3339
from chatnode.node import Node
from chatnode.testing import User
from tests.filters.test_plans import steps
from tests.plugins.notifications.alerting import Alerts, subscribe
from tests.plugins.notifications.push_service import PushService
from tests.plugins.notifications.telling import MINUTE, decide, listed, tell

MINE = {"recipient_id": {"_eq": "$CURRENT_USER"}}
PENDING = {"filter": MINE | {"delivery_status": {"_eq": "PENDING"}}, "sort": "-created_at", "limit": 50}
UNREAD = {"filter": MINE | {"is_read": {"_eq": False}}, "group_by": "recipient_id"}


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"settle_seconds": 0}


async def query(user: User, **asked: Any) -> list[dict[str, Any]]:
    return (await user.call("items.query", collection="chat_notifications", **asked))["data"]


async def unread(user: User) -> int:
    return sum(each["count"] for each in await query(user, **UNREAD))


async def test_get_pending_notifications(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts
) -> None:
    await subscribe(ann, service.address("/ann"))
    await bob.says(await bob.direct(ann), "first")
    await tell(node, ahead_seconds=MINUTE)
    await bob.says(await bob.group(ann), "@ann second")
    await tell(node, ahead_seconds=MINUTE)
    assert [each["body"] for each in await query(ann, **PENDING)] == ["@ann second", "first"]
    assert await query(bob, **PENDING) == []
    await alerts.send()
    assert await query(ann, **PENDING) == []
    (first, _) = await query(ann, sort="created_at")
    assert (first["delivery_status"], first["is_sent"], first["error_message"]) == ("SENT", True, None)
    assert first["sent_at"] >= first["created_at"]


async def test_get_the_number_of_unread_notifications_and_mark_them_as_read(node: Node, ann: User, bob: User) -> None:
    talk, garden = await bob.direct(ann), await bob.group(ann)
    await bob.says(talk, "When can you deliver?")
    await bob.says(garden, "@ann the roses")
    await tell(node, ahead_seconds=MINUTE)
    assert await unread(ann) == 2
    (roses, _) = await listed(ann)
    assert await bob.call("notifications.read", ids=[roses["notification"]]) == {"read": 0, "unread": 0}
    assert await ann.call("notifications.read", ids=[roses["notification"]]) == {"read": 1, "unread": 1}
    assert await unread(ann) == 1
    await ann.does("receipts.read", conversation=talk, seq=1)  # reading the message reads its notification
    await decide(node)
    assert await unread(ann) == 0
    assert all(each["read_at"] >= each["created_at"] for each in await query(ann))


async def test_get_failed_notifications_and_send_them_again(
    node: Node, ann: User, bob: User, service: PushService, alerts: Alerts
) -> None:
    """Users see their own, operators those of all, without any address or text."""
    service.answers("/ann", 500)
    await subscribe(ann, service.address("/ann"), label="phone")
    await bob.says(await bob.direct(ann), "hello")
    await tell(node, ahead_seconds=MINUTE)
    for _ in range(25):
        await alerts.send()
        alerts.clock.forward(hours=1)
    lately = {"created_at": {"_gt": rfc3339(now_ms() - DAY_MS)}}
    failed = {"filter": {"delivery_status": {"_eq": "FAILED"}} | lately, "limit": 100}
    (found,) = await query(ann, **failed)
    assert (found["error_message"], found["is_sent"], found["device_tokens"]) == (
        "the server answered 500", False, ["phone"],
    )  # fmt: skip
    (queued,) = (await node.call("notifications.queue", state="failed"))["deliveries"]
    assert (queued["notification"], queued["status"]) == (found["notification_id"], 500)
    service.answers("/ann", 201)
    alerts.clock.ahead = 0
    assert await node.call("notifications.retry", notification=queued["notification"]) == {"deliveries": 1}
    await alerts.send()
    assert await query(ann, **failed) == []
    assert (await query(ann))[0]["delivery_status"] == "SENT"


@pytest.mark.parametrize("asked", [{"filter": UNREAD["filter"], "sort": "-created_at"}, PENDING, UNREAD], ids=str)
async def test_the_notifications_of_a_user_go_by_an_index(node: Node, ann: User, asked: dict[str, Any]) -> None:
    planned = await steps(node, ann, "chat_notifications", asked)
    assert any(step.startswith("SEARCH item USING INDEX notifications_items_") for step in planned), planned
    assert not any(step.startswith("SCAN item") for step in planned), planned
