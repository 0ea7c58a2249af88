"""Generates, once for each class, functions that turn JSON values into attrs objects and back.

A class of commands, replies or events declares everything about its JSON form. So source can be generated for it that
has nothing left to look up or decide, as attrs does for `__init__`. For `ListThread` they are

    def structure(values):
        if values.__class__ is not dict: raise Unfit
        found = 1
        v0 = values['message']
        if v0.__class__ is not str: raise Unfit
        if not (32 <= len(v0) <= 32 and … and matches2(v0)) and fault1(v0) is not None: raise Unfit
        if 'after' in values:
            found += 1
            v3 = values['after']
            if v3.__class__ is not int: raise Unfit
            if fault4(v3) is not None: raise Unfit
        else: v3 = default5
        …
        if found != len(values): raise Unfit
        return kind9(v0, v3, v6)

    def unstructure(value):
        fields = {'message': value.message, 'after': value.after, 'limit': value.limit}
        return fields

cattrs stays the definition of what is right: `Generated` is given a converter, and its functions return what the
converter returns. Two things are left to the converter. A function that finds a fault only raises: its caller has the
converter explain what is wrong. And the converter handles whatever no source is generated for: rare types, and classes
that are not `is_usual`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, Literal, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.fns import identity

from chatnode.model.fields import Items, Text

Function = Callable[[Any], Any]


class Unfit(Exception):
    """The values do not fit the class; the converter can say why."""


class Generated:
    """The functions of each class, generated when they are first needed.

    `converter` defines what they do. `wire_name` returns a field's name in JSON. Thread-safe: two threads that need the
    same function at once both generate it, and either is kept.
    """

    def __init__(self, converter: cattrs.Converter, wire_name: Callable[[str], str]) -> None:
        self.converter = converter
        self.wire_name = wire_name
        self._structurers: dict[Any, Function] = {}
        self._unstructurers: dict[Any, Function] = {}

    def structurer(self, kind: Any, within: tuple[Any, ...] = ()) -> Function:
        """The function that makes a `kind` from JSON values; it raises some exception if they do not fit.

        `within` are the classes being generated: where one contains itself, that part is left to the converter.
        """
        function = self._structurers.get(kind)
        if function is None:
            if kind in within or not is_usual(kind):
                return lambda value: self.converter.structure(value, kind)
            function = self._structurers[kind] = _Structuring(self, (*within, kind)).write(kind)
        return function

    def unstructurer(self, kind: Any, within: tuple[Any, ...] = ()) -> Function:
        """The function that makes JSON values from a `kind`; an attrs object becomes a new dict. `within` as above."""
        function = self._unstructurers.get(kind)
        if function is None:
            if kind in within:
                return self.converter.unstructure
            if not is_usual(kind):
                return self.converter.get_unstructure_hook(kind)
            function = self._unstructurers[kind] = _Unstructuring(self, (*within, kind)).write(kind)
        return function


def is_usual(kind: Any) -> bool:
    """Whether functions are generated for `kind`: an attrs class whose fields are just its arguments, in order."""
    if not (isinstance(kind, type) and attrs.has(kind)) or issubclass(kind, Generic):
        return False
    fields = attrs.fields(kind)
    return _arguments(kind) == tuple(field.name for field in fields) and not any(
        field.type is None or field.converter is not None or getattr(field.default, "takes_self", False)
        for field in fields
    )


def _arguments(kind: type[Any]) -> tuple[str, ...] | None:
    """The arguments of `kind`; None if some cannot be given by position. `inspect.signature` would take longer than
    all the rest."""
    code = getattr(kind.__init__, "__code__", None)
    return None if code is None or code.co_kwonlyargcount else code.co_varnames[1 : code.co_argcount]


class _Function:
    """The source of one function while it is written, and the objects that it refers to."""

    def __init__(self, generated: Generated, within: tuple[Any, ...], head: str) -> None:
        self.generated = generated
        self.within = within
        self._objects: dict[str, Any] = {"Unfit": Unfit}
        self._lines = [head]
        self._names = 0

    def line(self, depth: int, text: str) -> None:
        self._lines.append("    " * depth + text)

    def name(self, stem: str) -> str:
        """A name that is unique in the function."""
        self._names += 1
        return f"{stem}{self._names - 1}"

    def bind(self, stem: str, value: Any) -> str:
        """A name for `value` in the function's globals."""
        name = self.name(stem)
        self._objects[name] = value
        return name

    def compiled(self, name: str, kind: type[Any]) -> Function:
        exec(compile("\n".join(self._lines), f"<{name} {kind.__qualname__}>", "exec"), self._objects)
        return self._objects[name]


def _fields(kind: type[Any]) -> tuple[attrs.Attribute[Any], ...]:
    return attrs.fields(attrs.resolve_types(kind))


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and len(get_args(kind)) == 2 and NoneType in get_args(kind)


def _without_none(kind: Any) -> Any:
    return next(each for each in get_args(kind) if each is not NoneType)


