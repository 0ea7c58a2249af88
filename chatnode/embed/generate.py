"""Writes the classes of typed calls from the command table.

`chatnode/embed/_calls.py` is what `python -m chatnode.embed.generate` prints; a test compares the two. `chatnode plugin
docs --python` prints the same for the commands of plugins.
"""

from __future__ import annotations

import json
import keyword
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from inspect import cleandoc
from textwrap import wrap
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from chatnode.dispatch.table import Command
from chatnode.hooks.plugin import Plugin
from chatnode.protocol.codec import wire_name
from chatnode.services import COMMANDS

WIDTH = 120
_SCALARS = {str: "str", int: "int", float: "float", bool: "bool"}
_ABOUT = """Typed calls: every command of the node as a method, with its types, defaults and description.

`python -m chatnode.embed.generate` writes this file; a test compares."""


def render(commands: Iterable[Command[Any, Any]], about: str = _ABOUT) -> str:
    """The module with `AsyncCalls` and `BlockingCalls`, each made with a function that runs a command."""
    root = _Group("")
    for command in commands:
        root.put(command, command.name.split("."))
    imports = _Imports()
    body = [line for flavour in (_ASYNC, _BLOCKING) for line in _classes(root, flavour, imports)]
    text = "\n".join(body)
    return "\n".join([*_head(about, text, imports), text.rstrip(), ""])


def render_plugins(plugins: Sequence[Plugin]) -> str:
    """The same for the commands of plugins."""
    named = ", ".join(f"{each.name} {each.version}".strip() for each in plugins)
    made = 'Written by `chatnode plugin docs --python`. Make one with `AsyncCalls(node.person("ann").run)`.'
    return render([command for each in plugins for command in each.commands], f"Typed calls of {named}.\n\n{made}")


class _Group:
    """Commands whose names begin with `path`: one that is called so itself, and those below it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.command: Command[Any, Any] | None = None
        self.below: dict[str, _Group] = {}

    def put(self, command: Command[Any, Any], names: list[str]) -> None:
        if not names:
            self.command = command
            return
        path = f"{self.path}.{names[0]}" if self.path else names[0]
        self.below.setdefault(names[0], _Group(path)).put(command, names[1:])

    def stem(self) -> str:
        return "".join(part.capitalize() for part in self.path.replace("_", ".").split("."))


class _Imports:
    """Which names a module needs, for its type checker only."""

    def __init__(self) -> None:
        self._of_module: dict[str, set[str]] = defaultdict(set)
        self._kinds: dict[str, type[Any]] = {}

    def use(self, kind: type[Any]) -> str:
        """The name under which a class is known in the module: its own, unless that is taken."""
        name = kind.__name__
        while self._kinds.setdefault(name, kind) is not kind:
            name += "_"
        self._of_module[kind.__module__].add(name if name == kind.__name__ else f"{kind.__name__} as {name}")
        return name

    def lines(self) -> Iterator[str]:
        for module in sorted(self._of_module):
            names = sorted(self._of_module[module], key=str.casefold)
            line = f"    from {module} import {', '.join(names)}"
            if len(line) <= WIDTH:
                yield line
            else:
                yield from (f"    from {module} import (", *(f"        {name}," for name in names), "    )")


@attrs.frozen
class _Flavour:
    prefix: str
    define: str
    wait: str


_ASYNC = _Flavour("Async", "async def", "await ")
_BLOCKING = _Flavour("Blocking", "def", "")


def _head(about: str, text: str, imports: _Imports) -> list[str]:
    used = [name for name in ("cid_or_new", "given", "plain", "record") if f"{name}(" in text]
    abstract = [name for name in ("Mapping", "Sequence") if f"{name}[" in text]
    hints = [name for name in ("Any", "Literal") if name in text]
    lines = [f'"""{about}\n"""' if "\n" in about else f'"""{about}"""', "", "from __future__ import annotations", ""]
    if abstract or hints:
        lines += ["from typing import TYPE_CHECKING", ""]
    lines += [f"from chatnode.embed.calling import {', '.join(['AsyncGroup', 'BlockingGroup', *used])}", ""]
    lines += ["if TYPE_CHECKING:"]
    if abstract:
        lines.append(f"    from collections.abc import {', '.join(abstract)}")
    if hints:
        lines.append(f"    from typing import {', '.join(hints)}")
    if abstract or hints:
        lines.append("")
    return [*lines, *imports.lines(), ""]


def _classes(group: _Group, flavour: _Flavour, imports: _Imports) -> Iterator[str]:
    """The classes of the groups below, then the group's own."""
    for each in group.below.values():
        if each.below:
            yield from _classes(each, flavour, imports)
    of = f"The commands `{group.path}.…`." if group.path else "All commands, by their groups."
    name = f"{flavour.prefix}{group.stem() or 'Calls'}"
    yield from ("", f"class {name}({flavour.prefix}Group):", f'    """{of}"""', "", "    __slots__ = ()")
    if group.command is not None:
        yield from _method("__call__", group.command, flavour, imports)
    for word, each in group.below.items():
        attribute = f"{word}_" if keyword.iskeyword(word) else word
        if each.below:
            yield from ("", "    @property", f"    def {attribute}(self) -> {flavour.prefix}{each.stem()}:")
            yield f"        return {flavour.prefix}{each.stem()}(self._run)"
        elif each.command is not None:
            yield from _method(attribute, each.command, flavour, imports)
    yield ""


