"""A property of a vCard, of any version: its name, parameters and decoded value."""

from __future__ import annotations

import binascii
import codecs
import quopri
import re
from collections.abc import Container, Sequence

from chatnode.api import record

_PLAIN = re.compile(r"([\w-]+):")
"""The beginning of a property without parameters, as most are."""
_NO_TYPES = frozenset(("",))
_PROPERTY = re.compile(r'(?:([\w-]+)\.)?([\w-]+)((?:;[^:;"]*(?:"[^"]*"[^:;"]*)*)*):(.*)', re.DOTALL)
_WITHOUT_QUOTES = re.compile(r"(?:([\w-]+)\.)?([\w-]+)((?:;[^:;]*)*):(.*)", re.DOTALL)
_PARAMETER = re.compile(r';((?:[^;"]|"[^"]*"|")*)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# A backslash at the end of a value is a character as others are.
_PART = re.compile(r"((?:[^\\;]|\\.?)*)(?:;|\Z)", re.DOTALL)
_ITEM = re.compile(r"((?:[^\\,]|\\.?)*)(?:,|\Z)", re.DOTALL)
_IN_PARAMETERS = re.compile(r"\^[\^'n]")
_MEANING = {"^^": "^", "^'": '"', "^n": "\n"}
_BARE = ("QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT")


@record(frozen=True)
class Property:
    """`wrong`: what of the value could not be decoded."""

    name: str
    types: frozenset[str]
    preference: int
    """1 for the best, 101 for one without."""
    value: str
    wrong: str | None = None
    derived: bool = False
    """It was made of other properties, which say more."""
    label: str = ""
    """What a property of our own is about."""

    def text(self) -> str:
        """The value as one text."""
        return _unescaped(self.value)

    def parts(self) -> list[str]:
        """The parts between semicolons."""
        return _pieces(self.value, ";", _PART)

    def items(self) -> list[str]:
        """The items between commas."""
        return [item for item in _pieces(self.value, ",", _ITEM) if item]


def read_property(line: str, encoding: str, used: Container[str]) -> Property | None:
    """The property of a logical line whose bytes are characters; None if it is none. Only used ones have a value."""
    plain = _PLAIN.match(line)
    if plain is not None:
        name = plain[1].upper()
        if name not in used:
            return Property(name, frozenset(), 101, "")
        return Property(name, _NO_TYPES, 101, *_text_of(line[plain.end() :], (), encoding))
    found = _PROPERTY.fullmatch(line) or _WITHOUT_QUOTES.fullmatch(line)
    if found is None:
        return None
    _, name, written, raw = found.groups()
    name = name.upper()
    if name not in used:
        return Property(name, frozenset(), 101, "")
    parameters = _parameters(written)
    value, wrong = _decoded(raw, parameters, encoding)
    types = frozenset(each.strip().upper() for each in ",".join(parameters.get("TYPE", ())).split(","))
    derived = any(parameters.get(each, [""])[0].upper() == "TRUE" for each in ("DERIVED", "X-DERIVED"))
    label = _label(parameters.get("X-NAME", [""])[0])
    return Property(name, types, _preference(parameters, types), value, wrong, derived, label)


def _parameters(written: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for parameter in _PARAMETER.finditer(written):
        name, equals, value = parameter[1].partition("=")
        name, value = name.strip().upper(), value.strip().replace('"', "")
        if not equals:
            name, value = ("ENCODING" if name in _BARE else "TYPE"), name
        found.setdefault(name, []).append(value)
    return found


def _label(written: str) -> str:
    """What a line of a node is about, in UTF-8 and with what parameters cannot have (RFC 6868)."""
    text = written.encode("latin-1").decode("utf-8", "replace")
    return _IN_PARAMETERS.sub(lambda found: _MEANING[found[0]], text)


def _preference(parameters: dict[str, list[str]], types: frozenset[str]) -> int:
    for value in parameters.get("PREF", ()):
        if value.isdecimal() and len(value) < 4:
            return int(value)
    return 1 if "PREF" in types else 101


def _decoded(raw: str, parameters: dict[str, list[str]], encoding: str) -> tuple[str, str | None]:
    packed = parameters.get("ENCODING", [""])[-1].upper()
    said = parameters.get("CHARSET", [])[-1:]
    if not packed:
        return _text_of(raw, said, encoding)
    content = raw.encode("latin-1")
    if packed in ("QUOTED-PRINTABLE", "Q"):
        content = quopri.decodestring(content)
    elif packed in ("BASE64", "B"):
        try:
            content = binascii.a2b_base64(content)
        except binascii.Error:
            return "", "not valid Base64"
    return _in_encoding(content, said, encoding)


def _text_of(raw: str, said: Sequence[str], encoding: str) -> tuple[str, str | None]:
    """The text whose bytes are the characters of `raw`."""
    if raw.isascii() and not said:
        return raw, None
    return _in_encoding(raw.encode("latin-1"), said, encoding)


def _in_encoding(content: bytes, said: Sequence[str], encoding: str) -> tuple[str, str | None]:
    for name in (*said, "utf-8", encoding):
        try:
            return content.decode(codecs.lookup(name).name), None
        except (LookupError, UnicodeError, ValueError):
            continue
    return content.decode("cp1252", "replace"), f"bytes that are not {[*said, encoding][0]} are read as cp1252"


def _pieces(value: str, separator: str, pattern: re.Pattern[str]) -> list[str]:
    if "\\" not in value:
        return [piece.strip() for piece in value.split(separator)]
    return [_unescaped(found[1]).strip() for found in pattern.finditer(value)]


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], text)
