"""Refuses what was not run: the result of an async function or a generator where a plain function was needed."""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, TypeVar, cast

from chatnode.errors import WrongKind

T = TypeVar("T")

_AWAITED = (CoroutineType, AsyncGeneratorType)
_UNFINISHED = (*_AWAITED, GeneratorType)


def finished(result: T, *, iterable: bool = False) -> T:
    """The result of a plain function that was called; raises `WrongKind` if calling it did not run it, as of an `async
    def`. Nothing else would notice: its write would count as done. `iterable`: it may be a generator."""
    if isinstance(result, _AWAITED if iterable else _UNFINISHED):
        name = cast("Any", result).__qualname__
        if isinstance(result, CoroutineType):
            result.close()  # or Python warns that nobody has awaited it
        raise WrongKind(f"{name} must be a plain function (def, without yield) and was not run")
    return result
