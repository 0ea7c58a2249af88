"""The common form: what every foreign archive is turned into before the node sees any of it.

The readers of archives know nothing of accounts, ids or storage, and the part that writes into the node
knows nothing of Zulip or IRC; these four shapes are all they share.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal, Protocol

from attrs import evolve, field, frozen
from attrs.converters import optional

from chatnode.model.fields import Text
from chatnode.model.folding import is_blank

LATEST_AT = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000
"""The first instant (ms) taken for nonsense. A source that writes milliseconds where it promises seconds
lands far behind it, and a fixed limit, unlike the current time, gives every run the same answer."""

_NAME = Text(200, 1)
_CHARACTER = Text(1)


def fit_name(name: str) -> str:
    """A name as the node takes it: on one line, without control characters, cut to 200 characters. It is empty if
    nothing of it is visible."""
    if _NAME.fault(name) is None:
        return name
    line = "".join(each for each in " ".join(name.split()) if _CHARACTER.fault(each) is None)
    return "" if is_blank(line[:200]) else line[:200].strip()


def fit_key(key: str) -> str:
    """A key as the node takes it; one that it would refuse gets a hash, so that two of them stay two."""
    if _NAME.fault(key) is None:
        return key
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{fit_name(key)[:160]}~{digest}"


@frozen
class ImportedConversation:
    """One room of the source. `key` names it within its source, in every run; `title` may be empty.

    `sample` has the keys of some messages: by them the room is found again when more, or less, is known of its source.
    `formerly` are keys under which messages of it may have been imported by earlier versions.
    """

    key: str = field(converter=fit_key)
    title: str = field(converter=fit_name)
    description: str = ""
    sample: tuple[str, ...] = ()
    formerly: tuple[str, ...] = field(default=(), converter=lambda keys: tuple(map(fit_key, keys)))


@frozen
class ImportedMessage:
    """One message.

    `key` is the message's own id in its source: the same in every run, at most 64 characters of `[A-Za-z0-9._:-]`.
    `also` are keys that it would have if less were known of it. `author` is the name as the source writes it, and
    `author_key` what is the same for all spellings of it. `at` is in milliseconds since the epoch, UTC. `reply_to` is
    the key of an earlier message of the same conversation. `thread` names what it is about in its conversation; `place`
    is where it stands, as of a `Problem`.
    """

    conversation: str = field(converter=fit_key)
    key: str
    author: str = field(converter=fit_name)
    at: int
    text: str
    reply_to: str | None = None
    metadata: dict[str, str] = field(factory=dict[str, str])
    author_key: str | None = field(default=None, converter=optional(fit_key))
    also: tuple[str, ...] = ()
    thread: str | None = None
    place: str = ""


@frozen
class Problem:
    """Something that could not be read: the rest is imported all the same.

    `place` is what a person needs to find it (file, and line or item, both counted from 1); `message`
    says what is wrong and what became of it.
    """

    place: str
    message: str


class Unreadable(Exception):
    """A message, a file or a whole archive cannot be read; the message says why, for people."""


class Threads:
    """Lets every message of a thread reply to the first one of it that is there."""

    def __init__(self) -> None:
        self._conversation = ""
        self._first: dict[str, str] = {}

    def place(self, message: ImportedMessage) -> ImportedMessage:
        """Takes the messages of one conversation after the other, in their order."""
        if message.conversation != self._conversation:
            self._conversation = message.conversation
            self._first.clear()
        if message.thread is None:
            return message
        first = self._first.setdefault(message.thread, message.key)
        return message if first == message.key else evolve(message, reply_to=first)


def left_out(message: ImportedMessage, error: str) -> Problem:
    """What is said of a draft whose text cannot be converted."""
    return Problem(message.place, f"message {message.key} was skipped: {error}")


def finished(
    drafts: Iterator[ImportedMessage | Problem], convert: Callable[[str], str]
) -> Iterator[ImportedMessage | Problem]:
    """The messages of drafts."""
    threads = Threads()
    for item in drafts:
        if isinstance(item, Problem):
            yield item
            continue
        try:
            text = convert(item.text)
        except Unreadable as error:
            yield left_out(item, str(error))
        else:
            yield threads.place(evolve(item, text=text))


class Source(Protocol):
    """An archive that can be read, as often as wished, with the same outcome each time.

    Everything is synchronous and may take long: call it from a worker thread. Within a conversation the
    messages come in the order of their time, then of the source's own ids, and a message comes after the
    one it replies to. No method raises for bad input; each fault is a `Problem` among the messages.
    """

    @property
    def kind(self) -> str:
        """The kind of source, such as `zulip`."""
        ...

    @property
    def name(self) -> str:
        """The source: its kind and, where it is known, its place, such as `irc.libera`. Keys are stable within it."""
        ...

    @property
    def unique(self) -> Literal["source", "conversation"]:
        """Whether keys of messages are unique in the source, or only in each of its conversations."""
        ...

    @property
    def total(self) -> int | None:
        """How many messages to expect, for a progress bar; None if that is unknown."""
        ...

    def conversations(self) -> list[ImportedConversation]:
        """Every conversation that messages may name, in a stable order."""
        ...

    def drafts(self) -> Iterator[ImportedMessage | Problem]:
        """Every message and every fault; texts as the source has them, and without replies."""
        ...

    @property
    def convert(self) -> Callable[[str], str] | None:
        """A function of a module that makes the text of a draft one of a message, or raises `Unreadable`.

        None when texts need nothing.
        """
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


def slug(name: str) -> str:
    """The name of a network or server as part of the name of a source; empty if there is no letter or digit in it."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower())[:40].strip("-")
