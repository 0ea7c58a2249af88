"""Posts that must be signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

from chatnode_webhooks.incoming.proof import is_signed
from standardwebhooks import Webhook

from chatnode.api import new_webhook_secret
from chatnode.testing import LiveUser
from tests.plugins.webhooks.incoming.program import Program, said

BODY = json.dumps({"text": "signed"}).encode()


def standard(secret: str, id: str = "msg_1", *, seconds_ago: int = 0, body: bytes = BODY) -> dict[str, str]:
    """Headers as the library of Standard Webhooks makes them."""
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    signature = Webhook(secret).sign(id, at, body.decode())
    return {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def github(secret: str, body: bytes = BODY) -> dict[str, str]:
    """Headers as GitHub makes them."""
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


async def test_only_signed_posts_are_taken(url: str, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    ci, other = [await Program.of(url, ann, group, name, signed=True) for name in ("a", "b")]
    assert ci.secret is not None
    assert other.secret is not None
    right = standard(ci.secret)
    for headers in (
        {},
        standard(other.secret),
        standard(ci.secret, seconds_ago=301),
        standard(ci.secret, seconds_ago=-310),
        standard(ci.secret, body=b"{}"),
        {**right, "webhook-id": "msg_2"},
        {**right, "webhook-timestamp": "9" * 30},
        {**right, "webhook-signature": right["webhook-signature"][3:]},
        github(other.secret),
        github(ci.secret, b"{}"),
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
    ):
        assert said(await ci.sends(BODY, headers)) == (403, "invalid_token"), headers
    assert await bob.reads(group) == []
    several = {**right, "webhook-signature": f"v1,AAAA {right['webhook-signature']} v2,x"}
    for headers in (right, several, github(ci.secret), standard(ci.secret, "msg_3", seconds_ago=200)):
        assert (await ci.sends(BODY, headers)).status == 200, headers
    assert await bob.reads(group) == ["signed"] * 3  # the second was a repeat of the first


def test_headers_of_any_kind_are_read() -> None:
    """The node's own HTTP refuses what is not ASCII before; this does not rely on it."""
    secret = new_webhook_secret()
    right, now = standard(secret), int(datetime.now(UTC).timestamp() * 1000)
    assert is_signed([secret], right, BODY, now)
    for wrong in (
        {"webhook-timestamp": "²"}, {"webhook-signature": "v1,ÿ"}, {"webhook-id": "a.b"}, {"webhook-id": "ü"},
        {"webhook-id": ""}, {"webhook-timestamp": ""}, {"webhook-signature": ""},
    ):  # fmt: skip
        assert not is_signed([secret], right | wrong, BODY, now), wrong
    assert not is_signed([secret], {"x-hub-signature-256": "sha256=ü"}, BODY, now)
    assert not is_signed([], right, BODY, now)


async def test_a_replay_with_another_key_posts_nothing(url: str, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    ci = await Program.of(url, ann, group, signed=True)
    assert ci.secret is not None
    headers = standard(ci.secret)
    for key in ("1", "2"):
        assert (await ci.sends(BODY, {**headers, "Idempotency-Key": key})).status == 200
    assert await bob.reads(group) == ["signed"]


async def test_both_secrets_work_while_they_are_rotated(url: str, ann: LiveUser, bob: LiveUser) -> None:
    old = await Program.of(url, ann, await ann.group(bob), signed=True)
    new = Program(url, await ann.call("webhooks.incoming.rotate", webhook=old.webhook, grace_hours=24))
    assert old.secret is not None
    assert new.secret not in (None, old.secret)
    assert (await new.sends(BODY, standard(old.secret, "1"))).status == 200
    assert (await old.sends(BODY, standard(str(new.secret), "2"))).status == 200
    await ann.call("webhooks.incoming.rotate", webhook=old.webhook)
    assert (await new.sends(BODY, standard(old.secret, "3"))).status == 404
