"""IRC: a channel's log as WeeChat writes it, one `time TAB nick TAB text` per line.

A log has no ids, so a message's key is made of what its line says: time, nick and text, and which of several
identical lines of one second it is. It depends on no line number and on nothing before or after that second, so that
a log that has grown at its end, or was cut at its beginning, gives the same keys as before.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from attrs import astuple, frozen

from chatnode.importers.archive import DAMAGE, open_decompressed, reason
from chatnode.importers.irc_names import fold, former_channel, of_file
from chatnode.importers.items import ImportedConversation, ImportedMessage, Problem, Unreadable, printable, slug
from chatnode.importers.spool import Spool

LINE_LIMIT = 1024 * 1024
"""Bytes of a line. A message on IRC has at most 512, or some thousands with extensions."""


class IrcLog:
    """A WeeChat log, plain or compressed, as a `Source` of one conversation.

    The log's times name no zone: they are taken for UTC, or for local time in `timezone`, a name of the IANA
    database. `network` and `channel` are what the log and its place do not tell, or tell wrongly.
    Raises `ValueError` for an unknown time zone, and a name of a network without letters or digits.
    """

    kind = "irc"
    unique: Literal["conversation"] = "conversation"
    convert = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        timezone: str | None = None,
        *,
        network: str | None = None,
        channel: str | None = None,
    ) -> None:
        self._path = Path(path)
        self._zone = _zone(timezone)
        self._named = of_file(self._path.absolute())
        self._channel = channel
        self._network = slug(self._named.network if network is None else network)
        if network and not self._network:
            raise ValueError(f"{network!r} needs letters or digits to name a network")

    @property
    def name(self) -> str:
        """`irc.libera`, or `irc` if it is not known of which network the log is."""
        return f"{self.kind}.{self._network}" if self._network else self.kind

    @property
    def total(self) -> int | None:
        """Messages in the log, counted by one reading."""
        return self._survey.messages

    def conversations(self) -> list[ImportedConversation]:
        """The channel, its name in lower case as key; nothing if the file is no log."""
        if self._survey.fault:
            return []
        former = fold(printable(self._survey.joined or former_channel(self._path)))
        return [ImportedConversation(self._key, self._title, sample=self._survey.sample, formerly=(former,))]

    def __iter__(self) -> Iterator[ImportedMessage | Problem]:
        """As `drafts`: nothing is converted."""
        return self.drafts()

    def drafts(self) -> Iterator[ImportedMessage | Problem]:
        """Every message, by time; messages of the same second stay in the order of the log."""
        if self._survey.fault:
            yield Problem(printable(str(self._path)), self._survey.fault)
        elif self._survey.ordered:
            yield from self._messages(_read(self._path, self._zone))
        else:
            yield from self._sorted()

    def _sorted(self) -> Iterator[ImportedMessage | Problem]:
        """For a log in which a clock was set back."""
        with Spool() as spool:
            for number, item in enumerate(_read(self._path, self._zone)):
                if isinstance(item, Problem):
                    yield item
                elif item.nick:
                    spool.add(item.at, number, orjson.dumps(astuple(item)))
            yield from self._messages(_Line(*orjson.loads(record)) for record in spool)

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
                author_key=fold(item.nick),
                also=(_key(_in_second_pass(item.identity), ordinal),) if item.unsure else (),
            )

    @cached_property
    def _survey(self) -> _Survey:
        return _examine(self._path, self._zone)

    @property
    def _title(self) -> str:
        survey = self._survey
        return printable(self._channel or survey.joined or survey.channel or self._named.channel or self._named.title)

    @property
    def _key(self) -> str:
        return fold(self._title)


def _key(identity: str, ordinal: int) -> str:
    return "irc:" + hashlib.blake2b(f"{identity}\n{ordinal}".encode(), digest_size=16).hexdigest()


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}; expected one such as Europe/Berlin") from error


# ------------------------------------------------------------------------------------------- the whole file


@frozen
class _Survey:
    """What a first reading finds. `fault` says why there is nothing to import, if so.

    `joined` is the channel of the first line about a user joining it,  `channel` that of other lines.
    """

    joined: str = ""
    channel: str = ""
    messages: int | None = None
    ordered: bool = True
    sample: tuple[str, ...] = ()
    fault: str = ""


_SAMPLE = 250
"""Messages at each end of a log: where one that was cut or has grown meets what was imported before."""


def _examine(path: Path, zone: tzinfo) -> _Survey:
    joined = channel = ""
    first: list[str] = []
    last: deque[str] = deque(maxlen=_SAMPLE)
    lines = messages = latest = 0
    ordered = True
    problem: Problem | None = None
    for item in _read(path, zone):
        if isinstance(item, Problem):
            problem = problem or item
            continue
        lines += 1
        joined = joined or item.joined
        channel = channel or item.channel
        if item.nick:
            (first if messages < _SAMPLE else last).append(_key(item.identity, 0))
            messages += 1
            ordered = ordered and latest <= item.at
            latest = item.at
    if lines:
        return _Survey(joined, channel, messages, ordered, tuple(dict.fromkeys((*first, *last))))
    fault = f"not a WeeChat log: {problem.message}" if problem else "the file is empty"
    return _Survey(fault=fault)


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
            yield Problem(_place(path, number), f"the line was skipped: {error}")


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
        yield Problem(_place(path, number + 1), f"the rest of the file cannot be read: {reason(error)}")
    else:
        if rest:
            yield _checked(path, number + 1, rest)


def _checked(path: Path, number: int, raw: bytes) -> tuple[int, bytes] | Problem:
    if len(raw) > LINE_LIMIT:
        return Problem(_place(path, number), f"the line was skipped: longer than {LINE_LIMIT:,} bytes")
    return number, raw.rstrip(b"\r")


def _place(path: Path, number: int) -> str:
    return f"{printable(path.name)}:{number}"


# ------------------------------------------------------------------------------------------------ one line

_MODES = "@+%~&"
"""What stands before a nick to say what its owner may do in the channel."""

_SYSTEM = {"-->", "<--", "--", "=!=", ""}
"""What stands in place of a nick where nobody speaks: joins, leaves, the network, errors."""

_NICK = re.compile(r"[^\s\w\[\]\\`^{|}]*[\w\[\]\\`^{|}]\S*")
_JOINED = re.compile(r"has joined ([#&+!]\S+)$")
_CHANNEL = re.compile(
    r"(?:Mode|Topic for|Channel|\S+ (?:\([^)]*\) )?has left|\S+ has (?:changed|unset) topic for) ([#&+!][^\s:]+)"
)
"""What the client says of the channel at the beginning of a line: no text by other users comes before it."""
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
    """A line that was understood. `nick` is empty unless it is a message.

    `joined` and `channel` are the name of the channel, if the line tells it. `unsure`: it may be from either pass of an
    hour that is repeated.
    """

    at: int
    identity: str
    nick: str = ""
    text: str = ""
    unsure: bool = False
    joined: str = ""
    channel: str = ""


def _parse(line: str, clock: _Clock) -> _Line:
    time, _, rest = line.removeprefix("\ufeff").partition("\t")
    prefix, separator, said = rest.partition("\t")
    at, second_pass, unsure = clock.read(time)
    marker = prefix.strip()
    if marker in _SYSTEM or (not separator and _MARK.fullmatch(marker)):  # "****  Beginning of log  ****"
        said = _visible(said)
        joined = _JOINED.search(said) if marker == "-->" else None
        channel = _CHANNEL.match(said) if marker in ("--", "<--") else None
        return _Line(at, "", joined=joined[1] if joined else "", channel=channel[1] if channel else "")
    if not separator:
        raise Unreadable("expected time, tab, nick, tab, text")
    nick, text = (marker, said) if marker != "*" else _action(said)
    nick = _FORMATTING.sub("", nick).lstrip(_MODES)
    if not _NICK.fullmatch(nick):
        raise Unreadable(f"{nick!r} is not a nick")
    text = _visible(text)
    if not text.strip():
        raise Unreadable("it has no text")
    return _Line(at, f"{time}\n{second_pass:d}\n{fold(nick)}\n{said}", nick, text, unsure)


def _in_second_pass(identity: str) -> str:
    return identity.replace("\n0\n", "\n1\n", 1)


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
    that seem to run backwards. A log that begins in that hour does not tell where it does.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._latest = 0
        self._begun = False

    def read(self, time: str) -> tuple[int, bool, bool]:
        """Milliseconds since the epoch; whether it is the second pass of a repeated hour; whether it might be."""
        local = _date_and_time(time)
        if local.tzinfo is None:
            local = local.replace(tzinfo=self._zone)
        at = _milliseconds(local)
        later = _milliseconds(local.replace(fold=1))
        second_pass = later > at and at < self._latest <= later
        self._begun = self._begun or later <= at
        self._latest = later if second_pass else at
        return self._latest, second_pass, later > at and not (second_pass or self._begun)


def _date_and_time(time: str) -> datetime:
    try:
        if re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", time, re.ASCII):
            moment = datetime.fromisoformat(time)
            if 1970 < moment.year < 2100:
                return moment
    except ValueError:
        pass
    raise Unreadable(f"{time[:40]!r} is not a date and time between 1971 and 2099")


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