class _Structuring(_Function):
    """Writes the function that structures a class. The statements for a type check the value of a variable, and replace
    it if need be."""

    def __init__(self, generated: Generated, within: tuple[Any, ...]) -> None:
        super().__init__(generated, within, "def structure(values):")

    def write(self, kind: type[Any]) -> Function:
        fields = _fields(kind)
        required = sum(field.default is attrs.NOTHING for field in fields)
        self.line(1, "if values.__class__ is not dict: raise Unfit")
        self.line(1, f"found = {required}")
        arguments = [self._field(field) for field in fields]
        self.line(1, "if found != len(values): raise Unfit")
        self.line(1, f"return {self.bind('kind', kind)}({', '.join(arguments)})")
        return self.compiled("structure", kind)

    def _field(self, field: attrs.Attribute[Any]) -> str:
        variable, key = self.name("v"), repr(self.generated.wire_name(field.name))
        if field.default is attrs.NOTHING:
            self.line(1, f"{variable} = values[{key}]")
            self._value(1, variable, field.type)
            return variable
        self.line(1, f"if {key} in values:")
        self.line(2, f"{variable} = values[{key}]")
        self.line(2, "found += 1")
        self._value(2, variable, field.type)
        self.line(1, f"else: {variable} = {self._default(field.default)}")
        return variable

    def _default(self, default: Any) -> str:
        if default is None:
            return "None"
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            return f"{self.bind('factory', default.factory)}()"
        return self.bind("default", default)

    def _value(self, depth: int, variable: str, kind: Any) -> None:
        origin, arguments = get_origin(kind), get_args(kind)
        if kind in (str, int, bool):
            self.line(depth, f"if {variable}.__class__ is not {kind.__name__}: raise Unfit")
        elif origin is Annotated:
            bounds = [bound for bound in arguments[1:] if hasattr(bound, "fault")]
            lengths = [bound for bound in bounds if isinstance(bound, Items)]
            if lengths:
                self.line(depth, f"if {variable}.__class__ is not list: raise Unfit")
                self._bounds(depth, variable, lengths)
            self._value(depth, variable, arguments[0])
            self._bounds(depth, variable, [bound for bound in bounds if bound not in lengths])
        elif origin is Literal:
            words = self.bind("words", frozenset(arguments))
            self.line(depth, f"if {variable}.__class__ is not str or {variable} not in {words}: raise Unfit")
        elif _is_optional(kind):
            self.line(depth, f"if {variable} is not None:")
            self._value(depth + 1, variable, _without_none(kind))
        elif origin is list:
            self._list(depth, variable, arguments[0])
        elif origin is dict:
            self._dict(depth, variable, arguments[1])
        else:
            function = self.generated.structurer(kind, self.within)
            self.line(depth, f"{variable} = {self.bind('structure', function)}({variable})")

    def _bounds(self, depth: int, variable: str, bounds: Iterable[Any]) -> None:
        for bound in bounds:
            wrong = f"{self.bind('fault', bound.fault)}({variable}) is not None"
            if isinstance(bound, Text):  # nearly all texts are usual: for them nothing is called
                usual = bound.usual.format(text=variable, matches=self.bind("matches", bound.matches))
                wrong = f"not ({usual}) and {wrong}"
            self.line(depth, f"if {wrong}: raise Unfit")

    def _list(self, depth: int, variable: str, item: Any) -> None:
        items, each = self.name("items"), self.name("v")
        self.line(depth, f"if {variable}.__class__ is not list: raise Unfit")
        self.line(depth, f"{items} = []")
        self.line(depth, f"for {each} in {variable}:")
        self._value(depth + 1, each, item)
        self.line(depth + 1, f"{items}.append({each})")
        self.line(depth, f"{variable} = {items}")

    def _dict(self, depth: int, variable: str, item: Any) -> None:
        self.line(depth, f"if {variable}.__class__ is not dict: raise Unfit")
        if item is Any:
            return
        entries, key, each = self.name("entries"), self.name("k"), self.name("v")
        self.line(depth, f"{entries} = {{}}")
        self.line(depth, f"for {key}, {each} in {variable}.items():")
        self._value(depth + 1, each, item)
        self.line(depth + 1, f"{entries}[{key}] = {each}")
        self.line(depth, f"{variable} = {entries}")


class _Unstructuring(_Function):
    """Writes the function that turns an object into a dict. For each type, `_value` wraps an expression in one for its
    JSON value."""

    def __init__(self, generated: Generated, within: tuple[Any, ...]) -> None:
        super().__init__(generated, within, "def unstructure(value):")

    def write(self, kind: type[Any]) -> Function:
        """Fields that are None by default come last, and are left out while they are None."""
        optional = [field for field in _fields(kind) if field.default is None]
        rest = [field for field in _fields(kind) if field.default is not None]
        entries = (f"{self._key(field)}: {self._value(f'value.{field.name}', field.type)}" for field in rest)
        self.line(1, f"fields = {{{', '.join(entries)}}}")
        for field in optional:
            inner = _without_none(field.type) if _is_optional(field.type) else field.type
            self.line(1, f"if value.{field.name} is not None:")
            self.line(2, f"fields[{self._key(field)}] = {self._value(f'value.{field.name}', inner)}")
        self.line(1, "return fields")
        return self.compiled("unstructure", kind)

    def _key(self, field: attrs.Attribute[Any]) -> str:
        return repr(self.generated.wire_name(field.name))

    def _value(self, value: str, kind: Any) -> str:
        if get_origin(kind) is Annotated:
            return self._value(value, get_args(kind)[0])
        if _is_optional(kind):
            return f"None if {value} is None else {self._value(value, _without_none(kind))}"
        if get_origin(kind) is list:
            each = self.name("each")
            inner = self._value(each, get_args(kind)[0])
            return f"list({value})" if inner == each else f"[{inner} for {each} in {value}]"
        function = self.generated.unstructurer(kind, self.within)
        return value if function is identity else f"{self.bind('unstructure', function)}({value})"
