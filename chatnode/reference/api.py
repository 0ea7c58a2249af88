"""The parts of `docs/plugins/reference.md` that are made from the code: `python -m chatnode.reference.api FILE`.

Each stands between `<!-- made: NAME -->` and `<!-- end -->`; the words around them are written by hand. A test
compares.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin, is_typeddict

import attrs

from chatnode import api
from chatnode.hooks import specs
from chatnode.reference.events import events
from chatnode.reference.parts import fill_parts
from chatnode.reference.typed import shown, signature, words_of_fields

DECLARED = (
    "Plugin", "Command", "EventKind", "Table", "Step", "Permission", "PluginRole", "Limit", "Consumer", "Task",
    "WorkKind", "Slash", "Route", "Response", "FilePart", "Page", "Metric", "Collection", "Field", "RemovalNote",
)  # fmt: skip
WORKED_WITH = (
    "Context",
    "PageContext",
    "FileLinks",
    "Request",
    "Transaction",
    "Work",
    "EndedWork",
    "WorkInfo",
    "SlashCall",
    "SlashReply",
    "Change",
    "Draft",
    "AsPerson",
    "AsOperator",
    "Row",
    "Place",
    "Snapshot",
    "StoredFile",
    "RestoreNote",
    "Account",
    "Person",
    "PersonRef",
    "Message",
    "PresenceRow",
    "Posted",
    "Recipient",
    "ConnectedSession",
    "Badge",
    "Asker",
    "FilterSql",
    "ItemsPage",
    "Media",
    "Location",
    "Notice",
    "Action",
    "Actions",
    "PrivateNotice",
    "Conversation",
    "ConversationContext",
    "ConversationSettings",
    "Outbound",
    "Mailer",
)
_HIDDEN = {
    "Asker": {"limits"},
    "Outbound": {"running", "idle", "paused", "aclose"},
    "Mailer": {"run", "aclose"},
}
"""By class, further fields that are not promised."""

_NARROWER = {("Command", "handler"): "Callable[[Any, C], Awaitable[R]]"}
"""By class and field, the types that plugins may declare, where the node's own may be others too."""

_OPAQUE = {"Plan"}
"""Classes whose objects are handed on, and not looked into."""

_FURTHER = {
    "PageContext": (
        "- `sent: Mapping[str, str]`: What the user sent with a form that was refused, by the names of its fields",
        "- `errors: Mapping[str, str]`: What is wrong with it, by the names of its fields",
    ),
    "Work": (
        "- `id: str`: The id of the work item, as returned by `ctx.start_work`",
        "- `kind: str`: `<plugin>.<name>`",
        "- `title: str`: What its owner sees",
        "- `owner: int | None`: The key of its owner; None if it belongs to the plugin",
        "- `resource: str | None`: What no other work item may use while it runs",
        "- `arguments: Mapping[str, Any]`: What it was started with",
        "- `state: dict[str, Any] | None`: The last checkpoint; None before the first",
        "- `attempt: int`: 1, and one more after each failure",
        "- `done: int`: How much is done, as last stored",
        "- `total: int | None`: The total, if known",
        "- `rate: float | None`: Its recent progress per second",
    ),
    "Transaction": (
        "- `now: int`: Milliseconds since 1970, the same for the whole transaction",
        "- `def execute(sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor`: Run one statement, as in "
        "`sqlite3`: `fetchone()`, `fetchall()`, `lastrowid`, `rowcount`, iteration",
        "- `def executemany(sql: str, values: Iterable[Sequence[Any]]) -> Cursor`: Run one statement for each of the "
        "values",
    ),
}
"""What is set when an object is made, and so not found in its class."""

