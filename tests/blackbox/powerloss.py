"""What a disk may hold after a power cut, made from a record of what a node wrote, flushed and sent.

strace records every write to the database and its write-ahead log with its bytes, every flush, and every frame that
leaves for a client. A power cut at any line of that record leaves, of each file:

- everything written before the beginning of a flush that had ended by then;
- of what was written later, any part of any write, in whole sectors, whatever the order of the writes was;
- the length of the file with or without what these writes added; sectors that never arrived are zeros, or old bytes of
  files that were deleted;
- a name that was made or removed, only for certain once its directory was flushed.

The shared memory beside the log (`-shm`) promises nothing: it is gone, or holds anything.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .frames import FrameReader, Op
from .trace import Call, calls
from .wire import Json

DATABASE = "chatnode.sqlite3"
LOG = DATABASE + "-wal"
SHARED = DATABASE + "-shm"
CALLS = "pwrite64,pwritev,write,writev,ftruncate,fallocate,fdatasync,fsync,rename,unlink,sendto,sendmsg"
FLUSHES = ("fdatasync", "fsync")
STRACE = ("strace", "-f", "--seccomp-bpf", "-yy", "-xx", "-s", "1000000", "--quiet=all", "-e", f"trace={CALLS}")

_BYTES = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PATH = re.compile(r"<((?:\\x[0-9a-f]{2})*)(?:\(deleted\))?>")
_SECTORS = (512, 4096)


@dataclass(frozen=True)
class Change:
    """A write of `data` at `at`, or, with `data` None, a cut of the file to `at` bytes."""

    at: int
    data: bytes | None
    began: int
    ended: int


@dataclass
class RecordedFile:
    """A file before the record began (None: there was none), and what was done to it."""

    before: bytes | None
    changes: list[Change] = field(default_factory=list[Change])
    flushes: list[Call] = field(default_factory=list[Call])
    removed: int | None = None

    def split(self, cut: int) -> tuple[bytearray, list[Change]]:
        """What is on disk for certain at this line, and the changes that may be there as well, in their order."""
        flushed = max((call.began for call in self.flushes if call.ended <= cut), default=-1)
        certain = bytearray(self.before or b"")
        pending: list[Change] = []
        for change in self.changes:
            if change.ended < flushed:
                apply(certain, change)
            elif change.began <= cut:
                pending.append(change)
        return certain, pending

    def may_be_missing(self, cut: int, directory: Sequence[Call]) -> bool:
        """Whether the name of the file may not be in its directory."""
        if self.removed is not None and self.removed <= cut:
            return True
        made = self.changes[0].began if self.changes else cut
        return self.before is None and not any(made < call.began and call.ended <= cut for call in directory)


@dataclass(frozen=True)
class Sent:
    """A frame as it left for the client on `port`; `line` is where the last of its bytes began to leave."""

    line: int
    port: int
    frame: Json


@dataclass
class Record:
    """Everything that a node did to its disk and told its clients between its start and its end."""

    files: dict[str, RecordedFile]
    directory: list[Call]
    sent: list[Sent]

    def moments(self) -> list[int]:
        """Lines at which a cut makes a difference."""
        changes = [line for file in self.files.values() for each in file.changes for line in (each.began, each.ended)]
        flushes = [line for file in self.files.values() for call in file.flushes for line in (call.began, call.ended)]
        return sorted({*changes, *flushes, *(sent.line for sent in self.sent)})


def read_record(trace: Path, before: Path) -> Record:
    """The record in a trace of a node, whose data directory was a copy of `before`."""
    files = {name: RecordedFile(_content(before / name)) for name in (DATABASE, LOG)}
    directory: list[Call] = []
    streams: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for call in calls(trace):
        if call.name == "unlink":
            _remove(files, call)
            continue
        target = _target(call)
        if target.startswith("TCP:["):
            if data := _data(call):
                streams[_port(target)].append((call.began, data))
            continue
        name = target.rpartition("/")[2]
        if call.name in FLUSHES:
            if call.succeeded:
                (files[name].flushes if name in files else directory).append(call)
        elif name in files and call.result.isdigit():
            files[name].changes.append(_change(call))
        assert not (call.name == "rename" and any(name in call.arguments for name in files)), call
    for file in files.values():
        file.changes.sort(key=lambda change: change.ended)
    return Record(files, directory, [sent for port, parts in streams.items() for sent in _frames(port, parts)])


@dataclass(frozen=True)
class TornState:
    """What the disk holds after a cut at a line: a file's bytes by its name; None for a file that is not there."""

    cut: int
    how: str
    files: Mapping[str, bytes | None]

    def write_to(self, directory: Path) -> None:
        """Put it in the place of the database in a data directory."""
        for name, content in self.files.items():
            (directory / name).unlink(missing_ok=True)
            if content is not None:
                (directory / name).write_bytes(content)


def torn_states(record: Record, chance: random.Random) -> Iterator[TornState]:
    """An endless stream of states, at random moments; often just when something was told to a client."""
    moments, told = record.moments(), [sent.line for sent in record.sent]
    while True:
        cut = chance.choice(told if chance.random() < 0.4 else moments)
        how = chance.choice(list(_TEARING))
        files: dict[str, bytes | None] = {SHARED: chance.choice([None, bytes(32768), chance.randbytes(32768)])}
        for name, file in record.files.items():
            missing = file.may_be_missing(cut, record.directory) and chance.random() < 0.5
            files[name] = None if missing else _torn(file, cut, how, chance)
        yield TornState(cut, how, files)


