"""Email addresses that can hardly be right, by their form alone: nothing is looked up on the network."""

from __future__ import annotations

import re
from typing import Literal

from chatnode.api import record

Reason = Literal["syntax", "no_dot", "reserved", "top_level", "misspelt"]


@record(frozen=True)
class Doubt:
    """Why an address can hardly be right, and which may be meant."""

    reason: Reason
    suggestion: str | None = None


_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")
_LOCAL = re.compile(r"[^\s\"(),:;<>@\[\]\\\x00-\x1f.]+(?:\.[^\s\"(),:;<>@\[\]\\\x00-\x1f.]+)*")

_RESERVED = frozenset({"test", "example", "invalid", "localhost", "local", "internal", "alt", "onion", "arpa"})
"""Top levels that no mail can be sent to."""
_EXAMPLES = ("example.com", "example.net", "example.org")

_TOP_LEVELS = {
    "con": "com", "cmo": "com", "ocm": "com", "vom": "com", "xom": "com", "cpm": "com", "coom": "com", "comm": "com",
    "clm": "com", "nte": "net", "ner": "net", "met": "net", "nett": "net", "ogr": "org", "orgg": "org", "rog": "org",
}  # fmt: skip
"""Top levels that do not exist, and what is meant by them."""

_BRANDS: dict[str, tuple[str, ...]] = {
    "gmail": ("com",), "googlemail": ("com",), "hotmail": ("com", "fr", "de", "it", "es", "co.uk", "be", "nl"),
    "outlook": ("com", "fr", "de", "it", "es"), "yahoo": ("com", "fr", "de", "it", "es", "co.uk"), "icloud": ("com",),
    "protonmail": ("com", "ch"), "wanadoo": ("fr",), "laposte": ("net",), "comcast": ("net",), "verizon": ("net",),
}  # fmt: skip
"""Well-known providers, and the ends of their domains."""
_OTHERS = frozenset({"mail", "email", "ymail", "fmail", "hmail", "xmail", "zmail", "jmail", "kmail", "vmail"})
"""Names that are one letter away from a provider's and exist."""


def doubt(address: str) -> Doubt | None:
    """What is wrong with an address; None if it may well be right."""
    local, at, domain = address.strip().rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or not domain:
        return Doubt("syntax")
    labels = domain.lower().split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        return Doubt("syntax")
    if len(labels) == 1:
        return Doubt("reserved" if labels[0] in _RESERVED else "no_dot")
    top = labels[-1]
    if top in _RESERVED or any(domain.lower() == each or domain.lower().endswith(f".{each}") for each in _EXAMPLES):
        return Doubt("reserved")
    if top in _TOP_LEVELS:
        return Doubt("misspelt", f"{local}@{'.'.join([*labels[:-1], _TOP_LEVELS[top]])}")
    if len(top) == 1 or (not top.startswith("xn--") and any(each.isdigit() or each == "-" for each in top)):
        return Doubt("top_level")
    meant = _brand(labels[0], ".".join(labels[1:]))
    return Doubt("misspelt", f"{local}@{meant}") if meant is not None else None


def _brand(name: str, end: str) -> str | None:
    """The domain of the provider whose name is one slip of the keyboard away."""
    if name in _BRANDS or name in _OTHERS:
        return None
    for brand, ends in _BRANDS.items():
        if end in ends and _is_one_slip(name, brand):
            return f"{brand}.{end}"
    return None


def _is_one_slip(one: str, other: str) -> bool:
    """Whether one letter was added, left out or replaced, or two neighbours were exchanged."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    if one[:2] == other[1::-1] and len(one) >= 2 and len(other) >= 2 and one[2:] == other[2:]:
        return True
    return one[1:] == other[1:] or one[1:] == other or one == other[1:]