CONSTANTS = {
    "CHAT": ("str", "the permission that every account has, unless it was removed from its role"),
    "MAKE_BOTS": ("str", "the permission to own bots"),
    "MANAGE_PEOPLE": ("str", "the permission to manage accounts"),
    "MODERATE": ("str", "the permission to moderate messages"),
    "OPERATE": ("str", "the permission to operate the node"),
    "API_VERSION": ("str", "the version that `Plugin.api` is compared with; see Compatibility"),
    "MAY_SEE_PRESENCE": (
        "str",
        "SQL for your own queries: whether the user with the key `:me` may see the presence of "
        "`people p LEFT JOIN presence s ON s.person = p.key`",
    ),
    "TAKES_PART": (
        "str",
        "SQL, a condition on `members mine`: that the user with the key `:me` is a member of the conversation",
    ),
    "VISIBLE_MESSAGES": (
        "str",
        "SQL to put after FROM: with the condition `TAKES_PART`, `messages item` are those that `:me` may see, deleted "
        "ones too, in `conversations conv`; you may join more tables",
    ),
    "HOUR_MS": ("int", "milliseconds in an hour"),
    "DAY_MS": ("int", "milliseconds in a day"),
    "Verdict": ("Allow | Deny", "what `check_command` returns"),
    "Write": ("Callable[[Transaction], T]", "a sync function that takes a transaction"),
    "Read": ("Callable[[Reader], T]", "a sync function that takes a reader"),
    "Querying": (
        "Reader | Transaction",
        "what runs SQL, for functions that only query and serve reads and writes: `execute(sql, values)`",
    ),
    "Reader": (
        "sqlite3.Connection",
        "a read-only connection: `execute(sql, values)`, as in `sqlite3`; it sees one snapshot",
    ),
    "IntegrityError": ("sqlite3.IntegrityError", "what SQLite raises when a constraint is violated"),
    "hookimpl": (
        "pluggy.HookimplMarker",
        "marks a function as an implementation of the hook with the same name; options: `tryfirst`, `trylast`, "
        "`wrapper`",
    ),
    "kinds": ("module", "the types of fields of a collection; see above"),
}
"""Values by name, with their types and purposes."""


_ORDER = {
    True: "Awaited for one plugin after the other; no wrappers.",
    False: "Called for one plugin after the other, inside wrappers if there are any.",
}
"""By whether the hook is async."""


def fill(text: str) -> str:
    """The document with its generated parts up to date."""
    parts = {
        "hooks": hooks,
        "events": events,
        "declarations": declarations,
        "kinds": kinds,
        "classes": classes,
        "names": names,
    }
    return fill_parts(text, parts)


def hooks() -> Iterator[str]:
    """Every hook with its signature, and how it is called."""
    for name, function in vars(specs).items():
        if not hasattr(function, f"{specs.PROJECT}_spec"):
            continue
        terms = specs.TERMS.get(name)
        yield f"### `{name}`"
        yield ""
        yield f"```python\n{signature(name, function)}: ...\n```"
        yield ""
        if terms is None:
            yield "Called when the node loads plugins; a failure makes the plugin broken."
        else:
            fails = "refuses the operation" if terms.failure == "refuse" else "is left out and reported"
            yield f"{_ORDER[inspect.iscoroutinefunction(function)]} Budget: `plugins.{terms.budget}`."
            yield f"An implementation that fails {fails}."
        yield ""
        yield inspect.getdoc(function) or ""
        yield ""


def declarations() -> Iterator[str]:
    """Every class of a declaration."""
    for name in DECLARED:
        yield from _class(name, methods=False)


def classes() -> Iterator[str]:
    """Every class that functions of plugins get."""
    for name in WORKED_WITH:
        yield from _class(name)


def kinds() -> Iterator[str]:
    """Every type that a field of a collection may have."""
    for name, kind in vars(api.kinds).items():
        if not (isinstance(kind, type) and issubclass(kind, api.kinds.Kind)) or kind is api.kinds.Kind:
            continue
        given = [field for field in attrs.fields(kind) if field.init and field.name not in ("takes", "operators")]
        needed: dict[str, Any] = {field.name: "…" for field in given if field.default is attrs.NOTHING}
        made = kind(("…",)) if kind is api.kinds.Choice else kind(**needed)
        written = _annotations(kind)
        takes = ", ".join(f"{field.name}: {written[field.name]}{_default(field)}" for field in given)
        operators = ", ".join(f"`{each}`" for each in sorted(made.operators)) or "none"
        yield f"- `kinds.{name}({takes})`: takes {made.takes.replace('…', 'its words')}. Operators: {operators}."


def names() -> Iterator[str]:
    """Every public name with its types, in a line each."""
    for name in sorted(api.__all__, key=str.casefold):
        yield f"- `{_typed(name)}`: {_words(name)}"


