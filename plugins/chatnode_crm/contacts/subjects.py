"""Subjects of events about a contact and something else, such as a list: both keys in one number."""

from __future__ import annotations

from collections.abc import Iterable

_BITS = 40
_MASK = (1 << _BITS) - 1


def pack_many(other: int, contacts: Iterable[int]) -> list[int]:
    """The subjects of events about contacts and one other object, by their keys."""
    high = other << _BITS
    return [high | contact for contact in contacts]


def unpack(subject: int) -> tuple[int, int]:
    """The keys of the other object and of the contact."""
    return subject >> _BITS, subject & _MASK
