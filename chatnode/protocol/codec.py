"""JSON to attrs and back. Nothing else in chatnode reads or writes JSON of the protocol.

Checking is strict: no unknown keys, no numbers for texts, no texts for numbers, every bound of
`chatnode.model.fields` held. A fault is a `Refusal` whose `path` is the field's, as in `members.2`.
Only `read` is lenient, for a client whose node may be newer than itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints, is_typeddict

import attrs
import cattrs
import orjson
from cattrs.fns import identity
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from chatnode.errors import Refusal
from chatnode.model.fields import Items
from chatnode.protocol.generate import Generated

T = TypeVar("T")


def decode(data: bytes | bytearray | memoryview, max_depth: int = 0) -> Any:
    """JSON text as Python values. `max_depth` 0 leaves the parser's own bound of 1,024.

    Raises `Refusal("bad_json")`, also for text that is not UTF-8.
    """
    raw = data if isinstance(data, bytes) else bytes(data)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if max_depth and "depth limit" in str(error):
            raise _too_deep(max_depth) from None
        raise Refusal("bad_json", f"not JSON: {error}") from None
    if max_depth and raw.count(b"{") + raw.count(b"[") > max_depth and _is_deeper(value, max_depth):
        raise _too_deep(max_depth)
    return value


def _too_deep(most: int) -> Refusal:
    return Refusal("bad_json", f"objects and arrays are nested deeper than {most}")


def encode(value: Any) -> bytes:
    """JSON text of an attrs object or of plain values. Fields that are None by default are left out."""
    return orjson.dumps(value if isinstance(value, dict) else to_plain(value))


def raw(json: bytes) -> Any:
    """JSON text as a value that `encode` copies unchanged into the dict that holds it."""
    return orjson.Fragment(json)


def to_plain(value: Any) -> Any:
    """An attrs object as the dict that is its JSON form."""
    return _unstructurer(value.__class__)(value)


def structure(values: dict[str, Any], kind: type[T]) -> T:
    """`values` as a `kind`; raises `Refusal("invalid")` with the path of the first fault."""
    try:
        return _structurer(kind)(values)
    except Exception:  # the generated function does not say which field is wrong; the converter does
        raise _explain(_strict, values, kind) from None


def read(values: Any, kind: type[T]) -> T:
    """`values` from a node that may be newer: unknown keys and words are accepted, bounds are not checked.

    Raises `Refusal("invalid")` with its path when a field is missing or has another type.
    """
    try:
        return _lenient.structure(values, kind)
    except Exception:
        raise _explain(_lenient_explaining, values, kind) from None


def unreadable(kind: type[Any], seen: frozenset[type[Any]] = frozenset()) -> tuple[str, Any] | None:
    """The first field of an attrs class, with its type, that no request can have; None if there is none."""
    for name, hint in get_type_hints(kind, include_extras=True).items() if kind not in seen else ():
        if name in attrs.fields_dict(kind):
            for part in _parts(hint):
                if attrs.has(part):
                    inner = unreadable(part, seen | {kind})
                    if inner is not None:
                        return f"{wire_name(name)}.{inner[0]}", inner[1]
                elif not _is_read(part):
                    return wire_name(name), part
    return None


def _parts(hint: Any) -> Iterable[Any]:
    """The types that a type is made of, and then itself."""
    if get_origin(hint) is not Literal:
        for each in get_args(hint):
            if isinstance(each, type) or get_origin(each) is not None:
                yield from _parts(each)
    yield hint


def _is_read(kind: Any) -> bool:
    if kind in (bytes, bytearray):
        return False
    try:
        _strict.get_structure_hook(kind)
    except Exception:
        return kind is NoneType
    return True


def wire_name(attribute: str) -> str:
    """`with_` is `with` on the wire: a Python keyword cannot name a field."""
    return attribute.rstrip("_")


def _is_deeper(value: Any, most: int) -> bool:
    """Whether arrays and objects are nested deeper. It goes by levels: a loop over the text would take ten times as
    long for a request that is nothing but brackets, and anybody may send those."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for each in level
            if each.__class__ is list or each.__class__ is dict
            for inner in (each if each.__class__ is list else each.values())
        ]
        if not level:
            return False
    return any(each.__class__ is list or each.__class__ is dict for each in level)


def _explain(converter: cattrs.Converter, values: Any, kind: type[Any]) -> Refusal:
    try:
        converter.structure(values, kind)
    except Exception as error:
        path, message = _first_fault(error)
        known = {wire_name(field.name) for field in attrs.fields(kind)} if attrs.has(kind) else set[str]()
        if message == _MISSING and path in known:
            unknown = sorted(str(name) for name in values if name not in known) if converter is _strict else []
            message += f"; {unknown[0][:80]} is not a field of this command" if unknown else ""
        return Refusal("invalid", f"{path or 'the request'} {message}", path=path)
    return Refusal("invalid", "the request does not match the command")


_MISSING = "is missing"


def _first_fault(error: BaseException) -> tuple[str, str]:
    """Path and message of the innermost first error in cattrs' tree of them."""
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return min(error.extra_fields), "is not a field of this command"
    if not isinstance(error, BaseExceptionGroup):
        if isinstance(error, KeyError) and error.args:
            return wire_name(str(error.args[0])), _MISSING
        return "", str(error) if isinstance(error, _Fault) else "has the wrong type"
    group = cast("BaseExceptionGroup[BaseException]", error)
    for inner in group.exceptions:
        place = _place(inner)
        path, message = _first_fault(inner)
        return ".".join(part for part in (place, path) if part), message
    return "", "is wrong"


