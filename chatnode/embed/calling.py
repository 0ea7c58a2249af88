"""What the generated classes of typed calls are made of. Imports nothing of the node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chatnode.counting import counted

AsyncRun = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Runs a command, with its fields as plain values; gives an object of its reply class."""
BlockingRun = Callable[[str, dict[str, Any]], Any]


class AsyncGroup:
    """Commands whose names begin alike, for programs that await them."""

    __slots__ = ("_run",)

    def __init__(self, run: AsyncRun) -> None:
        self._run = run


class BlockingGroup:
    """Commands whose names begin alike, for programs that wait in a thread."""

    __slots__ = ("_run",)

    def __init__(self, run: BlockingRun) -> None:
        self._run = run


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given: those that are None are left out."""
    return {name: value for name, value in fields.items() if value is not None}


def plain(value: Any) -> Any:
    """Objects of the model as dicts, and any sequences and mappings as lists and dicts: what commands take."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if hasattr(value, "__attrs_attrs__"):
        from chatnode.protocol import codec

        return codec.to_plain(value)
    return [plain(each) for each in value]


def record(value: Any, *names: str) -> Any:
    """`plain`, where a tuple may stand for an object: it has the values of these fields, in their order."""
    if value.__class__ is tuple:
        values: tuple[Any, ...] = value
        if len(values) != len(names):
            raise TypeError(f"expected {counted(len(names), 'value')}, {', '.join(names)}, not {len(values)}")
        return {name: plain(each) for name, each in zip(names, values, strict=True)}
    return plain(value)


def cid_or_new(cid: str | None) -> str:
    """`cid`, or a new one."""
    if cid is not None:
        return cid
    from chatnode.model.cids import new_cid

    return new_cid()
