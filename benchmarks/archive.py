"""A million messages out of ten thousand real ones: the public archive in `../shared/data`, repeated with changes."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.errors import BenchmarkError
from chatnode.importers import ImportedMessage, ZulipArchive

ARCHIVE = Path(__file__).parent.parent.parent / "shared" / "data" / "zulip-archive-slice.tar.xz"
"""Where the archive lies if CHATNODE_ARCHIVE does not name another place."""

ACCENTED = ("le café d'été", "Łódź naïveté", "Straße nach Köln", "mañana será otro día", "Ευχαριστώ πολύ", "đặng văn")
DENSE = (
    "我们明天去东京都看电影",
    "証明を確認してください",
    "내일 회의에서 만나요",
    "สวัสดีครับผมชื่อสมชาย",
    "这个定理的证明很漂亮",
)
LONGEST = 16_000
"""Characters; the node takes no longer ones."""

SEED = 20_260_131


@frozen
class Said:
    """A message to be stored. `at` is in milliseconds since 1970."""

    author: str
    at: int
    text: str


def originals() -> list[Said]:
    """The archive's messages. Raises `BenchmarkError` when it is not there."""
    path = Path(os.environ.get("CHATNODE_ARCHIVE") or ARCHIVE)
    said = [
        Said(each.author, each.at, each.text) for each in ZulipArchive(path) if isinstance(each, ImportedMessage)
    ] if path.exists() else []  # fmt: skip
    if not said:
        raise BenchmarkError(f"{path}: no archive; name one in CHATNODE_ARCHIVE (zulip, as `chatnode import` reads it)")
    return said


def varied(said: list[Said], count: int) -> Iterator[Said]:
    """`count` messages: each is an original in which one word in four is one of another message.

    Words are then as frequent as in the archive, and no two messages are alike. Some have accents and some are written
    without spaces, which the archive hardly has.
    """
    chance = random.Random(SEED)
    for number in range(count):
        one, other = said[number % len(said)], chance.choice(said)
        words, others = one.text.split(" "), other.text.split(" ")
        for place in range(chance.randrange(4), len(words), 4):
            words[place] = others[place % len(others)]
        if number % 50 == 0:
            words.insert(chance.randrange(len(words) + 1), chance.choice(ACCENTED))
        if number % 100 == 1:
            words.append("".join(chance.choice(DENSE)[: chance.randrange(4, 12)] for _ in range(3)))
        yield Said(one.author, one.at + number, " ".join(words)[:LONGEST])
