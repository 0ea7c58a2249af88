"""What a plugin offers, as Markdown: made from what it declares and the docstrings, for `chatnode plugin docs`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import attrs

from chatnode.dispatch.table import CommandTable
from chatnode.hooks import specs
from chatnode.hooks.plugin import Plugin
from chatnode.hooks.review import own_words
from chatnode.model.events import Event
from chatnode.protocol.codec import wire_name
from chatnode.reference import commands as reference
from chatnode.reference.typed import signature
from chatnode.services import COMMANDS
from chatnode.settings import class_of_table
from chatnode.transport import openapi


def render(plugin: Plugin, source: Any) -> str:
    """Commands, events, settings, permissions, tables, what runs by itself, figures, addresses, and the hooks that
    it implements and offers.

    `source` is the module or object that holds the hooks.
    """
    lines = [f"# {plugin.name} {plugin.version}", "", plugin.about]
    if plugin.requires:
        lines += ["", f"Requires {', '.join(plugin.requires)}."]
    for title, found in _sections(plugin, source):
        listed = list(found)
        if listed:
            lines += ["", f"## {title}", "", *listed]
    return "\n".join(lines) + "\n"


def _sections(plugin: Plugin, source: Any) -> Iterator[tuple[str, Iterable[str]]]:
    yield "Commands", _commands(plugin)
    yield "Slash commands", (_row(f"/{each.name} {each.usage}".rstrip(), each.about) for each in plugin.slash)
    yield "Events", _events(plugin)
    yield "Settings", _settings(plugin)
    yield "Permissions", (_row(each.name, each.meaning, f"for {_and(each.roles)}") for each in plugin.permissions)
    yield (
        "Roles",
        (
            _row(each.name, f"may {', '.join(each.permissions)}", f"extends {each.extends}" if each.extends else "")
            for each in plugin.roles
        ),
    )
    yield "Limits", (_row(each.name, each.what, f"setting `{each.setting}`") for each in plugin.limits)
    yield "Lists to filter", (_row(each.name, " ".join(each.about.split())) for each in plugin.collections)
    yield "Tables", _tables(plugin)
    yield "Consumers", _consumers(plugin)
    yield "Tasks", (_row(each.name, _words(each.run), _period(each.every)) for each in plugin.tasks)
    yield "Durable work", (_row(f"{plugin.name}.{each.name}", each.title, _words(each.run)) for each in plugin.works)
    yield "Addresses", _addresses(plugin)
    yield "Metrics", (_row(f"chatnode_{plugin.name}_{each.name}", each.help) for each in plugin.metrics)
    if plugin.cli is not None:
        yield "Command line", [_row(f"chatnode {plugin.name}", plugin.cli.get_short_help_str(200))]
    yield "Hooks", (_row(name, _words(function)) for name, function in implemented(source))
    yield "Hooks for plugins that require it", _offered(source)


def _offered(source: Any) -> Iterator[str]:
    """As the plugin reference shows the node's hooks."""
    for number, function in enumerate(offered(source)):
        fails = "refuses the operation" if getattr(function, specs.REFUSES) else "is left out and reported"
        yield from (
            *([""] if number else []),
            f"### `{function.__name__}`",
            "",
            f"```python\n{signature(function.__name__, function)}: ...\n```",
            "",
            f"Budget: `plugins.hook_seconds`. An implementation that fails {fails}.",
            "",
            inspect.getdoc(function) or "",
        )


def offered(source: Any) -> Iterator[Callable[..., Any]]:
    """The hooks that a plugin offers to others."""
    offer: Any = getattr(source, "add_hookspecs", None)
    holders: list[object] = []
    if hasattr(offer, f"{specs.PROJECT}_impl"):
        offer(holders.append)
    for holder in holders:
        yield from (each for each in vars(holder).values() if hasattr(each, f"{specs.PROJECT}_spec"))


def implemented(source: Any) -> Iterator[tuple[str, Any]]:
    """The hooks that a plugin implements, with its functions."""
    for name in dir(source):
        function = getattr(source, name)
        marks = getattr(function, f"{specs.PROJECT}_impl", None)
        if marks is not None and name != "chatnode_plugin":
            yield marks["specname"] or name, function


