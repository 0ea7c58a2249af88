"""The common form: what every foreign archive is turned into before the node sees any of it.

The readers of archives know nothing of accounts, ids or storage, and the part that writes into the node
knows nothing of Zulip or IRC; these four shapes are all they share.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

from attrs import field, frozen

LATEST_AT = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000
"""The first instant (ms) taken for nonsense. A source that writes milliseconds where it promises seconds
lands far behind it, and a fixed limit, unlike the current time, gives every run the same answer."""


@frozen
class ImportedConversation:
    """One room of the source. `key` names it within its kind of source, in every run."""

    key: str
    title: str
    description: str = ""


@frozen
class ImportedMessage:
    """One message.

    `key` is the same in every run and unique per author, so that it can serve as the client id of a send:
    at most 64 characters of `[A-Za-z0-9._:-]`. `author` is the name as the source writes it. `at` is in
    milliseconds since the epoch, UTC. `reply_to` is the key of an earlier message of the same
    conversation and `reply_to_author` that message's author; both are None or neither is.
    """

    conversation: str
    key: str
    author: str
    at: int
    text: str
    reply_to: str | None = None
    reply_to_author: str | None = None
    metadata: dict[str, str] = field(factory=dict[str, str])


@frozen
class Problem:
    """Something that could not be read: the rest is imported all the same.

    `place` is what a person needs to find it (file, and line or item, both counted from 1); `message`
    says what is wrong and what became of it.
    """

    place: str
    message: str


class Source(Protocol):
    """An archive that can be read, as often as wished, with the same outcome each time.

    Everything is synchronous and may take long: call it from a worker thread. Within a conversation the
    messages come in the order of their time, then of the source's own ids, and a message comes after the
    one it replies to. No method raises for bad input; each fault is a `Problem` among the messages.
    """

    @property
    def kind(self) -> str:
        """The kind of source, such as `zulip`: what conversation keys are stable within."""
        ...

    @property
    def total(self) -> int | None:
        """How many messages to expect, for a progress bar; None if that is unknown."""
        ...

    def conversations(self) -> list[ImportedConversation]:
        """Every conversation that messages may name, in a stable order."""
        ...

    def __iter__(self) -> Iterator[ImportedMessage | Problem]:
        """Every message and every fault."""
        ...


def printable(name: str) -> str:
    """A name from an archive, fit for a terminal, a log and storage: nothing in it can move a cursor.

    Characters that print as nothing, and the lone surrogates that stand for undecodable bytes of a file
    name, are written as backslash escapes.
    """
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def storable(text: str) -> str:
    """`text` without what SQLite and UTF-8 cannot carry: NULs and lone surrogates become U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
