"""Answers to slash commands and buttons that come later, to their `response_url`."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatnode.node import Node
from chatnode.testing import Answer, LiveUser, User, fetch
from tests.bots import with_buttons
from tests.plugins.webhooks.incoming.program import said
from tests.plugins.webhooks.outgoing.dialogue import INVOCATIONS, endpoint, id_of
from tests.plugins.webhooks.outgoing.receiver import Receiver


class Program:
    """What is behind an endpoint: it hears an invocation, and answers later."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        self.url = url
        self.receiver = receiver

    async def hears(self, count: int = 1) -> str:
        """The address for answers to the invocation that came as this one."""
        got = await self.receiver.until_got(count)
        address: str = got[count - 1].json["data"]["response_url"]
        return self.url + urlsplit(address).path

    async def answers(self, address: str, text: str, *, id: str | None = None, **fields: Any) -> Answer:
        headers = {"Content-Type": "application/json"} | ({} if id is None else {"Idempotency-Key": id})
        return await fetch(address, method="POST", body=json.dumps({"text": text, **fields}).encode(), headers=headers)


@pytest.fixture
def running(url: str) -> None:
    """A node that serves runs the task that sends by itself."""


@pytest.fixture
def program(url: str, receiver: Receiver) -> Program:
    return Program(url, receiver)


async def asked(who: User, room: str, cid: str = "run") -> None:
    await who.call("slash.run", conversation=room, text=f"/deploy {cid}", cid=cid)


async def test_a_slash_command_is_answered_later(
    receiver: Receiver, program: Program, maker: LiveUser, ci: User, room: str
) -> None:
    await endpoint(maker, receiver, INVOCATIONS, bot="ci")
    await asked(maker, room)
    address = await program.hears()
    assert (await program.answers(address, "<https://ci.example.org|building>")).text == "ok"
    assert (await maker.hears("notice.private"))["notice"]["text"] == "[building](https://ci.example.org)"
    done = await program.answers(address, "done", response_type="in_channel")
    posted = (await maker.hears("message.posted"))["message"]
    assert (posted["text"], posted["sender"]["handle"]) == ("done", "ci")
    assert done.headers["chatnode-message"] == posted["message"]


async def test_a_button_is_answered_later(
    receiver: Receiver, program: Program, maker: LiveUser, ci: User, room: str
) -> None:
    await endpoint(maker, receiver, INVOCATIONS, bot="ci", format="seed")
    message = await with_buttons(ci, room)
    await maker.call("actions.invoke", message=message, action="approve", cid="press")
    address = await program.hears()
    assert (await program.answers(address, "approved")).status == 200
    assert (await maker.hears("notice.private"))["notice"]["text"] == "approved"


async def test_a_repeated_answer_is_given_once(
    receiver: Receiver, program: Program, maker: LiveUser, ci: User, room: str
) -> None:
    await endpoint(maker, receiver, INVOCATIONS, bot="ci")
    await asked(maker, room)
    address = await program.hears()
    first, again = [await program.answers(address, "done", id="7", response_type="in_channel") for _ in range(2)]
    assert first.headers["chatnode-message"] == again.headers["chatnode-message"]
    assert (await maker.reads(room)).count("done") == 1


async def test_it_is_answered_up_to_five_times(
    receiver: Receiver, program: Program, maker: LiveUser, ci: User, room: str
) -> None:
    await endpoint(maker, receiver, INVOCATIONS, bot="ci")
    await asked(maker, room)
    address = await program.hears()
    given = [said(await program.answers(address, str(number))) for number in range(6)]
    assert given == [(200, "ok")] * 5 + [(410, "expired_url")]


async def test_it_is_answered_in_time(
    node: Node, receiver: Receiver, program: Program, maker: LiveUser, ci: User, room: str
) -> None:
    await endpoint(maker, receiver, INVOCATIONS, bot="ci")
    await asked(maker, room)
    address = await program.hears()
    await node.core.db.write(lambda tx: tx.execute("UPDATE bots_invocations SET answers_until = 1"))
    assert said(await program.answers(address, "too late")) == (410, "expired_url")


async def test_the_address_answers_nothing_else(
    receiver: Receiver, program: Program, maker: LiveUser, ci: User, room: str
) -> None:
    id = id_of(await endpoint(maker, receiver, INVOCATIONS, bot="ci"))
    for number in (1, 2):
        await asked(maker, room, str(number))
    first, second = await program.hears(1), await program.hears(2)
    *_, signature = first.split("/")
    forged = "/".join((*second.split("/")[:-1], signature))
    for wrong in (forged, first[:-1], f"{first}x", f"{first}%00"):
        assert said(await program.answers(wrong, "hello")) == (404, "no_service")
    await maker.call("webhooks.endpoints.remove", endpoint=id)
    assert said(await program.answers(first, "hello")) == (404, "no_service")


async def test_a_wrong_answer_says_what_is_wrong_and_does_not_count(
    node: Node, receiver: Receiver, program: Program, maker: LiveUser, ci: User, room: str
) -> None:
    await endpoint(maker, receiver, INVOCATIONS, bot="ci")
    await asked(maker, room)
    address = await program.hears()
    wrong: list[dict[str, Any]] = [
        {"response_type": "loud"}, {"response_type": None}, {"replace_original": True}, {"attachments": 1},
    ]  # fmt: skip
    for fields in wrong:
        answer = await program.answers(address, "hello", **fields)
        assert said(answer) == (400, "invalid_payload")
        assert next(iter(fields)) in answer.text
    assert said(await program.answers(address, " ")) == (400, "no_text")
    assert said(await program.answers(address, "x" * 16_001)) == (400, "invalid_payload")
    assert (await program.answers(address, "x" * 70_000)).status == 413
    assert (await program.answers(address, "hello", thread_ts="1234.56", username=7)).status == 200  # both ignored
    await maker.call("conversations.members.remove", conversation=room, member="ci")
    for response_type in ("ephemeral", "in_channel"):
        answer = await program.answers(address, "hello", response_type=response_type)
        assert said(answer) == (410, "expired_url")


async def test_clients_and_other_events_have_no_address(
    receiver: Receiver, program: Program, maker: LiveUser, ci: User, room: str, node: Node
) -> None:
    """It is for the program behind the endpoint: each session of the bot hears the events."""
    await endpoint(maker, receiver, ["*"], bot="ci")
    await maker.says(room, "hello")
    await asked(maker, room)
    await receiver.until(lambda: {"message.posted", "slash.invoked"} <= set(receiver.kinds))
    with_it = {got.json["type"] for got in receiver.got if "response_url" in got.json["data"]}
    assert with_it == {"slash.invoked"}
    events, _ = await node.plugins.loaded["webhooks"].context.events_for(ci.key, 0)
    assert [each for each in events if "response_url" in each] == []
