"""Zulip: the public archive format, `<stream id>-<stream>/<topic>.json`, at any depth of a tree.

A stream becomes a conversation and a topic a thread: every message but a topic's first replies to the first,
and every message names its topic in its metadata. Message ids are Zulip's own, so importing a later copy of
the archive adds only what is new. People are known by their full names; the format has no ids for them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Literal, cast
from urllib.parse import unquote_to_bytes

import orjson
from attrs import astuple, define, field, frozen

from chatnode.importers.archive import Archive, Entry, open_archive
from chatnode.importers.items import (
    LATEST_AT,
    ImportedConversation,
    ImportedMessage,
    Problem,
    Unreadable,
    finished,
    fit_name,
    printable,
    slug,
    storable,
)
from chatnode.importers.spool import Spool
from chatnode.importers.zulip_markdown import markdown

STREAM_LIMIT = 1024 * 1024 * 1024
"""Bytes of JSON of one stream: a stream's topics are merged by time, in memory."""

NO_TOPIC = "general chat"
"""What Zulip calls the messages of a stream that have no topic."""


class ZulipArchive:
    """A directory, tar or zip file in the format of Zulip's archive tool, as a `Source`.

    `server` is a name for where it is from, if there are archives of several: each numbers its messages from 1.
    Raises `ValueError` for a name without letters or digits.
    """

    kind = "zulip"
    unique: Literal["source"] = "source"

    def __init__(self, path: str | os.PathLike[str], *, server: str | None = None) -> None:
        self._path = Path(path)
        self._server = slug(server or "")
        if server and not self._server:
            raise ValueError(f"{server!r} needs letters or digits to name a server")

    @property
    def name(self) -> str:
        """`zulip`, or `zulip.lean` of a server that was named."""
        return f"{self.kind}.{self._server}" if self._server else self.kind

    @property
    def convert(self) -> Callable[[str], str]:
        """HTML as Markdown."""
        return markdown

    @property
    def total(self) -> int | None:
        """The number of messages in the archive; counted once, by reading all of it without parsing."""
        return self._contents.total if self._contents.streams else None

    def conversations(self) -> list[ImportedConversation]:
        """One per stream, keyed by the stream's id, in the order in which their messages come."""
        return [ImportedConversation(stream.key, stream.title) for stream in self._contents.streams]

    def __iter__(self) -> Iterator[ImportedMessage | Problem]:
        """As `drafts`, as Markdown, and each message of a topic as a reply to its first."""
        return finished(self.drafts(), markdown)

    def drafts(self) -> Iterator[ImportedMessage | Problem]:
        """Stream after stream; of each, all topics merged by time."""
        yield from self._contents.problems
        if not self._contents.streams:
            return
        try:
            archive = open_archive(self._path)
        except Unreadable as error:
            yield Problem(printable(str(self._path)), str(error))
            return
        with archive:
            for stream in self._contents.streams:
                yield from _messages(archive, stream)

    @cached_property
    def _contents(self) -> _Contents:
        try:
            with open_archive(self._path) as archive:
                contents = _survey(archive)
        except Unreadable as error:
            return _Contents([], [Problem(printable(str(self._path)), str(error))])
        if not contents.streams:
            message = "not an archive of Zulip streams: no folder <stream id>-<stream> with topics in it"
            contents.problems.append(Problem(printable(str(self._path)), message))
        return contents


# ------------------------------------------------------------------------------ streams, topics, messages


@define
class _Stream:
    """`name` is that of its folder. A name with a `/` makes folders in folders, and so does a topic's."""

    key: str
    name: str
    entries: list[Entry] = field(factory=list[Entry])
    _folders: dict[str, tuple[str, ...]] = field(factory=dict[str, tuple[str, ...]])
    _common: tuple[str, ...] | None = None

    @property
    def title(self) -> str:
        return "/".join(_decode_name(name) for name in (self.name, *(self._common or ())))

    def add(self, entry: Entry, path: PurePosixPath, folder: str) -> None:
        """`folder` is the name of the folder of the stream."""
        parts = path.parent.parts
        below = parts[len(parts) - parts[::-1].index(folder) :]
        self.entries.append(entry)
        if below:
            self._folders[entry.name] = below
        known = below if self._common is None else self._common
        same = takewhile(lambda pair: pair[0] == pair[1], zip(known, below, strict=False))
        self._common = tuple(name for name, _ in same)

    def topic_of(self, entry: Entry) -> str:
        """What the folders of all the stream's files have in common is part of its name, the rest of the topic's."""
        folders = self._folders.get(entry.name, ())[len(self._common or ()) :]
        name = PurePosixPath(entry.name).name.removesuffix(".json")
        return "/".join(_decode_name(each) for each in (*folders, name)) or NO_TOPIC


@frozen
class _Contents:
    streams: list[_Stream]
    problems: list[Problem]
    total: int | None = None


@frozen
class _Post:
    """A message as Zulip has it: `content` is HTML, `at` in milliseconds."""

    place: str
    topic: str
    id: int
    author: str
    at: int
    content: str

    @property
    def key(self) -> str:
        return f"zulip:{self.id}"


def _survey(archive: Archive) -> _Contents:
    """The files of each stream, in stored order, with their numbers of messages."""
    streams: dict[str, _Stream] = {}
    problems: list[Problem] = []
    total = 0
    for item in archive.files():
        if isinstance(item, Problem):
            problems.append(item)
            continue
        path = PurePosixPath(item.name)
        if not path.name.endswith(".json") or _is_companion(path):
            continue
        folder = next((found for name in path.parents if (found := _FOLDER.fullmatch(name.name))), None)
        if folder is None:
            message = "the file was skipped: it is not in a folder <stream id>-<stream>"
            problems.append(Problem(item.place, message))
            continue
        # A renamed stream leaves a second folder with the same id: it is still the same conversation.
        stream = streams.setdefault(folder[1], _Stream(folder[1], folder[2]))
        stream.add(item, path, folder[0])
        total += _count(archive, item)
    for stream in streams.values():
        stream.entries.sort(key=lambda entry: entry.offset)
    return _Contents(sorted(streams.values(), key=lambda stream: stream.entries[0].offset), problems, total)