def _method(name: str, command: Command[Any, Any], flavour: _Flavour, imports: _Imports) -> Iterator[str]:
    fields = [_Field(field, kind, imports) for field, kind in _fields(command.takes)]
    fields.sort(key=lambda field: field.default is not None)  # as arguments without a default come first
    gives = imports.use(command.gives)
    parameters = ["self", *(["*"] if fields else []), *(field.parameter for field in fields)]
    yield ""
    line = f"    {flavour.define} {name}({', '.join(parameters)}) -> {gives}:"
    if len(line) <= WIDTH:
        yield line
    else:
        yield from (f"    {flavour.define} {name}(", *(f"        {each}," for each in parameters), f"    ) -> {gives}:")
    yield from _docstring(command)
    run = f"return {flavour.wait}self._run({json.dumps(command.name)}, "
    entries = [f"{json.dumps(field.wire)}: {field.value}" for field in fields]
    line = f"        {run}given({{{', '.join(entries)}}}))" if entries else f"        {run}{{}})"
    if len(line) <= WIDTH:
        yield line
    else:
        name = "values" if any(field.wire == "fields" for field in fields) else "fields"
        yield from (f"        {name} = {{", *(f"            {entry}," for entry in entries), "        }")
        yield f"        {run}given({name}))"


def _fields(takes: type[Any]) -> Iterator[tuple[attrs.Attribute[Any], Any]]:
    hints = get_type_hints(takes, include_extras=True)
    for field in attrs.fields(takes):
        yield field, hints[field.name]


class _Field:
    """A field of a request as a parameter: `parameter` declares it, `value` makes its plain value."""

    def __init__(self, field: attrs.Attribute[Any], kind: Any, imports: _Imports) -> None:
        self.wire = wire_name(field.name)
        name = f"{self.wire}_" if keyword.iskeyword(self.wire) else self.wire
        optional, kind = _without_none(_without_bounds(kind))
        shown = _shown(kind, imports)
        self.default: str | None = _default(field)
        self.value = _value(name, kind)
        if name == "cid" and self.default is None:
            self.default, self.value = "None", "cid_or_new(cid)"
        if optional or self.default == "None":
            shown += " | None"
        self.parameter = f"{name}: {shown}" + (f" = {self.default}" if self.default is not None else "")


def _default(field: attrs.Attribute[Any]) -> str | None:
    """The default as source; None for a field that must be given."""
    default: Any = field.default
    if default is attrs.NOTHING:
        return None
    if not isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return json.dumps(default) if isinstance(default, str) else repr(default)
    made: Any = None if default.takes_self else default.factory()
    if made.__class__ is not list:
        return "None"
    items: list[Any] = made
    return f"({''.join(f'{json.dumps(item)}, ' for item in items).strip()})"


def _value(name: str, kind: Any) -> str:
    if kind in _SCALARS or get_origin(kind) is Literal:
        return name
    if _is_record(kind):
        return f"record({', '.join([name, *(json.dumps(wire_name(field.name)) for field in attrs.fields(kind))])})"
    return f"plain({name})"


def _is_record(kind: Any) -> bool:
    """Whether a tuple may stand for it: a class of two or three texts and numbers, all of which are needed."""
    if not (isinstance(kind, type) and attrs.has(kind)):
        return False
    fields = list(_fields(kind))
    return 2 <= len(fields) <= 3 and all(
        field.default is attrs.NOTHING and _without_bounds(hint) in _SCALARS for field, hint in fields
    )


def _shown(kind: Any, imports: _Imports) -> str:
    """A type as it is written for a parameter."""
    kind = _without_bounds(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind is Any:
        return "Any"
    if origin is Literal:
        return f"Literal[{', '.join(json.dumps(word) for word in arguments)}]"
    if origin in (Union, UnionType):
        shown = [_shown(each, imports) for each in arguments if each is not NoneType]
        return " | ".join([*shown, "None"] if NoneType in arguments else shown)
    if origin is list:
        return f"Sequence[{_shown(arguments[0], imports)}]"
    if origin is dict:
        return f"Mapping[{_shown(arguments[0], imports)}, {_shown(arguments[1], imports)}]"
    if _is_record(kind):
        parts = ", ".join(_shown(hint, imports) for _, hint in _fields(kind))
        return f"{imports.use(kind)} | tuple[{parts}] | Mapping[str, Any]"
    if isinstance(kind, type):
        return f"{imports.use(kind)} | Mapping[str, Any]"
    raise TypeError(f"no source for the type {kind!r}")


def _without_bounds(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _without_none(kind: Any) -> tuple[bool, Any]:
    """Whether the type takes None, and what else it takes."""
    others = [each for each in get_args(kind) if each is not NoneType]
    if get_origin(kind) not in (Union, UnionType) or len(others) == len(get_args(kind)):
        return False, kind
    return True, _without_bounds(others[0]) if len(others) == 1 else Union[tuple(others)]  # noqa: UP007 -- of a tuple


def _docstring(command: Command[Any, Any]) -> Iterator[str]:
    """What the command does, and what its request says of its fields."""
    words = command.description
    if command.takes.__doc__ and attrs.fields(command.takes):
        words += f"\n\n{cleandoc(command.takes.__doc__)}"
    words = words.replace("\\", "\\\\").replace('"""', "'''")
    lines: list[str] = []
    for paragraph in words.split("\n\n"):
        lines += ["", *wrap(" ".join(paragraph.split()), WIDTH - 12)]
    if len(lines) == 2:
        yield f'        """{lines[1]}"""'
        return
    yield f'        """{lines[1]}'
    yield from (f"        {line}".rstrip() for line in lines[2:])
    yield '        """'


if __name__ == "__main__":
    sys.stdout.write(render(COMMANDS))
