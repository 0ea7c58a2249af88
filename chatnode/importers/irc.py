"""IRC: a channel's log as WeeChat writes it, one `time TAB nick TAB text` per line.

A log has no ids, so a message's key is made of what its line says: time, nick and text, and which of several
identical lines it is. It depends on no line number and on nothing that follows, so that a log that has grown
at its end gives the same keys as before, and importing it again adds only what is new.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import frozen

from chatnode.importers.archive import DAMAGE, Unreadable, open_decompressed, reason
from chatnode.importers.items import ImportedConversation, ImportedMessage, Problem, printable

LINE_LIMIT = 1024 * 1024
"""Bytes of a line. A message on IRC has at most 512, or some thousands with extensions."""


class IrcLog:
    """A WeeChat log, plain or compressed, as a `Source` of one conversation.

    The log's times name no zone: they are taken for UTC, or for local time in `timezone`, a name of the IANA
    database. Raises `ValueError` for an unknown name.
    """

    kind = "irc"

    def __init__(self, path: str | os.PathLike[str], timezone: str | None = None) -> None:
        self._path = Path(path)
        self._zone = _zone(timezone)

    @property
    def total(self) -> int | None:
        """Messages in the log, counted by one reading."""
        return self._survey.messages

    def conversations(self) -> list[ImportedConversation]:
        """The channel, its name in lower case as key; nothing if the file is no log."""
        if self._survey.fault:
            return []
        return [ImportedConversation(self._key, printable(self._survey.channel))]

    def __iter__(self) -> Iterator[ImportedMessage | Problem]:
        """Every message, by time; messages of the same second stay in the order of the log."""
        if self._survey.fault:
            yield Problem(printable(str(self._path)), self._survey.fault)
        elif self._survey.ordered:
            yield from self._messages(_read(self._path, self._zone))
        else:  # a clock was set back: the one case that needs the whole log in memory
            items = list(_read(self._path, self._zone))
            yield from (item for item in items if isinstance(item, Problem))
            lines = [item for item in items if isinstance(item, _Line)]
            lines.sort(key=lambda line: line.at)
            yield from self._messages(lines)

    def _messages(self, items: Iterable[_Line | Problem]) -> Iterator[ImportedMessage | Problem]:
        names: dict[str, str] = {}
        alike: Counter[str] = Counter()
        second = 0
        for item in items:
            if isinstance(item, Problem):
                yield item
                continue
            if not item.nick:
                continue
            if item.at != second:
                second = item.at
                alike.clear()
            ordinal = alike[item.identity]
            alike[item.identity] += 1
            yield ImportedMessage(
                conversation=self._key,
                key=_key(item.identity, ordinal),
                author=names.setdefault(fold(item.nick), item.nick),
                at=item.at,
                text=item.text,
            )

    @cached_property
    def _survey(self) -> _Survey:
        return _examine(self._path, self._zone)

    @property
    def _key(self) -> str:
        return fold(printable(self._survey.channel))


def fold(name: str) -> str:
    """A nick or channel in the case in which IRC (rfc1459) compares them: `{}|~` are small `[]\\^`."""
    return name.translate(_LOWER)


_LOWER = str.maketrans(r"ABCDEFGHIJKLMNOPQRSTUVWXYZ[]\^", "abcdefghijklmnopqrstuvwxyz{}|~")


def _key(identity: str, ordinal: int) -> str:
    return "irc:" + hashlib.blake2b(f"{identity}\n{ordinal}".encode(), digest_size=16).hexdigest()


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}; names look like Europe/Berlin") from error


# ------------------------------------------------------------------------------------------- the whole file


@frozen
class _Survey:
    """What a first reading finds. `fault` says why there is nothing to import, if so."""

    channel: str
    messages: int | None = None
    ordered: bool = True
    fault: str = ""


def _examine(path: Path, zone: tzinfo) -> _Survey:
    channel = ""
    lines = messages = latest = 0
    ordered = True
    problem: Problem | None = None
    for item in _read(path, zone):
        if isinstance(item, Problem):
            problem = problem or item
            continue
        lines += 1
        channel = channel or item.joined
        if item.nick:
            messages += 1
            ordered = ordered and latest <= item.at
            latest = item.at
    channel = channel or _channel_of_file(path)
    if lines:
        return _Survey(channel, messages, ordered)
    fault = f"nothing in it reads as a WeeChat log: {problem.message}" if problem else "the file is empty"
    return _Survey(channel, fault=fault)


def _channel_of_file(path: Path) -> str:
    """`irc.libera.#python.weechatlog.xz` → `#python`; a name without a channel in it serves as a whole."""
    name = re.sub(r"(?:\.(?:xz|gz|bz2|weechatlog|log|txt))+$", "", path.name)
    channel = re.search(r"[#&].*", name)
    return channel[0] if channel else name


def _read(path: Path, zone: tzinfo) -> Iterator[_Line | Problem]:
    clock = _Clock(zone)
    for item in _raw_lines(path):
        if isinstance(item, Problem):
            yield item
            continue
        number, raw = item
        try:
            if raw:
                yield _parse(_decode(raw), clock)
        except Unreadable as error:
            yield Problem(_place(path, number), f"the line was left out: {error}")


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes] | Problem]:
    """The lines with their numbers. Of a file that ends too early, every whole line before its end."""
    number = 0
    rest = b""
    try:
        with open_decompressed(path) as file:
            while chunk := file.read1(64 * 1024):
                *lines, rest = (rest + chunk).split(b"\n")
                rest = rest[: LINE_LIMIT + 1]  # enough to see that it is too long
                for raw in lines:
                    number += 1
                    yield _checked(path, number, raw)
    except DAMAGE as error:
        yield Problem(_place(path, number + 1), f"the file cannot be read from here on: {reason(error)}")
    else:
        if rest:
            yield _checked(path, number + 1, rest)


def _checked(path: Path, number: int, raw: bytes) -> tuple[int, bytes] | Problem:
    if len(raw) > LINE_LIMIT:
        return Problem(_place(path, number), f"the line was left out: longer than {LINE_LIMIT:,} bytes")
    return number, raw.rstrip(b"\r")


def _place(path: Path, number: int) -> str:
    return f"{printable(path.name)}:{number}"


# ------------------------------------------------------------------------------------------------ one line

_MODES = "@+%~&"
"""What stands before a nick to say what its owner may do in the channel."""

_SYSTEM = {"-->", "<--", "--", "=!=", ""}
"""What stands in place of a nick where nobody speaks: joins, leaves, the network, errors."""

_NICK = re.compile(r"\S*[\w\[\]\\`^{|}]\S*")
_JOINED = re.compile(r"has joined ([#&+!]\S+)$")
_MARK = re.compile(r"\*{4} .* \*{4}")
_FORMATTING = re.compile(
    r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?|[\x02\x0f\x11\x16\x1d-\x1f]"
)
_PICTURES = {code: 0x2400 + code for code in range(0x20) if code != ord("\t")} | {0x7F: 0x2421}
_WINDOWS_1252 = {
    code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


@frozen
class _Line:
    """A line that was understood. `nick` is empty unless it is a message; `joined` is a channel, if any."""

    at: int
    identity: str
    nick: str
    text: str
    joined: str


def _parse(line: str, clock: _Clock) -> _Line:
    time, _, rest = line.removeprefix("\ufeff").partition("\t")
    prefix, separator, said = rest.partition("\t")
    at, second_pass = clock.read(time)
    marker = prefix.strip()
    if marker in _SYSTEM or (not separator and _MARK.fullmatch(marker)):  # "****  Beginning of log  ****"
        joined = _JOINED.search(said) if marker == "-->" else None
        return _Line(at, "", "", "", joined[1] if joined else "")
    if not separator:
        raise Unreadable("not of the form time, tab, nick, tab, text")
    nick, text = (marker, said) if marker != "*" else _action(said)
    nick = nick.lstrip(_MODES)
    if not _NICK.fullmatch(nick):
        raise Unreadable(f"{nick!r} is not a nick")
    text = _visible(text)
    if not text.strip():
        raise Unreadable("it has no text")
    return _Line(at, f"{time}\n{second_pass:d}\n{fold(nick)}\n{said}", nick, text, "")


def _action(said: str) -> tuple[str, str]:
    """`ada waves` → `ada`, `/me waves`: as it was typed, and as chat programs write it to this day."""
    nick, _, deed = said.partition(" ")
    return nick, f"/me {deed}".rstrip()


def _visible(text: str) -> str:
    """Text without colours and the like; other control characters are shown by their pictures (␇)."""
    return _FORMATTING.sub("", text).translate(_PICTURES).rstrip()


def _decode(raw: bytes) -> str:
    """Every byte counts: what is not UTF-8 is Windows-1252, its five unassigned bytes Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1").translate(_WINDOWS_1252)


class _Clock:
    """Turns local times into instants.

    The hour that is repeated when summer time ends is ambiguous; in a log its second pass shows by times
    that seem to run backwards.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._latest = 0

    def read(self, time: str) -> tuple[int, bool]:
        """Milliseconds since the epoch, and whether it is the second pass of a repeated hour."""
        local = _date_and_time(time)
        if local.tzinfo is None:
            local = local.replace(tzinfo=self._zone)
        at = _milliseconds(local)
        second_pass = False
        if at < self._latest:
            later = _milliseconds(local.replace(fold=1))
            if later > at and later >= self._latest:
                at, second_pass = later, True
        self._latest = at
        return at, second_pass


def _date_and_time(time: str) -> datetime:
    try:
        if re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", time, re.ASCII):
            moment = datetime.fromisoformat(time)
            if 1970 < moment.year < 2100:
                return moment
    except ValueError:
        pass
    raise Unreadable(f"{time[:40]!r} is no date and time between 1971 and 2099")


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
