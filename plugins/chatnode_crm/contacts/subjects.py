"""Subjects of events about a contact and something else, such as a list: both keys in one number."""

from __future__ import annotations

_BITS = 40
_MASK = (1 << _BITS) - 1


def pack(other: int, contact: int) -> int:
    """The subject of an event about a contact and another object, by their keys."""
    return other << _BITS | contact


def unpack(subject: int) -> tuple[int, int]:
    """The keys of the other object and of the contact."""
    return subject >> _BITS, subject & _MASK
