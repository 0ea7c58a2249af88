"""An ack is sent only after what it acknowledges is on disk, and so is the push (reliability.md).

One trace of the node's system calls shows the order: the message is written to the write-ahead log, the log is
flushed, and only then does the message leave for anybody. And a node that is killed on its way into a flush has
acked nothing that was in it.
"""

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import needs

from .conftest import Prepared
from .node_process import UNLIMITED, NodeFault, NodeProcess
from .trace import CALLS, STRACE, Call, calls
from .wire import Chat, Closed, new_cid

FLUSHES = {"fdatasync", "fsync"}
SENDS = {"sendto", "sendmsg", "write", "writev"}


@pytest.fixture(scope="module", autouse=True)
def strace() -> None:
    needs.tracing()


def test_written_then_flushed_then_sent(prepared: Prepared, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    wrapper = (*STRACE, "-e", f"trace={CALLS}", "-o", str(trace))
    texts = [f"durable{number}{new_cid().replace('-', '')}" for number in range(20)]
    with NodeProcess(prepared.copy_to(tmp_path / "data"), UNLIMITED, wrapper) as node:
        with (
            Chat(node.address, prepared.tokens["alice"], device="sender") as alice,
            Chat(node.address, prepared.tokens["bob"], device="reader") as bob,
        ):
            ports = {"ack": alice.sock.getsockname()[1], "push": bob.sock.getsockname()[1]}
            conversation = alice.direct("bob")
            for text in texts:
                alice.post(conversation, text)
                bob.wait_message(text)
        assert node.stop() == 0
    recorded = list(calls(trace))
    for text in texts:
        assert_order(recorded, text, ports)


def assert_order(recorded: list[Call], text: str, ports: Mapping[str, int]) -> None:
    """Write to the log, flush of the log, then everything that leaves for a socket."""
    about = [call for call in recorded if text in call.arguments]
    written = next(c for c in about if c.name == "pwrite64" and "-wal>" in c.target)
    flushed = next(
        c for c in recorded if c.name in FLUSHES and "-wal>" in c.target and c.began > written.ended and c.succeeded
    )
    sent = [c for c in about if c.name in SENDS and "TCP" in c.target]
    for call in sent:
        assert call.began > flushed.ended, f"sent before the flush: {call}"
    assert any(f":{ports['push']}]" in c.target for c in sent), "the push was not seen in the trace"
    # The ack carries no text; it is the first thing sent to the sender after the write.
    acks = [c for c in recorded if c.name in SENDS and f":{ports['ack']}]" in c.target]
    first = next(c for c in acks if c.began > written.began)
    assert first.began > flushed.ended, f"answered before the flush: {first}"


# -- killed on the way into a flush --------------------------------------------------------------------------


@dataclass
class Sender:
    """Posts one message after the other until the node is gone; remembers which were acked, and as what."""

    chat: Chat
    conversation: str
    acked: dict[str, int] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Post until the connection ends, or for so long that the kill must have failed."""
        try:
            for _ in range(3000):
                cid = new_cid()
                self.sent.append(cid)
                self.acked[cid] = self.chat.post(self.conversation, f"text of {cid}", cid)["seq"]
        except (Closed, OSError):
            pass


def slow(flush: int) -> object:
    """One more place to be killed at, left out of the default run."""
    return pytest.param(flush, marks=pytest.mark.slow)


@pytest.mark.parametrize("flush", [slow(1), slow(2), 4, slow(7), 20, slow(61), slow(500)])
def test_killed_at_a_flush(prepared: Prepared, tmp_path: Path, flush: int) -> None:
    kill = f"inject=fdatasync,fsync:signal=KILL:when={flush}"
    wrapper = (*STRACE, "-e", "trace=fdatasync,fsync", "-e", kill, "-o", str(tmp_path / "trace"))
    data = prepared.copy_to(tmp_path / "data")
    senders = post_until_death(NodeProcess(data, UNLIMITED, wrapper), prepared.tokens)

    with NodeProcess(data, UNLIMITED) as node:
        with Chat(node.address, prepared.tokens["alice"], device="after") as alice:
            for sender in senders:
                listed = all_messages(alice, sender.conversation)
                for cid, seq in sender.acked.items():
                    assert listed.get(cid) == seq, f"acked {cid} as {seq}, and now it is {listed.get(cid)}"
                assert set(listed) <= set(sender.sent)
                # What was never answered can be sent again, and exists once.
                if not sender.sent:
                    continue
                cid = sender.sent[-1]
                again = alice.post(sender.conversation, f"text of {cid}", cid)
                assert again["dup"] == (cid in listed)
        assert node.stop() == 0
        assert node.check().returncode == 0


def post_until_death(node: NodeProcess, tokens: Mapping[str, str]) -> list[Sender]:
    """Three devices of Alice post to three conversations at once, until the node has been killed."""
    senders: list[Sender] = []
    try:
        node.start()
    except NodeFault:
        return senders  # killed while it started
    try:
        with ExitStack() as chats:
            for number, other in enumerate(("bob", "carol", "mallory")):
                chat = chats.enter_context(Chat(node.address, tokens["alice"], device=f"device {number}"))
                senders.append(Sender(chat, chat.direct(other)))
            threads = [threading.Thread(target=sender.run) for sender in senders]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    except (Closed, OSError):
        pass  # killed before the first post
    finally:
        node.wait_death()
    return senders


def all_messages(chat: Chat, conversation: str) -> dict[str, int]:
    """cid → seq of everything in a conversation."""
    found: dict[str, int] = {}
    after = 0
    while page := chat.call("messages.list", conversation=conversation, after=after, limit=200)["messages"]:
        after = page[-1]["seq"]
        for message in page:
            assert message["cid"] not in found
            found[message["cid"]] = message["seq"]
    return found