def _place(error: BaseException) -> str:
    """The notes on an error lead from the value outwards: `0` then `members`."""
    parts: list[str] = []
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, cattrs.AttributeValidationNote) and not isinstance(error, KeyError):
            parts.append(wire_name(note.name))
        elif isinstance(note, cattrs.IterableValidationNote):
            parts.append(str(note.index))
    return ".".join(reversed(parts))


_TEXT = "a string"


class _Fault(ValueError):
    """A value that does not fit its field, said for people."""


def _exactly(kind: type[Any], name: str) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        if value.__class__ is not kind:
            raise _Fault(f"must be {name}")
        return value

    return check


def _number(value: Any, _: Any) -> float:
    if value.__class__ is not float and value.__class__ is not int:
        raise _Fault("must be a number")
    try:
        return float(value)
    except OverflowError:
        raise _Fault("is too large") from None


def _strict_list(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    item = get_args(kind)[0]
    inner = converter.get_structure_hook(item)

    def check(value: Any, _: Any) -> Any:
        if value.__class__ is not list:
            raise _Fault("must be a list")
        items: list[Any] = []
        for index, each in enumerate(value):
            try:
                items.append(inner(each, item))
            except Exception as error:
                error.add_note(cattrs.IterableValidationNote("", index, item))
                raise
        return items

    return check


def _strict_dict(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    item = get_args(kind)[1]
    inner: Callable[[Any, Any], Any] | None = None if item is Any else converter.get_structure_hook(item)

    def check(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            raise _Fault("must be an object")
        if inner is None:
            return value
        entries: dict[str, Any] = {}
        for name, each in value.items():
            try:
                entries[name] = inner(each, item)
            except Exception as error:
                error.add_note(cattrs.IterableValidationNote("", name[:80], item))
                raise
        return entries

    return check


def _one_of(kind: Any) -> Callable[[Any, Any], Any]:
    choices = get_args(kind)

    def check(value: Any, _: Any) -> Any:
        if value.__class__ is not str or value not in choices:
            raise _Fault(f"must be one of {', '.join(choices)}")
        return value

    return check


def _bounded(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    base, *bounds = get_args(kind)
    faults = [bound.fault for bound in bounds if hasattr(bound, "fault") and not isinstance(bound, Items)]
    lengths = [bound.fault for bound in bounds if isinstance(bound, Items)]
    inner = converter.get_structure_hook(base)

    def check(value: Any, _: Any) -> Any:
        if value.__class__ is list:
            _refuse_first(lengths, value)
        checked = inner(value, base)
        _refuse_first(faults, checked)
        return checked

    return check


def _refuse_first(faults: Iterable[Callable[[Any], str | None]], value: Any) -> None:
    for fault in faults:
        message = fault(value)
        if message is not None:
            raise _Fault(message)


def _any_word(kind: Any) -> Callable[[Any, Any], Any]:
    return _exactly(str, _TEXT)


def _unbounded(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    base = get_args(kind)[0]
    inner = converter.get_structure_hook(base)
    return lambda value, _: inner(value, base)


def _object(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    inner = make_dict_structure_fn(kind, converter, **_renames(kind))

    def check(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            raise _Fault("must be an object")
        return inner(value, kind)

    return check


def _renames(kind: Any) -> dict[str, Any]:
    return {
        field.name: override(rename=wire_name(field.name)) for field in attrs.fields(kind) if field.name.endswith("_")
    }


def _is_plain(kind: Any) -> bool:
    return is_typeddict(kind) or (get_origin(kind) is dict and get_args(kind) == (str, Any))


def _has_origin(origin: Any) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) is origin


def _make_converter(explaining: bool, lenient: bool = False) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=not lenient, detailed_validation=explaining, omit_if_default=False)
    converter.register_structure_hook(str, _exactly(str, _TEXT))
    converter.register_structure_hook(int, _exactly(int, "an integer"))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _exactly(bool, "true or false"))
    converter.register_structure_hook_factory(_has_origin(list), partial(_strict_list, converter))
    converter.register_structure_hook_factory(_has_origin(dict), partial(_strict_dict, converter))
    converter.register_structure_hook_factory(_has_origin(Literal), _any_word if lenient else _one_of)
    converter.register_structure_hook_factory(attrs.has, partial(_object, converter))
    converter.register_structure_hook_factory(
        _has_origin(Annotated), partial(_unbounded if lenient else _bounded, converter)
    )

    def leave_out_none(kind: Any) -> Callable[[Any], Any]:
        optional: dict[str, Any] = {
            field.name: override(omit_if_default=field.default is None, rename=wire_name(field.name))
            for field in attrs.fields(kind)
        }
        return make_dict_unstructure_fn(kind, converter, **optional)

    converter.register_unstructure_hook_factory(attrs.has, leave_out_none)
    # What is declared as JSON's own values is that already; a page may hold much of it.
    converter.register_unstructure_hook_func(_is_plain, identity)
    return converter


_strict = _make_converter(explaining=True)
_lenient = _make_converter(explaining=False, lenient=True)
_lenient_explaining = _make_converter(explaining=True, lenient=True)

_generated = Generated(_strict, wire_name)
_structurer = cache(_generated.structurer)
_unstructurer = cache(_generated.unstructurer)