def _row(name: str, *words: str) -> str:
    said = [word.rstrip(".") for word in words if word]
    return f"- `{name}`: {'; '.join(said)}" if said else f"- `{name}`"


def _and(roles: tuple[str, ...]) -> str:
    return ", ".join(("admin", *roles))


def _words(function: Any) -> str:
    return " ".join((inspect.getdoc(function) or "").split())


def _commands(plugin: Plugin) -> Iterator[str]:
    schemas = openapi.document(CommandTable([*COMMANDS, *plugin.commands]))["components"]["schemas"]
    limits = {each.name: f"plugins.{plugin.name}.{each.setting}" for each in plugin.limits}
    for number, command in enumerate(plugin.commands):
        yield from (
            *([""] if number else []),
            f"### `{command.name}`",
            "",
            *reference.describe(command, schemas, limits),
        )
    own = set(schemas) - set(openapi.document(CommandTable(COMMANDS))["components"]["schemas"])
    for shape in reference.shapes(plugin.commands, schemas, own):
        yield from ("", shape)


def _events(plugin: Plugin) -> Iterator[str]:
    for event in (*(kind.event for kind in plugin.events), *plugin.ephemeral):
        fields = ", ".join(f"`{name}`" for name in event_fields(event))
        words = " ".join(own_words(event).split())
        passes = "ephemeral: without a gid, only for clients that are connected" if event in plugin.ephemeral else ""
        yield _row(event.name, words, passes, f"fields: {fields}" if fields else "")


def event_fields(event: type[Event]) -> list[str]:
    """The names of an event's fields on the wire."""
    return [wire_name(field.name) for field in attrs.fields(event)]


def _settings(plugin: Plugin) -> Iterator[str]:
    if plugin.settings is None:
        return
    yield from (f"In `config.toml`, section `[plugins.{plugin.name}]`:", "")
    yield from _fields(plugin.settings, f"plugins.{plugin.name}")


def _fields(kind: type[Any], section: str) -> Iterator[str]:
    """The settings of a class; those of a table below it."""
    for field in attrs.fields(kind):
        about, table = field.metadata.get("help", ""), f"{section}.{field.name}"
        inner = class_of_table(field)
        if inner is None:
            yield _row(f"{field.name} = {field.default!r}", about, _in_file(field))
            continue
        if isinstance(cast("object", field.default), dict):
            table = f"{table}.<name>"
        yield _row(f"[[{table}]]" if isinstance(cast("object", field.default), tuple) else f"[{table}]", about)
        yield from (f"  {line}" for line in _fields(inner, table))


def _in_file(field: attrs.Attribute[Any]) -> str:
    return f"secret: `{field.name}_file` names a file that holds it" if field.metadata.get("secret") else ""


def _tables(plugin: Plugin) -> Iterator[str]:
    for table in plugin.tables:
        people = f"rows go with the person in {', '.join(f'`{name}`' for name in table.people)}" if table.people else ""
        message = f"rows go with the message in `{table.message}`" if table.message else ""
        yield _row(table.name, people, message, "given out with a person's data" if table.export else "")


def _consumers(plugin: Plugin) -> Iterator[str]:
    for each in plugin.consumers:
        kinds = f"reads {', '.join(f'`{kind}`' for kind in sorted(each.kinds))}" if each.kinds else "reads everything"
        yield _row(each.name, _words(each.consume), kinds)


def _period(every: Any) -> str:
    if every is None:
        return "runs continuously"
    return "periodically, by a setting" if callable(every) else f"every {every:g} s"


def _addresses(plugin: Plugin) -> Iterator[str]:
    for route in plugin.routes:
        who = f"needs the permission `{route.permission}`" if route.permission else "without sign-in"
        yield _row(f"{' '.join(route.methods)} /plugins/{plugin.name}/{route.rule}", route.summary, who)
    for page in plugin.pages:
        yield _row(f"/plugins/{plugin.name}/{page.path}", f"page {page.title}", f"needs `{page.permission}`")
