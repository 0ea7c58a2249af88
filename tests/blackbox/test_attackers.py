"""Clients that attack the node beside well-behaved ones: these lose no message, get none twice, and stay connected.

How much longer they wait meanwhile is measured by the benchmark `hostile`, and not here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from .attackers import ATTACKS, under_attack
from .bystanders import Bystanders, nothing_kept
from .node_process import NodeProcess
from .wire import Chat, Json, eventually, message_of

ROUNDS = 25
PAIRS = (("alice", "bob"), ("bob", "carol"), ("carol", "alice"))


@pytest.fixture(scope="module")
def conversation(node: NodeProcess, tokens: Mapping[str, str]) -> str:
    """A conversation that the attackers are in, and no bystander."""
    with Chat(node.address, tokens["mallory"]) as chat:
        return chat.group("mallory alone")


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind(node: NodeProcess) -> Iterator[None]:
    """Every socket was let go of, and all together never made the node large."""
    with nothing_kept(node, files=4, within=60):  # what was asked for is answered first
        yield


@dataclass
class Listener:
    """A socket that was open all the time, and every message that came on it, by conversation."""

    chat: Chat
    heard: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list[Json]))

    def take(self, frame: Json) -> None:
        """Remember the message, if the frame is one's push."""
        if message := message_of(frame):
            self.heard[message["conversation"]].append(message)

    def catch_up(self) -> None:
        """Read everything that was sent before the answer to one more request."""
        assert self.chat.alive()
        while self.chat.pushes:
            self.take(self.chat.pushes.popleft())


class Talk:
    """A pair's conversation: one posts, the other listens; the one who posts also listens on a second socket."""

    def __init__(self, stack: ExitStack, node: NodeProcess, tokens: Mapping[str, str], one: str, other: str) -> None:
        def connect(who: str, device: str) -> Chat:
            return stack.enter_context(Chat(node.address, tokens[who], device=device))

        self.sender = connect(one, "sender")
        self.listeners = [Listener(connect(one, "second")), Listener(connect(other, "first"))]
        self.conversation = self.sender.direct(other)
        self.posted: list[tuple[int, str]] = []

    def exchange(self, text: str) -> None:
        """Post, and wait until the other one has it."""
        ack = self.sender.post(self.conversation, text)
        self.posted.append((ack["seq"], text))
        self.sender.pushes.clear()
        other = self.listeners[1]
        while not other.heard[self.conversation] or other.heard[self.conversation][-1]["seq"] < ack["seq"]:
            other.take(other.chat.next_json())

    def assert_whole(self) -> None:
        """Every listener heard all of it, once, in order, and nothing of a conversation that is not theirs."""
        for listener in self.listeners:
            listener.catch_up()
            heard = [(message["seq"], message["text"]) for message in listener.heard[self.conversation]]
            assert heard == self.posted
        first = self.posted[0][0]
        assert [seq for seq, _ in self.posted] == list(range(first, first + len(self.posted)))


@pytest.fixture
def talks(node: NodeProcess, tokens: Mapping[str, str], unharmed: Bystanders) -> Iterator[list[Talk]]:
    with ExitStack() as stack:
        yield [Talk(stack, node, tokens, *pair) for pair in PAIRS]


@pytest.mark.parametrize("attack", ATTACKS)
def test_bystanders_notice_nothing_of(
    node: NodeProcess, tokens: Mapping[str, str], conversation: str, talks: list[Talk], attack: str
) -> None:
    with under_attack(attack, node.address, tokens["mallory"], conversation) as target:
        for number in range(ROUNDS):
            for talk in talks:
                talk.exchange(f"{attack} {number}")
            if number % 5 == 0:
                come_and_go(node, tokens, talks[0], f"{attack} {number}, and you are new here")
        eventually(lambda: target.opened > 0)
    for talk in talks:
        talk.assert_whole()
    mine = {talk.conversation for talk in talks}
    assert {heard for talk in talks for listener in talk.listeners for heard in listener.heard} <= mine


def come_and_go(node: NodeProcess, tokens: Mapping[str, str], talk: Talk, text: str) -> None:
    """A new socket, whose descriptor was perhaps an attacker's a moment ago, hears what is said, and nothing else."""
    with Chat(node.address, tokens["bob"], device="newcomer") as newcomer:
        talk.exchange(text)
        assert message_of(newcomer.wait_message(text))["conversation"] == talk.conversation
        assert newcomer.alive()
        assert not any(map(message_of, newcomer.pushes))
