"""Events about a contact and a list or a tag: the log has room for one number, which is made of both keys."""

from __future__ import annotations

_BITS = 40


def pack(other: int, contact: int) -> int:
    """The subject of an event about the contact and the list or tag `other`."""
    return other << _BITS | contact


def unpack(subject: int) -> tuple[int, int]:
    """The keys that `pack` was given."""
    return subject >> _BITS, subject & (1 << _BITS) - 1