def apply(content: bytearray, change: Change) -> None:
    """Do to a file's content what the change did to the file."""
    if change.data is None:
        del content[change.at :]
    missing = change.at - len(content)
    content.extend(bytes(max(0, missing)))
    if change.data is not None:
        content[change.at : change.at + len(change.data)] = change.data


# -- which of the pending changes arrived --------------------------------------------------------------------


def _torn(file: RecordedFile, cut: int, how: str, chance: random.Random) -> bytes:
    content, pending = file.split(cut)
    certain, arrived = len(content), list(_TEARING[how](pending, chance))
    for change in arrived:
        apply(content, change)
    longest = max((each.at + len(each.data or b"") for each in pending), default=0)
    beyond = max(0, longest - len(content))
    if all(each.data is not None for each in pending):
        length = chance.randrange(4)
        if length == 0:  # the new one did not arrive, and so nothing beyond the old one is there
            del content[certain:]
        elif length == 1:  # it did, before the bytes
            content.extend(bytes(beyond))
        elif length == 2:  # and the space was another file's
            content.extend(chance.randbytes(beyond))
    return bytes(content)


def _none(pending: Sequence[Change], chance: random.Random) -> Iterator[Change]:
    yield from ()


def _all(pending: Sequence[Change], chance: random.Random) -> Iterator[Change]:
    yield from pending


def _a_beginning(pending: Sequence[Change], chance: random.Random) -> Iterator[Change]:
    """The first ones, and of the next one the first sectors."""
    if pending:
        count = chance.randrange(len(pending))
        yield from pending[:count]
        sectors = list(_sectors(pending[count], chance.choice(_SECTORS)))
        yield from sectors[: chance.randrange(len(sectors) + 1)]


def _some(pending: Sequence[Change], chance: random.Random) -> Iterator[Change]:
    """Some writes, each whole."""
    share = chance.random()
    yield from (change for change in pending if chance.random() < share)


def _some_sectors(pending: Sequence[Change], chance: random.Random) -> Iterator[Change]:
    share, size = chance.choice([0.03, 0.5, 0.97, chance.random()]), chance.choice(_SECTORS)
    for change in pending:
        yield from (sector for sector in _sectors(change, size) if chance.random() < share)


def _all_but_one(pending: Sequence[Change], chance: random.Random) -> Iterator[Change]:
    """Every sector but one of one write."""
    sectors = [sector for change in pending for sector in _sectors(change, chance.choice(_SECTORS))]
    lost = chance.randrange(len(sectors)) if sectors else 0
    yield from sectors[:lost] + sectors[lost + 1 :]


_TEARING = {
    "none": _none,
    "all": _all,
    "a beginning": _a_beginning,
    "some": _some,
    "some sectors": _some_sectors,
    "all but one": _all_but_one,
}


def _sectors(change: Change, size: int) -> Iterator[Change]:
    """A change cut at the borders of the disk's sectors."""
    if change.data is None:
        yield change
        return
    start, end = change.at, change.at + len(change.data)
    while start < end:
        until = min(end, (start // size + 1) * size)
        data = change.data[start - change.at : until - change.at]
        yield Change(start, data, change.began, change.ended)
        start = until


# -- reading strace's lines ----------------------------------------------------------------------------------


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _unescaped(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _target(call: Call) -> str:
    """What the descriptor of a call stands for: a path, or `TCP:[…]`."""
    found = _PATH.search(call.arguments.partition(",")[0])
    if found:
        return _unescaped(found[1]).decode()
    return call.target.partition("<")[2].rstrip(">")


def _port(target: str) -> int:
    """The client's, in `TCP:[127.0.0.1:8008->127.0.0.1:40000]`."""
    return int(target.rstrip("]").rpartition(":")[2])


def _data(call: Call) -> bytes:
    """What a call wrote: of all its buffers, as much as its result says."""
    if not call.result.isdigit():
        return b""
    data = b"".join(_unescaped(found) for found in _BYTES.findall(call.arguments.partition(",")[2]))
    return data[: int(call.result)]


def _change(call: Call) -> Change:
    last = call.arguments.rpartition(",")[2].strip()
    if call.name == "pwrite64":
        return Change(int(last), _data(call), call.began, call.ended)
    if call.name == "ftruncate":
        return Change(int(last), None, call.began, call.ended)
    raise AssertionError(f"a change of the database that the replay does not know: {call.name}")


def _remove(files: dict[str, RecordedFile], call: Call) -> None:
    path = b"".join(_unescaped(found) for found in _BYTES.findall(call.arguments)).decode()
    if call.succeeded and (file := files.get(path.rpartition("/")[2])):
        file.removed = call.began


def _frames(port: int, parts: Sequence[tuple[int, bytes]]) -> Iterator[Sent]:
    """The frames of a WebSocket connection, which begins with the head of the answer to the upgrade."""
    head, frames = b"", FrameReader()
    for line, data in parts:
        if b"\r\n\r\n" not in head:
            head += data
            _, end, data = head.partition(b"\r\n\r\n")
            if not end:
                continue
            if not head.startswith(b"HTTP/1.1 101 "):
                return
        frames.feed(data)
        while (frame := frames.next_frame()) is not None:
            if frame.opcode == Op.TEXT:
                yield Sent(line, port, json.loads(frame.payload))


def copy_without_database(before: Path, into: Path) -> None:
    """A data directory into which states can be written."""
    shutil.copytree(before, into, ignore=shutil.ignore_patterns(DATABASE + "*"))
