"""Errors out of a nursery, as whoever used it raised them."""

from __future__ import annotations

from typing import Any, NoReturn


def raise_single(group: BaseExceptionGroup[Any]) -> NoReturn:
    """Raise the only error of a nursery's group as itself, else the group: `except Refusal` around
    `async with connect(…)` works as if there were no nursery."""
    error: BaseException = group.exceptions[0] if len(group.exceptions) == 1 else group
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context  # raised here, it would show the group that it was taken out of