def _class(name: str, *, methods: bool = True) -> Iterator[str]:
    kind: type[Any] = getattr(api, name)
    yield f"### `{name}`"
    yield ""
    yield inspect.getdoc(kind) or ""
    yield ""
    # As it is written: `field.type` is a class instead once it was resolved.
    written, below = _annotations(kind), words_of_fields(kind)
    fields = [field for field in (attrs.fields(kind) if attrs.has(kind) else ()) if _is_promised(field.name, name)]
    for field in fields:
        words = f": {below[field.name].rstrip('.')}" if field.name in below else ""
        declared = _NARROWER.get((name, field.name), written[field.name])
        yield f"- `{field.name}: {declared}{_default(field)}`{words}"
    plain = not attrs.has(kind) and (is_typeddict(kind) or issubclass(kind, tuple))
    yield from (f"- `{field}: {said}`" for field, said in written.items() if plain)
    if fields or plain:
        yield ""
    yield from _FURTHER.get(name, ())
    for method, function in vars(cast("type[Any]", kind)).items() if methods and not plain else ():
        if not _is_promised(method, name):
            continue
        if isinstance(function, property):
            words = _line(inspect.getdoc(function))
            gives = shown(inspect.signature(function.fget).return_annotation, kind.__module__)  # type: ignore[arg-type]
            yield f"- `{method}: {gives}`{f': {words}' if words else ''}"
        elif inspect.isfunction(function):
            yield f"- `{signature(method, function, method=True)}`: {_all_words(function)}"
    yield ""


def _annotations(kind: type[Any]) -> dict[str, str]:
    """Of a class and those it comes from, as plugins may write them."""
    return {
        name: shown(said, each.__module__)
        for each in reversed(kind.__mro__)
        for name, said in inspect.get_annotations(each).items()
    }


def _is_promised(name: str, of: str) -> bool:
    return not name.startswith("_") and name not in _HIDDEN.get(of, ())


def _default(field: Any) -> str:
    if field.default is attrs.NOTHING:
        return ""
    made = callable(field.default) or isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]
    return " = …" if made else f" = {field.default!r}"


def _typed(name: str) -> str:
    """A name with what it takes and gives, or is."""
    value = inspect.unwrap(getattr(api, name))
    if name in CONSTANTS:
        return f"{name}: {CONSTANTS[name][0]}" + (
            f" = {value!r}" if isinstance(value, str) and " " not in value else ""
        )
    if inspect.isfunction(value):
        return signature(name, value)
    if get_origin(value) is Annotated:
        return f"{name}: {get_args(value)[0].__name__}"
    if name in DECLARED or name in WORKED_WITH:
        return f"class {name}"
    if name in _OPAQUE:
        return f"class {name}"
    if attrs.has(value):
        written = _annotations(value)
        fields = [field for field in attrs.fields(value) if field.init and not field.name.startswith("_")]
        return f"class {name}({', '.join(f'{each.name}: {written[each.name]}{_default(each)}' for each in fields)})"
    if not inspect.isfunction(value.__init__):
        return f"class {name}"
    return signature(name, value.__init__, method=True).replace("def ", "class ", 1).removesuffix(" -> None")


def _words(name: str) -> str:
    value = getattr(api, name)
    if name in DECLARED or name in WORKED_WITH:
        return "see above"
    if name in CONSTANTS:
        return CONSTANTS[name][1]
    if get_origin(value) is Annotated:
        _, *bounds = get_args(value)
        return f"the type of a field: {_bounds(bounds[0])}"
    return _all_words(value)


def _bounds(bounds: Any) -> str:
    return str(getattr(bounds, "hint", "")) or ", ".join(
        f"{field.name} {getattr(bounds, field.name)}"
        for field in attrs.fields(cast("type[Any]", type(bounds)))
        if field.init and getattr(bounds, field.name) not in (None, "", False)
    )


def _line(text: str | None) -> str:
    """The first paragraph, on one line."""
    return " ".join((text or "").partition("\n\n")[0].split())


def _all_words(value: Any) -> str:
    """All that is said of a function or class, on one line."""
    return " ".join((inspect.getdoc(value) or "").split())


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(fill(document.read_text(encoding="utf-8")), encoding="utf-8")
