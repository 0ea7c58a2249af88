"""Numbers of things, in English."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "", form: str = "d") -> str:
    """`1 session`, `2 sessions`; with `plural` for a noun that needs more than an s: `3 entries`.

    `form` is the format of the number, such as `,` for large ones.
    """
    return f"{number:{form}} {noun if number == 1 else plural or f'{noun}s'}"
