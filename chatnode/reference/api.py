"""The parts of `docs/plugins/reference.md` that are made from the code: `python -m chatnode.reference.api FILE`.

Each stands between `<!-- made: NAME -->` and `<!-- end -->`; the words around them are written by hand. A test
compares.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin

import attrs

from chatnode import api
from chatnode.hooks import specs

DECLARED = (
    "Plugin", "Command", "EventKind", "Table", "Step", "Permission", "PluginRole", "Limit", "Consumer", "Task", "Route",
    "Request", "Response", "Page", "Metric", "Collection", "Field",
)  # fmt: skip
WORKED_WITH = (
    "Context",
    "PageContext",
    "Transaction",
    "Change",
    "Draft",
    "Row",
    "Place",
    "Account",
    "Person",
    "PersonRef",
    "Message",
    "Found",
    "Asker",
    "FilterSql",
    "ItemsPage",
)
_OF_THE_NODE = frozenset(
    {"core", "turn", "sign_in", "writing", "as_known", "prepared", "hooks", "next_gid", "recorded"}
)
"""Public within chatnode, and not promised to plugins."""

CONSTANTS = {
    "CHAT": "the permission that everybody with an account has, unless it was taken from their role",
    "MANAGE_PEOPLE": "the permission to look after accounts",
    "MODERATE": "the permission to look after what is said",
    "OPERATE": "the permission to look after the node",
    "API_VERSION": "what `Plugin.api` is compared with; see Compatibility",
    "MAY_SEE_PRESENCE": "SQL for a query of one's own: whether the person with the key `:me` may see how "
    "`people p LEFT JOIN presence s ON s.person = p.key` is",
    "Verdict": "what `check_command` gives",
    "Write": "a sync function that gets a transaction",
    "Reader": "a connection that only reads: `execute(sql, values)`, as in `sqlite3`; it sees one moment",
    "IntegrityError": "what SQLite raises when a constraint does not hold, of `sqlite3`",
    "hookimpl": "marks a function as an implementation of the hook that it has the name of",
    "kinds": "the types of fields of a collection",
}


_ORDER = {
    True: "Awaited for one plugin after the other, in their order; no wrappers.",
    False: "Called for one plugin after the other, in their order, within wrappers if there are any.",
}
"""By whether the hook is async."""


def fill(text: str) -> str:
    """The document with its made parts as they are now."""
    parts = {"hooks": hooks, "declarations": declarations, "classes": classes, "names": names}
    for name, make in parts.items():
        made = "\n".join(make())
        text = re.sub(
            f"(<!-- made: {name} -->\n).*?(<!-- end -->)",
            lambda found, made=made: f"{found[1]}{made}\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
    return text


def hooks() -> Iterator[str]:
    """Every hook with its signature, and how it is called."""
    for name, function in vars(specs).items():
        if not hasattr(function, f"{specs.PROJECT}_spec"):
            continue
        terms = specs.TERMS.get(name)
        yield f"### `{name}`"
        yield ""
        yield f"```python\n{_signature(name, function)}\n```"
        yield ""
        if terms is None:
            yield "When the node loads plugins; what fails makes the plugin broken."
        else:
            fails = "refuses what is being done" if terms.failure == "refuse" else "is left out, and reported"
            yield f"{_ORDER[inspect.iscoroutinefunction(function)]} Budget: `plugins.{terms.budget}`."
            yield f"An implementation that fails {fails}."
        yield ""
        yield inspect.getdoc(function) or ""
        yield ""


def declarations() -> Iterator[str]:
    """Every class that a declaration is made of."""
    for name in DECLARED:
        yield from _class(name, methods=False)


def classes() -> Iterator[str]:
    """Every class that functions of plugins get."""
    for name in WORKED_WITH:
        yield from _class(name)


def names() -> Iterator[str]:
    """Every public name, in a line each."""
    for name in sorted(api.__all__, key=str.casefold):
        yield f"- `{_short(name)}`: {_words(name)}"


def _class(name: str, *, methods: bool = True) -> Iterator[str]:
    kind: type[Any] = getattr(api, name)
    yield f"### `{name}`"
    yield ""
    yield inspect.getdoc(kind) or ""
    yield ""
    # As it is written: `field.type` is a class instead once somebody has asked for it.
    written = {name: said for each in reversed(kind.__mro__) for name, said in inspect.get_annotations(each).items()}
    fields = [field for field in (attrs.fields(kind) if attrs.has(kind) else ()) if _is_promised(field.name)]
    for field in fields:
        yield f"- `{field.name}: {written[field.name]}{_default(field)}`"
    if fields:
        yield ""
    for method, function in vars(kind).items() if methods else ():
        if not _is_promised(method):
            continue
        if isinstance(function, property):
            words = _line(inspect.getdoc(function))
            yield f"- `{method}`{f': {words}' if words else ''}"
        elif inspect.isfunction(function):
            yield f"- `{_signature(method, function).removesuffix(': ...')}`: {_line(inspect.getdoc(function))}"
    yield ""


def _is_promised(name: str) -> bool:
    return not name.startswith("_") and name not in _OF_THE_NODE


def _default(field: Any) -> str:
    if field.default is attrs.NOTHING:
        return ""
    made = callable(field.default) or isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]
    return " = …" if made else f" = {field.default!r}"


def _signature(name: str, function: Any) -> str:
    colour = "async def" if inspect.iscoroutinefunction(function) else "def"
    return f"{colour} {name}{inspect.signature(function)}: ...".replace("'", "")


def _short(name: str) -> str:
    value = getattr(api, name)
    if inspect.isfunction(value):
        return f"{name}({', '.join(inspect.signature(value).parameters)})"
    return name


def _words(name: str) -> str:
    value = getattr(api, name)
    if name in DECLARED or name in WORKED_WITH:
        return "see above"
    if name in CONSTANTS:
        return CONSTANTS[name] + (f" (`{value!r}`)" if isinstance(value, str) and " " not in value else "")
    if get_origin(value) is Annotated:
        kind, *bounds = get_args(value)
        return f"the type of a field: {kind.__name__}, {_bounds(bounds[0])}"
    return _line(inspect.getdoc(value))


def _bounds(bounds: Any) -> str:
    return str(getattr(bounds, "hint", "")) or ", ".join(
        f"{field.name} {getattr(bounds, field.name)}"
        for field in attrs.fields(cast("type[Any]", type(bounds)))
        if field.init and getattr(bounds, field.name) not in (None, "", False)
    )


def _line(text: str | None) -> str:
    """The first paragraph, on one line."""
    return " ".join((text or "").partition("\n\n")[0].split())


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(fill(document.read_text(encoding="utf-8")), encoding="utf-8")
