"""The encoding of a text, found in its bytes.

A BOM decides, then zeros (UTF-16), then whether all of the file is UTF-8. What is left are the encodings of single
countries: each decodes the lines that are not ASCII, and the one whose result looks most like a language is taken.
"""

from __future__ import annotations

import codecs
import math
import re
from collections import Counter
from pathlib import Path

import attrs

from chatnode.api import record
from chatnode_crm.files.reading.languages import ENCODINGS, WIDE
from chatnode_crm.files.reading.model import UnreadableFile

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_CHUNK = 1 << 20
_SAMPLE = 64_000
_LINE_ENDS = re.compile(rb"[\r\n]+")
_SYMBOLS = frozenset("–—‘’“”„«»€£§°©®™…¿¡·ºª\xa0№、。・（）「」，：")
_MEASURES = "½¼¾±×÷²³"
_UNIT = re.compile(r"\b[kdcm]?m[²³]", re.IGNORECASE)
_MEASURE_IN_WORD = re.compile(rf"[a-zA-Z\x80-\U0010ffff][{_MEASURES}]|[{_MEASURES}][a-zA-Z\x80-\U0010ffff]")
"""In other encodings these are letters, such as the last one of Paweł."""
_WITHIN_WORDS = re.compile(r"(?<=[^\W\d_])[^\w\s’](?=[^\W\d_])")
"""A symbol between two letters, where few texts have one but an apostrophe."""
_RARER = 0.15
"""KOI8 has its small letters where Windows-1251 has its capitals: with nothing but these, it is most likely Windows."""
_MOST_CAPITALS = 6
"""So many Cyrillic or Greek capitals in a row are hardly Chinese signs of which both bytes are among them by chance."""
# Compiled when a file is read: with sets of letters so large that takes milliseconds.
_CASE_INSIDE = r"[a-zß-öø-ÿа-яёα-ω][A-ZÀ-ÖØ-ÞА-ЯЁΑ-Ω]"
_SCRIPTS_TOUCH = "[a-zA-Z_][\u0370-\uffdc]|[\u0370-\uffdc][a-zA-Z_]"


@record(frozen=True)
class Encoding:
    """How the bytes after `skip` are read.

    `broken`: some of them cannot be. `repair` is then the encoding that these few are in, if that is known.
    """

    name: str
    skip: int = 0
    broken: bool = False
    repair: str | None = None


def find_encoding(path: Path, wanted: str | None = None) -> Encoding:
    """Find the encoding of a file; `wanted` is what a person says it is."""
    with path.open("rb") as file:
        start = file.read(_SAMPLE)
    for bom, name in _BOMS:
        if start.startswith(bom) and (wanted is None or _same(wanted, name)):
            return _checked(path, Encoding(name, len(bom)))
    if wanted is not None:
        return _checked(path, Encoding(_known(wanted)))
    wide = _utf_16(start)
    if wide is not None:
        return _checked(path, Encoding(wide))
    return _without_bom(path, start)


def _without_bom(path: Path, start: bytes) -> Encoding:
    if not _fails(path, Encoding("utf-8")):
        return Encoding(_with_escapes(start) or "utf-8")
    sample = _lines_not_ascii(path)
    if _mostly_utf_8(sample):
        return Encoding("utf-8", broken=True, repair="cp1252")
    return _checked(path, Encoding(best_encoding(sample)))


def _known(name: str) -> str:
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        raise UnreadableFile("bad_option", f"there is no encoding {name!r}") from None
    if not getattr(info, "_is_text_encoding", True) or info.name in ("idna", "punycode", "undefined", "utf-7"):
        raise UnreadableFile("bad_option", f"{name!r} is not an encoding of files")
    names = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
    return names.get(info.name, info.name)


def _same(wanted: str, found: str) -> bool:
    name = _known(wanted)
    return name == codecs.lookup(found).name or (name.startswith("utf-16") and found.startswith("utf-16"))


def _checked(path: Path, encoding: Encoding) -> Encoding:
    if not _fails(path, encoding):
        return encoding
    repair = "cp1252" if encoding.name == "utf-8" and encoding.skip else None
    return attrs.evolve(encoding, broken=True, repair=repair)


def _fails(path: Path, encoding: Encoding) -> bool:
    """Whether some bytes are not in the encoding. Reads all of the file, a piece at a time."""
    decoder = codecs.getincrementaldecoder(encoding.name)()
    with path.open("rb") as file:
        file.seek(encoding.skip)
        try:
            while piece := file.read(_CHUNK):
                decoder.decode(piece)
            decoder.decode(b"", True)
        except UnicodeError:
            return True
    return False


