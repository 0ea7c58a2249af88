"""Numbers of things, in English."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 session`, `2 sessions`; with `plural` for a noun that needs more than an s: `3 entries`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
