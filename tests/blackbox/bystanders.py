"""Two people chatting while something bad happens next to them: they must not notice."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from .node_process import NodeProcess
from .wire import PATIENCE, Chat, eventually, message_of

MEBIBYTE = 1 << 20


@contextmanager
def nothing_kept(node: NodeProcess, *, files: int, within: float = PATIENCE) -> Iterator[None]:
    """The block never makes the node large, and soon after it at most `files` more files are open than before it."""
    memory, opened = node.memory(), node.open_files()
    yield
    assert node.memory("VmHWM") < memory + 150 * MEBIBYTE
    eventually(lambda: node.open_files() <= opened + files, within=within)


@dataclass
class Bystanders:
    """Alice and Bob, connected by WebSocket, in one direct conversation."""

    node: NodeProcess
    alice: Chat
    bob: Chat
    conversation: str
    _pid: int
    _log_read: int = 0
    _posted: int = 0

    @classmethod
    @contextmanager
    def connect(cls, node: NodeProcess, tokens: Mapping[str, str]) -> Iterator["Bystanders"]:
        """Connect both."""
        with (
            Chat(node.address, tokens["alice"], device="alice") as alice,
            Chat(node.address, tokens["bob"], device="bob") as bob,
        ):
            yield cls(node, alice, bob, alice.direct("bob"), node.pid)

    def note(self) -> None:
        """Remember where the log stands: only what comes after it counts in `assert_unharmed`."""
        self._log_read = self.node.stderr_size()

    def exchange(self) -> None:
        """Alice posts; she gets her ack, and Bob the push of it."""
        self._posted += 1
        text = f"still here? {self._posted}"
        ack = self.alice.post(self.conversation, text)
        push = self.bob.wait_message(text)
        assert message_of(push)["seq"] == ack["seq"]
        self.alice.pushes.clear()

    def assert_unharmed(self) -> None:
        """The node is the process it was, serves as before, and has logged no unhandled fault."""
        assert self.node.running, f"the node ended:\n{self.node.stderr_tail()}"
        self.exchange()
        assert self.node.pid == self._pid
        trouble = self.node.trouble(self._log_read)
        assert trouble is None, f"an unhandled fault was logged:\n{trouble}"
