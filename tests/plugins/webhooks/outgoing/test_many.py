"""A hundred endpoints, of which one is dead and one is slow: the others' events do not wait for theirs."""

from __future__ import annotations

import attrs
import pytest
import trio
from chatnode_webhooks.outgoing import sending

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured
from tests.plugins.webhooks.outgoing.dialogue import bot, endpoint
from tests.plugins.webhooks.outgoing.receiver import HANG, Receiver

pytestmark = pytest.mark.slow
ENDPOINTS, EVENTS = 100, 30


@pytest.fixture
async def config(receiver: Receiver, other: Receiver, dead: Receiver) -> Config:
    return configured(
        outbound={"allow": [each.authority for each in (receiver, other, dead)], "per_address": 64},
        plugins={"webhooks": {"per_minute": 0}},
        limits={"posts_per_minute": 0, "changes_per_minute": 0, "requests_per_minute": 0},
    )  # fmt: skip


async def test_one_dead_and_one_slow(
    node: Node, receiver: Receiver, other: Receiver, dead: Receiver, ann: User, running: trio.CancelScope,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    other.answers = lambda got: HANG
    monkeypatch.setattr(sending, "PURPOSE", attrs.evolve(sending.PURPOSE, seconds=600.0))
    bots = [await bot(node, f"bot{number}") for number in range(ENDPOINTS)]
    room = await ann.group(*bots)
    for number, each in enumerate(bots):
        await endpoint(each, other if number == 0 else dead if number == 1 else receiver, ["message.posted"])
    for number in range(EVENTS):
        await ann.says(room, str(number))
    await receiver.until_got((ENDPOINTS - 2) * EVENTS)
    assert len(other.got) <= 4  # its first events still hang: all the others' were sent within them
    per_event = {text: receiver.texts().count(text) for text in set(receiver.texts())}
    assert per_event == {str(number): ENDPOINTS - 2 for number in range(EVENTS)}
