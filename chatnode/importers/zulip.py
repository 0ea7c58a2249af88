"""Zulip: the public archive format, `<stream id>-<stream>/<topic>.json`, at any depth of a tree.

A stream becomes a conversation and a topic a thread: every message but a topic's first replies to the first,
and every message names its topic in its metadata. Message ids are Zulip's own, so importing a later copy of
the archive adds only what is new. People are known by their full names; the format has no ids for them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import cast
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from chatnode.importers.archive import Archive, Entry, Unreadable, open_archive
from chatnode.importers.items import (
    LATEST_AT,
    ImportedConversation,
    ImportedMessage,
    Problem,
    printable,
    storable,
)
from chatnode.importers.zulip_markdown import markdown

STREAM_LIMIT = 1024 * 1024 * 1024
"""Bytes of JSON of one stream: a stream's topics are merged by time, in memory."""

NO_TOPIC = "general chat"
"""What Zulip calls the messages of a stream that have no topic."""


class ZulipArchive:
    """A directory, tar or zip file in the format of Zulip's archive tool, as a `Source`."""

    kind = "zulip"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    @property
    def total(self) -> int | None:
        """Messages in the archive, counted once, in a reading of it all that parses nothing."""
        return self._total

    def conversations(self) -> list[ImportedConversation]:
        """One per stream, keyed by the stream's id, in the order in which their messages come."""
        return [ImportedConversation(stream.key, stream.title) for stream in self._contents.streams]

    def __iter__(self) -> Iterator[ImportedMessage | Problem]:
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
    def _total(self) -> int | None:
        if not self._contents.streams:
            return None
        count = 0
        with open_archive(self._path) as archive:
            for stream in self._contents.streams:
                for entry in stream.entries:
                    try:
                        count += archive.read(entry).count(b'"sender_full_name"')
                    except Unreadable:
                        continue  # reported when the messages are read
        return count

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


@frozen
class _Stream:
    key: str
    title: str
    entries: list[Entry] = field(factory=list[Entry])


@frozen
class _Contents:
    streams: list[_Stream]
    problems: list[Problem]


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
    """Which files belong to which stream, in stored order. Files of another form are no business of ours."""
    streams: dict[str, _Stream] = {}
    problems: list[Problem] = []
    for item in archive.files():
        if isinstance(item, Problem):
            problems.append(item)
            continue
        path = PurePosixPath(item.name)
        folder = re.fullmatch(r"(\d{1,18})-(.+)", path.parent.name, re.ASCII | re.DOTALL)
        if folder is None or not path.name.endswith(".json"):
            continue
        # A renamed stream leaves a second folder with the same id: it is still the same conversation.
        stream = streams.setdefault(folder[1], _Stream(folder[1], _decode_name(folder[2])))
        stream.entries.append(item)
    for stream in streams.values():
        stream.entries.sort(key=lambda entry: entry.offset)
    return _Contents(sorted(streams.values(), key=lambda stream: stream.entries[0].offset), problems)


def _decode_name(name: str) -> str:
    """`a.20b` → `a b`. Zulip's tool writes a dot of the name as `.2E`; one that starts no escape is kept."""

    def decode(match: re.Match[str]) -> str:
        try:
            return unquote_to_bytes(match[0].replace(".", "%")).decode()
        except UnicodeDecodeError:
            return match[0]

    return printable(re.sub(r"(?:\.[0-9A-F]{2})+", decode, name))


def _messages(archive: Archive, stream: _Stream) -> Iterator[ImportedMessage | Problem]:
    """The messages of a stream by time, then id, which is also the order in which topics are begun."""
    posts: list[_Post] = []
    seen: set[int] = set()
    for item in _posts(archive, stream):
        if isinstance(item, Problem):
            yield item
        elif item.id in seen:
            yield Problem(item.place, f"message {item.id} is in the stream a second time: left out")
        else:
            seen.add(item.id)
            posts.append(item)
    posts.sort(key=lambda post: (post.at, post.id))
    first_of: dict[str, _Post] = {}
    for post in posts:
        try:
            text = markdown(post.content)
        except Unreadable as error:
            yield Problem(post.place, f"message {post.id} was left out: {error}")
            continue
        first = first_of.setdefault(post.topic, post)
        yield ImportedMessage(
            conversation=stream.key,
            key=post.key,
            author=post.author,
            at=post.at,
            text=text,
            reply_to=None if first is post else first.key,
            reply_to_author=None if first is post else first.author,
            metadata={"topic": post.topic},
        )


def _posts(archive: Archive, stream: _Stream) -> Iterator[_Post | Problem]:
    """What the stream's files hold, file after file."""
    size = 0
    for entry in stream.entries:
        if size + entry.size > STREAM_LIMIT:
            message = f"the stream is larger than {STREAM_LIMIT // 1024**3} GiB: this file was left out"
            yield Problem(entry.place, message)
            continue
        try:
            items = _load(archive.read(entry))
        except Unreadable as error:
            yield Problem(entry.place, f"the file was left out: {error}")
            continue
        size += entry.size
        topic = _decode_name(PurePosixPath(entry.name).name.removesuffix(".json")) or NO_TOPIC
        for number, item in enumerate(items, 1):
            place = f"{entry.place}: item {number}"
            try:
                yield _post(place, topic, item)
            except Unreadable as error:
                yield Problem(place, f"the message was left out: {error}")


def _load(content: bytes) -> list[object]:
    try:
        items: object = json.loads(content)
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}" if content else "empty") from error
    if not isinstance(items, list):
        raise Unreadable("not a list of messages")
    return cast(list[object], items)


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
    author = storable(_string(fields, "sender_full_name")).strip()
    if not author:
        raise Unreadable("`sender_full_name` is empty")
    return _Post(place, topic, id, author, at, _string(fields, "content"))


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
