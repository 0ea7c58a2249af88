"""Clients with an account that attack the node after hello, again and again, until they are stopped.

Tests run them in threads beside bystanders. The benchmark `hostile` runs them as a program, which prints `ready` when
every attacker has begun, and ends when its input is closed:

    python -m tests.blackbox.attackers ATTACK PORT TOKEN CONVERSATION
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from .frames import Op, build_frame
from .node_process import Address
from .wire import Chat, Closed, Refused, eventually, new_cid

#: The number of sockets that one attacker holds at once, if the attack is to hold sockets.
SEVERAL = 20
#: Seconds between two rounds of one attacker, so that it leaves the machine to the tests and measurements beside it.
PAUSE = 0.005
ATTACKERS = 2


@dataclass
class Target:
    """The node to attack, and the attackers' token; `conversation` is one that they take part in."""

    address: Address
    token: str
    conversation: str
    over: threading.Event = field(default_factory=threading.Event)
    opened: int = 0
    """The number of sockets that the node has welcomed."""

    def connect(self, receive_buffer: int | None = None) -> Chat:
        """A socket after its hello; a send or receive on it waits a moment and no longer."""
        chat = Chat(self.address, self.token, device="attacker", receive_buffer=receive_buffer)
        chat.sock.settimeout(0.2)
        self.opened += 1
        return chat


Attack = Callable[[Target], None]
"""One round of an attack. It ends early when the node closes or refuses a socket."""


# -- floods: the same bytes on one socket until the node closes it --------------------------------------------


def flood(data: bytes, *, reading: bool = True) -> Attack:
    """Send over and over, with or without reading what the node answers."""

    def attack(target: Target) -> None:
        with target.connect() as chat:
            while not target.over.is_set() and chat.send(data):
                if reading:
                    drain(chat)
                target.over.wait(PAUSE)

    return attack


def drain(chat: Chat) -> None:
    """Read everything that has arrived."""
    while chat.receive(within=0.001):
        pass
    chat.sock.settimeout(0.2)


def request(op: str, **fields: object) -> bytes:
    """The frame of a request."""
    return build_frame(Op.TEXT, json.dumps({"id": 7, "op": op} | fields).encode())


def flood_of_posts(target: Target) -> None:
    """Posts that are refused among some that are stored, so that the node has to run a group again one by one."""
    with target.connect() as chat:
        while not target.over.is_set():
            good = {"conversation": target.conversation, "text": "one more"}
            bad = good | {"conversation": "nowhere"}, good | {"reply_to": "nothing"}, good | {"text": ""}
            posts = [good, *bad] * 5
            if not chat.send(b"".join(request("messages.post", cid=new_cid(), **post) for post in posts)):
                return
            drain(chat)
            target.over.wait(PAUSE)


# -- sockets that stall, or end in odd ways --------------------------------------------------------------------


def stall_in_a_frame(target: Target) -> None:
    """Several sockets send half a frame and stall; then they end in every possible way."""
    with ExitStack() as stack:
        chats = [stack.enter_context(target.connect()) for _ in range(SEVERAL)]
        for chat in chats:
            chat.send(build_frame(Op.TEXT, bytes(1000))[:500])
        target.over.wait(0.1)
        for number, chat in enumerate(chats):
            (chat.half_close, chat.reset, chat.close)[number % 3]()
        target.over.wait(0.05)


def leave_half_open(target: Target) -> None:
    """Shut one direction down while requests are under way."""
    with ExitStack() as stack:
        for number in range(SEVERAL):
            chat = stack.enter_context(target.connect())
            chat.send(request("people.me") * 50)
            chat.sock.shutdown(number % 2)  # SHUT_RD, SHUT_WR
        target.over.wait(0.1)


def reset_at_once(target: Target) -> None:
    """Hello, requests, and a reset before they can be answered, so that the node reuses its descriptors quickly."""
    chat = target.connect()
    chat.send(request("people.me") * 3 + build_frame(Op.TEXT, bytes(100))[:50])
    chat.reset()


def never_read(target: Target) -> None:
    """Several sockets never read, while long messages are posted to all of them."""
    with ExitStack() as stack:
        for _ in range(SEVERAL):
            stack.enter_context(target.connect(receive_buffer=4096))
        poster = stack.enter_context(target.connect())
        for _ in range(200):
            post = {"conversation": target.conversation, "text": "unread " * 1500}
            if target.over.wait(PAUSE) or not poster.send(request("messages.post", cid=new_cid(), **post)):
                return
            drain(poster)


FRAGMENTS = build_frame(Op.TEXT, b"[", fin=False) + build_frame(Op.CONTINUATION, b"[", fin=False) * 499

ATTACKS: dict[str, Attack] = {
    "pings": flood(build_frame(Op.PING, bytes(125)) * 200),
    "pings-unread": flood(build_frame(Op.PING, bytes(125)) * 200, reading=False),
    "fragments": flood(FRAGMENTS),
    "requests-unread": flood(request("people.me") * 200, reading=False),
    "thousand-in-a-segment": flood(request("people.me") * 1000),
    "refused-posts": flood_of_posts,
    "not-json": flood(build_frame(Op.TEXT, b'{"id": 7, "op": ') * 200),
    "not-utf8": flood(build_frame(Op.TEXT, b"\xff\xfe") * 10),
    "half-a-frame": stall_in_a_frame,
    "half-open": leave_half_open,
    "resets": reset_at_once,
    "never-reading": never_read,
}


@contextmanager
def under_attack(name: str, address: Address, token: str, conversation: str) -> Generator[Target]:
    """Run attackers in threads while the block runs."""
    target = Target(address, token, conversation)

    def repeat() -> None:
        while not target.over.is_set():
            with contextlib.suppress(OSError, Closed, Refused, AssertionError):  # closed, or not let in
                ATTACKS[name](target)
            target.over.wait(PAUSE)

    threads = [threading.Thread(target=repeat) for _ in range(ATTACKERS)]
    for thread in threads:
        thread.start()
    try:
        yield target
    finally:
        target.over.set()
        for thread in threads:
            thread.join()


def main() -> None:
    name, port, token, conversation = sys.argv[1:]
    with under_attack(name, ("127.0.0.1", int(port)), token, conversation) as target:
        eventually(lambda: target.opened >= ATTACKERS)
        print("ready", flush=True)
        sys.stdin.read()
        print(target.opened, flush=True)


if __name__ == "__main__":
    main()
