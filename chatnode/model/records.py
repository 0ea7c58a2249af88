"""`record`: an attrs class that is quick to make, for what commands, replies, events and rows are made of.

A node has a thousand such classes, and makes them before it serves; most wait for a request that seldom comes. A record
begins as a class with slots, and attrs writes the rest of it when it is needed (docs/adr/0052-records-when-needed.md).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform, overload

import attrs

C = TypeVar("C", bound=type[object])


@overload
def record(kind: C, /) -> C: ...
@overload
def record(*, frozen: bool = False, kw_only: bool = False) -> Callable[[C], C]: ...
@dataclass_transform(field_specifiers=(attrs.field,))
def record(kind: C | None = None, /, *, frozen: bool = False, kw_only: bool = False) -> C | Callable[[C], C]:
    """As `attrs.define`, or with `frozen` as `attrs.frozen`: `==`, `hash` and `repr` give the same. A record has no
    `cached_property`."""
    write = attrs.define(frozen=frozen, kw_only=kw_only)
    methods = _FROZEN if frozen else _CHANGING

    def make(kind: C) -> C:
        own = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
        return _begun(kind, {**own, **methods}, write)

    return make if kind is None else make(kind)


def _begun(kind: C, declared: dict[str, Any], write: Callable[[Any], type[Any]]) -> C:
    """`kind` with slots for its fields, which a class gets when it is made and not later."""
    fields = [name for name, of in kind.__annotations__.items() if not str(of).startswith(_OF_THE_CLASS)]
    inherited = {slot for base in kind.__mro__ for slot in getattr(base, "__slots__", ())}
    also = () if any(hasattr(base, "__weakref__") for base in kind.__bases__) else ("__weakref__",)
    body = {name: value for name, value in declared.items() if name not in fields}
    slots = (*(name for name in fields if name not in inherited), *also)
    made = _class_like(kind, {**_UNWRITTEN, **body, "__slots__": slots})
    for value in body.values():
        function = getattr(value, "__func__", getattr(value, "fget", value))
        for cell in getattr(function, "__closure__", None) or ():
            with suppress(ValueError):  # it is empty
                if cell.cell_contents is kind:  # `super()` without arguments looks there
                    cell.cell_contents = made
    made.__attrs_attrs__ = _Unwritten(made, declared, write)
    return made


class _Unwritten:
    """Where attrs has the fields of a class, until someone asks for those of the record: then attrs writes the rest.

    attrs makes another class of what was declared, and the record gets what that has more. Two threads that ask at a
    time do the same twice. The fields come last: who finds them finds the rest, too.
    """

    __slots__ = ("_declared", "_record", "_write")

    def __init__(self, record: type[Any], declared: dict[str, Any], write: Callable[[Any], type[Any]]) -> None:
        self._record = record
        self._declared = declared
        self._write = write

    def __get__(self, instance: object, owner: type[object]) -> object:
        record, written = self._record, self._write(_class_like(self._record, self._declared))
        for name, value in vars(written).items():
            if name not in self._declared and name not in record.__slots__ and name != "__attrs_attrs__":
                setattr(record, name, value)
        record.__attrs_attrs__ = fields = written.__attrs_attrs__
        return fields


def is_written(kind: type[object]) -> bool:
    """Whether nothing is left of a class for attrs to write when it is needed."""
    return not any(isinstance(vars(each).get("__attrs_attrs__"), _Unwritten) for each in kind.__mro__)


def _class_like(kind: Any, body: dict[str, Any]) -> Any:
    return type(kind)(kind.__name__, kind.__bases__, {**body, "__qualname__": kind.__qualname__})


def _written_first(name: str) -> Callable[..., Any]:
    """A method that has attrs write the class, and is then what attrs wrote."""

    def method(self: object, *args: object, **named: object) -> Any:
        _fields(self)
        return getattr(self, name)(*args, **named)

    return method


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


_OF_THE_CLASS = ("ClassVar", "typing.ClassVar")
_UNWRITTEN = {name: _written_first(name) for name in ("__init__", "__setstate__")}
# attrs leaves alone what a class has of its own.
_CHANGING = {"__eq__": _equal, "__repr__": _shown, "__hash__": None}
_FROZEN = _CHANGING | {"__hash__": _hashed}