_FOLDER = re.compile(r"(\d{1,18})-(.+)", re.ASCII | re.DOTALL)


def _is_companion(path: PurePosixPath) -> bool:
    """Whether the file belongs to a system or a tool and not to the archive: `__MACOSX/…`, `._name`, `.git/…`."""
    return path.name.startswith("._") or any(part == "__MACOSX" or part.startswith(".") for part in path.parts[:-1])


def _count(archive: Archive, entry: Entry) -> int:
    """Count the messages of a file without parsing it."""
    try:
        return archive.read(entry).count(b'"sender_full_name"')
    except Unreadable:
        return 0  # reported when the messages are read


def _decode_name(name: str) -> str:
    """`a.20b` → `a b`. Zulip's tool writes a dot of the name as `.2E`; one that starts no escape is kept."""

    def decode(match: re.Match[str]) -> str:
        try:
            return unquote_to_bytes(match[0].replace(".", "%")).decode()
        except UnicodeDecodeError:
            return match[0]

    return printable(re.sub(r"(?:\.[0-9A-F]{2})+", decode, name))


def _messages(archive: Archive, stream: _Stream) -> Iterator[ImportedMessage | Problem]:
    """The messages of a stream by time, then id; topics start in the same order."""
    seen: set[int] = set()
    with Spool() as spool:
        for item in _posts(archive, stream):
            if isinstance(item, Problem):
                yield item
            elif item.id in seen:
                yield Problem(item.place, f"message {item.id} appears twice in the stream; the second was skipped")
            else:
                seen.add(item.id)
                spool.add(item.at, item.id, orjson.dumps(astuple(item)))
        seen.clear()
        for record in spool:
            post = _Post(*orjson.loads(record))
            yield ImportedMessage(
                conversation=stream.key,
                key=post.key,
                author=post.author,
                at=post.at,
                text=post.content,
                metadata={"topic": post.topic},
                thread=post.topic,
                place=post.place,
            )


def _posts(archive: Archive, stream: _Stream) -> Iterator[_Post | Problem]:
    """The posts in the stream's files, file by file."""
    size = 0
    for entry in stream.entries:
        if size + entry.size > STREAM_LIMIT:
            message = f"the stream is larger than {STREAM_LIMIT // 1024**3} GiB; this file was skipped"
            yield Problem(entry.place, message)
            continue
        try:
            content = archive.read(entry)
        except Unreadable as error:
            yield Problem(entry.place, f"the file was skipped: {error}")
            continue
        size += entry.size
        yield from _posts_of_file(entry, stream.topic_of(entry), content)


def _posts_of_file(entry: Entry, topic: str, content: bytes) -> Iterator[_Post | Problem]:
    number = 0
    try:
        for number, item in enumerate(_items(content), 1):
            place = f"{entry.place}: item {number}"
            try:
                yield _post(place, topic, item)
            except Unreadable as error:
                yield Problem(place, f"the message was skipped: {error}")
    except Unreadable as error:
        what = f"the rest of the file, after item {number}," if number else "the file"
        yield Problem(entry.place, f"{what} was skipped: {error}")


_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def _items(content: bytes) -> Iterator[object]:
    """The items of a JSON list, one at a time, since a parsed topic takes ten times its size. Raises `Unreadable`."""
    try:
        text = content.decode(json.detect_encoding(content), "surrogatepass")
        place = _after_space(text, 0)
        if not text[place : place + 1]:
            raise Unreadable("empty")
        if text[place] != "[":
            _DECODER.decode(text)
            raise Unreadable("not a list of messages")
        place = _after_space(text, place + 1)
        more = text[place : place + 1] != "]"
        while more:
            item, place = _DECODER.raw_decode(text, place)
            yield item
            place = _after_space(text, place)
            if more := text[place : place + 1] == ",":
                place = _after_space(text, place + 1)
        if text[place : place + 1] != "]" or _after_space(text, place + 1) != len(text):
            raise Unreadable(f"not JSON: the list of messages ends unexpectedly at character {place}")
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from error


def _after_space(text: str, place: int) -> int:
    space = _SPACE.match(text, place)
    assert space is not None
    return space.end()


def _post(place: str, topic: str, item: object) -> _Post:
    if not isinstance(item, dict):
        raise Unreadable("not an object")
    fields = cast(dict[str, object], item)
    at = _integer(fields, "timestamp") * 1000
    if not 0 < at < LATEST_AT:
        raise Unreadable("`timestamp` is not in seconds, or not between 1970 and 2100")
    id = _integer(fields, "id")
    if not 0 < id < 2**63:
        raise Unreadable("`id` is out of range")
    author = fit_name(storable(_string(fields, "sender_full_name")).strip())
    if not author:
        raise Unreadable("`sender_full_name` is empty")
    return _Post(place, topic, id, author, at, storable(_string(fields, "content")))


def _integer(fields: dict[str, object], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unreadable(_wrong(fields, name, "a whole number"))
    return value


def _string(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise Unreadable(_wrong(fields, name, "text"))
    return value


def _wrong(fields: dict[str, object], name: str, wanted: str) -> str:
    return f"`{name}` is not {wanted}" if name in fields else f"`{name}` is missing"