def _utf_16(start: bytes) -> str | None:
    """Which UTF-16 it is without a BOM: zeros are all on one side, and line ends or delimiters are whole units."""
    zeros = start.count(0)
    if not zeros:
        return None
    for name, high in (("utf-16-le", 1), ("utf-16-be", 0)):
        units = start[: len(start) // 2 * 2]
        if units[high::2].count(0) < zeros * 0.98:
            continue
        ends = units[1 - high :: 2]
        separated = sum(1 for low, zero in zip(ends, units[high::2], strict=False) if not zero and low in b"\r\n,;\t|")
        plain = sum(start.count(mark) for mark in b"\r\n,;\t|")
        if separated and separated >= plain * 0.5:
            return name
    return None


def _with_escapes(start: bytes) -> str | None:
    """ISO-2022-JP, which is ASCII with escape sequences."""
    if b"\x1b$" not in start:
        return None
    try:
        codecs.getincrementaldecoder("iso2022_jp")().decode(start)
    except UnicodeError:
        return None
    return "iso2022_jp"


def _lines_not_ascii(path: Path) -> bytes:
    """The first lines that are not ASCII, wherever in the file they are."""
    found: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        while size < _SAMPLE and (piece := file.read(_CHUNK)):
            if piece.isascii():
                continue
            piece += file.readline(_SAMPLE)
            for line in _LINE_ENDS.split(piece):
                if line.isascii():
                    continue
                found.append(line[:_SAMPLE])
                size += len(found[-1]) + 1
                if size >= _SAMPLE:
                    break
    return b"\n".join(found)


def _mostly_utf_8(sample: bytes) -> bool:
    """Whether it is UTF-8 but for a few bytes, as when files are put together."""
    text = sample.decode("utf-8", "surrogateescape")
    wrong = len(re.findall("[\udc80-\udcff]", text))
    right = sum(1 for each in text if each > "\x7f") - wrong
    return right > wrong


def best_encoding(sample: bytes) -> str:
    """The encoding in which the sample looks most like a language; Windows-1252 if none does, or if it has no letters
    but of ASCII: then it has the quotes, dashes, currencies and measures that programs on Windows write."""
    if _has_symbols_only(sample):
        return "cp1252"
    scores = {name: _score(sample, name, languages) for name, languages in ENCODINGS}
    scores |= {name: _score_wide(sample, name, basic, common) for name, basic, common in WIDE}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > -math.inf else "latin-1"


def _has_symbols_only(sample: bytes) -> bool:
    try:
        text = sample.decode("cp1252")
    except UnicodeError:
        return False
    if any(each > "\x7f" and each not in _SYMBOLS and each not in _MEASURES for each in text):
        return False
    text = _UNIT.sub("m", text)
    return not _MEASURE_IN_WORD.search(text) and not any(each > "\x7f" for each in _WITHIN_WORDS.findall(text))


def _score(sample: bytes, name: str, languages: dict[str, str]) -> float:
    try:
        text = sample.decode(name)
    except UnicodeError:
        return -math.inf
    counts = Counter(each for each in text if each > "\x7f")
    total = sum(counts.values())
    strange = len(re.findall(_CASE_INSIDE, text)) + len(re.findall(_SCRIPTS_TOUCH, text))
    single = max(_likeness(counts, letters) for letters in languages.values())
    mixed = _likeness(counts, "".join(languages.values()))
    return max(single, mixed - 0.15 * total) / total - strange / total - (_RARER if name.startswith("koi8") else 0.0)


def _likeness(counts: Counter[str], letters: str) -> float:
    """The rarer letters of a long alphabet count less, and capitals a little less than small letters."""
    worth = {letter: 1.0 - 0.3 * (at / max(len(letters), 20)) for at, letter in reversed(tuple(enumerate(letters)))}
    found = 0.0
    for each, count in counts.items():
        if each in worth:
            found += worth[each] * count
        elif each.lower() in worth:
            found += (worth[each.lower()] - 0.1) * count
        else:
            found += (0.3 if each in _SYMBOLS else -1.0) * count
    return found


def _score_wide(sample: bytes, name: str, basic: str, common: tuple[int, int]) -> float:
    try:
        text = sample.decode(name)
    except UnicodeError:
        return -math.inf
    high = [byte for byte in sample if byte > 0x7F]
    if len(high) >= _MOST_CAPITALS and all(0xC0 <= byte <= 0xDF for byte in high):
        return 0.0
    counts = Counter(each for each in text if each > "\x7f")
    found = sum(count * _commonness(each, basic, common) for each, count in counts.items())
    return (found - len(re.findall(_SCRIPTS_TOUCH, text))) / sum(counts.values())


def _commonness(each: str, basic: str, common: tuple[int, int]) -> float:
    if each in _SYMBOLS or "０" <= each <= "ｚ":
        return 0.9
    if basic in ("shift_jis", "euc_jp") and "ぁ" <= each <= "ヿ":
        return 1.0
    if "｡" <= each <= "ﾟ":
        return 0.5
    try:
        lead = each.encode(basic)[0]
    except UnicodeError:
        return -0.5
    first, last = common
    return 0.95 if first <= lead <= last else 0.2
