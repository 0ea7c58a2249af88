"""Which contacts a file has, so that a file goes when one of them is deleted: a bit for each key."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

PART = 1 << 16
"""Keys in a row that share bits."""


class KeySet:
    """Keys of contacts, added in ascending order, which are compressed as they come."""

    def __init__(self) -> None:
        self._parts: dict[int, bytes] = {}
        self._last = 0
        self._bits = bytearray(PART // 8)

    def add(self, keys: Iterable[int]) -> None:
        for part, some in groupby(keys, key=part_of):
            if part != self._last:
                self._parts[self._last] = zlib.compress(bytes(self._bits), 1)
                self._last, self._bits = part, bytearray(PART // 8)
            bits = self._bits
            for key in some:
                bits[key % PART >> 3] |= 1 << (key & 7)

    def parts(self) -> Iterator[tuple[int, bytes]]:
        """Each part's number and its bits, for `any_in`."""
        yield from self._parts.items()
        yield self._last, zlib.compress(bytes(self._bits), 1)

    def has_any(self, keys: Iterable[int]) -> bool:
        parts = dict(self.parts())
        return any(any_in(parts[part], list(some)) for part, some in by_part(keys) if part in parts)


def part_of(key: int) -> int:
    return key // PART


def by_part(keys: Iterable[int]) -> Iterator[tuple[int, Iterable[int]]]:
    """The keys, grouped by the parts that their bits are in."""
    return groupby(sorted(keys), key=part_of)


def any_in(bits: bytes, keys: Sequence[int]) -> bool:
    """Whether one of the keys, all of them of the part that these bits are of, is among them."""
    found = zlib.decompress(bits)
    return any(found[key % PART >> 3] & 1 << (key & 7) for key in keys)
