"""`record`: an attrs class that is quick to make, for what commands, replies, events and rows are made of.

A node has a thousand such classes, and makes them before it serves. Most of the time that attrs takes for one goes into
writing and compiling methods that are hardly ever called. Records share theirs, and attrs writes `__init__` alone
(docs/adr/0050-records.md).
"""

from __future__ import annotations

from collections.abc import Callable
from reprlib import recursive_repr
from typing import TypeVar, dataclass_transform, overload

import attrs

C = TypeVar("C", bound=type[object])


@overload
def record(kind: C, /) -> C: ...
@overload
def record(*, frozen: bool = False, kw_only: bool = False) -> Callable[[C], C]: ...
@dataclass_transform(field_specifiers=(attrs.field,))
def record(kind: C | None = None, /, *, frozen: bool = False, kw_only: bool = False) -> C | Callable[[C], C]:
    """As `attrs.define`, or with `frozen` as `attrs.frozen`: `==`, `hash` and `repr` give the same."""

    def make(kind: C) -> C:
        # attrs leaves alone what a class has of its own.
        for name, method in (_FROZEN if frozen else _CHANGING).items():
            setattr(kind, name, method)
        return attrs.define(kind, frozen=frozen, kw_only=kw_only)

    return make if kind is None else make(kind)


def _equal(one: object, other: object) -> bool:
    if other.__class__ is not one.__class__:
        return NotImplemented
    return all(getattr(one, field.name) == getattr(other, field.name) for field in _fields(one) if field.eq)


def _hashed(self: object) -> int:
    return hash((self.__class__, *(getattr(self, field.name) for field in _fields(self) if field.eq)))


@recursive_repr()
def _shown(self: object) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in _fields(self) if field.repr)
    return f"{self.__class__.__qualname__.rpartition('>.')[2]}({shown})"


def _fields(self: object) -> tuple[attrs.Attribute[object], ...]:
    return attrs.fields(self.__class__)


_CHANGING = {"__eq__": _equal, "__repr__": _shown, "__hash__": None}
_FROZEN = _CHANGING | {"__hash__": _hashed}
