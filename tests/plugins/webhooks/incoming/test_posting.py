"""Programs post: what users see, and what programs are answered."""

from __future__ import annotations

import json
import random
import threading

import pytest
import trio
from chatnode_webhooks.incoming import texts

from chatnode.node import Node
from chatnode.testing import LiveUser, configured
from tests.plugins.webhooks.incoming.program import Program, said


async def test_a_program_posts(node: Node, url: str, ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    group = await ann.group(bob)
    ci = await Program.of(url, ann, group)
    answer = await ci.posts("Build <https://ci.example/7|#7> is green", username="Jenkins", channel="#elsewhere")
    assert (answer.status, answer.text) == (200, "ok")
    message = (await bob.hears("message.posted"))["message"]
    assert (message["text"], message["sender"]) == (
        "Build [#7](https://ci.example/7) is green",
        ci.added["webhook"]["bot"],
    )
    assert message["metadata"] == {"webhooks.hook": ci.webhook, "webhooks.via": "Jenkins"}
    assert answer.headers["chatnode-message"] == message["message"]
    await ci.posts("and the next", thread_ts=message["message"])
    reply = (await bob.hears("message.posted"))["message"]
    assert reply["thread"] == message["message"]
    assert said(await ci.posts("x", thread_ts="0" * 32)) == (400, "invalid_payload")
    await ci.posts_form("in a form")
    await ci.sends(b'{"text": "as JSON, said to be a form"}', {"Content-Type": "application/x-www-form-urlencoded"})
    assert (await bob.reads(group))[-2:] == ["in a form", "as JSON, said to be a form"]
    assert eve.heard("message.posted") == []
    (hook,) = (await ann.call("webhooks.incoming.list", conversation=group))["webhooks"]
    assert (hook["posts"], "used_at" in hook) == (5, True)


async def test_mentions(url: str, ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    group = await ann.group(bob)
    quiet = await Program.of(url, ann, group, "quiet")
    loud = await Program.of(url, ann, group, "loud", mentions_everyone=True)
    for program, fields, named in (
        (quiet, {}, [bob.id]),
        (quiet, {"link_names": False}, None),
        (quiet, {"text_format": "plain"}, None),
        (loud, {}, ["everyone", bob.id]),
    ):
        text = f"<!here> @all: <@{bob.id}>, <@{eve.id}>"
        assert (await program.posts(text, **fields)).status == 200
        message = (await bob.hears("message.posted"))["message"]
        assert message.get("mentions") == named
        assert "@eve" not in message["text"].replace("@everyone", "")  # no member: her handle is not theirs to know


async def test_posts_are_converted_while_others_go_on(
    url: str, ann: LiveUser, bob: LiveUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As 64 KB of mentions and backticks take long. One post at a time is converted."""
    group = await ann.group(bob)
    ci = await Program.of(url, ann, group)
    goes_on = threading.Event()
    entered: list[str] = []

    def slow(text: str, *, everyone: bool, names: bool) -> str:
        entered.append(text)
        assert goes_on.wait(30)
        return text

    monkeypatch.setattr(texts, "without_mentions", slow)
    async with trio.open_nursery() as nursery:
        for text in ("one", "two"):
            nursery.start_soon(ci.posts, text)
        with trio.fail_after(30):
            while not entered:  # noqa: ASYNC110
                await trio.sleep(0.01)
        for _ in range(3):
            await bob.says(group, "meanwhile")
        assert len(entered) == 1
        goes_on.set()
    assert sorted(await bob.reads(group)) == ["meanwhile"] * 3 + ["one", "two"]


async def test_answers(node: Node, url: str, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    ci = await Program.of(url, ann, group)
    assert said(await ci.posts("")) == (400, "no_text")
    assert (
        await ci.posts("a", attachments=[{"fields": 7}])
    ).text == "invalid_payload: attachments[0].fields: must be a list"
    assert said(await ci.posts("a" * 16_001)) == (400, "invalid_payload")
    assert (await ci.posts("a" * 70_000)).status == 413
    for token in ("x", "A" * 43, "%00", "ü"):
        ci_of_nobody = Program(url, {**ci.added, "url": f"https://node.example/plugins/webhooks/in/{token}"})
        ci_of_nobody.address = ci_of_nobody.address.replace("ü", "%C3%BC")
        assert said(await ci_of_nobody.posts("a")) == (404, "no_service")
    await ann.call("conversations.close", conversation=group, reason="completed")
    assert said(await ci.posts("a")) == (410, "channel_is_archived")
    await ann.call("conversations.reopen", conversation=group)
    assert (await ci.posts("a")).status == 200
    bot = ci.added["webhook"]["bot"]["handle"]
    await node.call("people.deactivate", person=bot)
    assert said(await ci.posts("b")) == (403, "action_prohibited")
    await node.call("people.reactivate", person=bot)
    await ann.call("conversations.members.remove", conversation=group, member=bot)
    assert said(await ci.posts("c")) == (403, "action_prohibited")
    await ann.call("conversations.members.add", conversation=group, member=bot)
    assert (await ci.posts("d")).status == 200
    await ann.call("webhooks.incoming.remove", webhook=ci.webhook)
    assert said(await ci.posts("e")) == (404, "no_service")
    assert bot not in await ann.members(group)
    assert await bob.reads(group) == ["a", "d"]


async def test_a_repeat_posts_once(url: str, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    ci, other = await Program.of(url, ann, group), await Program.of(url, ann, group, "other")
    for name in ("Idempotency-Key", "Webhook-Id", "X-GitHub-Delivery"):
        first, again = [await ci.posts(name, {name: "7 of 9"}) for _ in range(2)]
        assert (first.status, again.status) == (200, 200)
        assert first.headers["chatnode-message"] == again.headers["chatnode-message"]
    await ci.posts("Idempotency-Key", {"Idempotency-Key": "8"})
    await other.posts("Idempotency-Key", {"Idempotency-Key": "7 of 9"})
    assert said(await ci.posts("something else", {"Idempotency-Key": "7 of 9"})) == (409, "invalid_payload")
    assert said(await ci.posts("x", {"Idempotency-Key": "7" * 256})) == (400, "invalid_payload")
    expected = ["Idempotency-Key", "Webhook-Id", "X-GitHub-Delivery", "Idempotency-Key", "Idempotency-Key"]
    assert await bob.reads(group) == expected
    rotated = await ann.call("webhooks.incoming.rotate", webhook=ci.webhook)
    await Program(url, rotated).posts("Webhook-Id", {"Webhook-Id": "7 of 9"})
    assert await bob.reads(group) == expected


async def test_rotation(url: str, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    first = await Program.of(url, ann, group)
    second = Program(url, await ann.call("webhooks.incoming.rotate", webhook=first.webhook, grace_hours=1))
    assert "rotated_until" in second.added["webhook"]
    assert [(await each.posts("a")).status for each in (first, second)] == [200, 200]
    third = Program(url, await ann.call("webhooks.incoming.rotate", webhook=first.webhook))
    assert [(await each.posts("b")).status for each in (first, second, third)] == [404, 404, 200]
    assert "rotated_until" not in third.added["webhook"]


@pytest.mark.parametrize("config", [configured(plugins={"webhooks": {"incoming_per_minute": 1}})], ids=["1 a minute"])
async def test_a_webhook_has_its_rate(url: str, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    ci = await Program.of(url, ann, group)
    answers = [await ci.posts(str(number)) for number in range(4)]  # a minute may begin meanwhile, once
    late = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} == {200, 429}
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in late)
    assert len(await bob.reads(group)) == 4 - len(late)


def bodies(chance: random.Random) -> list[bytes]:
    """Bodies of any kind, most of them nearly right."""
    right = json.dumps(
        {"text": "<!here> <https://a.example|b> @all ü", "username": "n", "attachments": [{"title": "t", "fields": []}]}
    ).encode()
    found = [b"", b"\0", b"\xff\xfe", b"null", b"{}", b"[" * 65_000, b"payload=", right[:-1], b'{"text":"\\ud83d"}']
    found += [b'{"text":"x","thread_ts":"' + b"0" * 32 + b'"}', b'{"text":"' + "𝕏".encode() * 16_001 + b'"}']
    for _ in range(80):
        body = bytearray(right)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(body))
            noise = chance.choice([b'"', b"{", b"[", b"\\", b"\0", b"\xff", b"<", b"1"])
            body[place : place + chance.randint(0, 2)] = noise
        found.append(bytes(body))
    return found


@pytest.mark.parametrize("config", [configured(plugins={"webhooks": {"incoming_per_minute": 0}})], ids=["no rate"])
async def test_no_body_is_an_error_of_the_node(url: str, ann: LiveUser, bob: LiveUser) -> None:
    ci = await Program.of(url, ann, await ann.group(bob))
    statuses = {(await ci.sends(body)).status for body in bodies(random.Random(13))}
    assert statuses == {200, 400}
