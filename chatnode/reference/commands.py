"""The reference of all commands as Markdown, made from the same document that programs read.

`docs/commands.md` is what `python -m chatnode.reference.commands` prints; a test compares the two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chatnode.dispatch.table import Command, CommandTable
from chatnode.services import COMMANDS
from chatnode.transport import openapi


def render(table: CommandTable) -> str:
    """Every command: what it does, who may use it, what it takes and gives."""
    schemas: dict[str, Any] = openapi.document(table)["components"]["schemas"]
    lines = [
        "# Commands",
        "",
        "On the socket, `op` names the command, next to its fields; over HTTP it is `POST /v1/<command>`",
        "with the fields as the body. Commands marked *reads* also accept `GET`. Fields with `?` are optional.",
    ]
    for command in table:
        lines += ["", f"## `{command.name}`", "", *describe(command, schemas)]
    lines += ["", "# Shapes"]
    for shape in shapes(table, schemas, set(schemas)):
        lines += ["", shape]
    return "\n".join(lines) + "\n"


def describe(command: Command[Any, Any], schemas: dict[str, Any], limits: Mapping[str, str] | None = None) -> list[str]:
    """What a command does, who may use it, what it takes and gives. `limits`: settings of a plugin's own, by name."""
    return [
        command.description,
        "",
        f"- {_terms(command, limits or {})}",
        f"- takes {_fields(schemas[openapi.schema_name(command.takes)], schemas)}",
        f"- gives {_fields(schemas[openapi.schema_name(command.gives)], schemas)}",
    ]


def shapes(commands: Iterable[Command[Any, Any]], schemas: dict[str, Any], among: Iterable[str]) -> Iterator[str]:
    """What else there is among these names than what commands take and give: what stands within it."""
    shown = {name for each in commands for name in (openapi.schema_name(each.takes), openapi.schema_name(each.gives))}
    for name in sorted(set(among) - shown - {"Error"}):
        words = schemas[name].get("description")
        yield f"**{name}**: {_fields(schemas[name], schemas)}" + (f". {words}" if words else "")


def _terms(command: Command[Any, Any], limits: Mapping[str, str]) -> str:
    who = f"needs the permission `{command.permission}`" if command.permission else "needs no sign-in"
    who += f" or `{command.or_permission}`" if command.or_permission else ""
    who += ", and a token without scopes" if command.unscoped else ""
    setting = limits.get(command.limit or "", f"limits.{command.limit}_per_minute")
    limit = f"; counts against `{setting}`" if command.limit else ""
    return who + limit + ("; *reads*" if command.reads else "")


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    required = schema.get("required", ())
    fields = [f"`{name}{'' if name in required else '?'}` {_kind(kind)}" for name, kind in schema["properties"].items()]
    return ", ".join(fields) or "nothing"


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return _kind(schema["anyOf"][0])
    if "enum" in schema:
        return " / ".join(schema["enum"])
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}"
    kind: str = schema["type"]
    return {"string": "text", "integer": "number", "boolean": "true or false"}.get(kind, kind)


if __name__ == "__main__":
    sys.stdout.write(render(CommandTable(COMMANDS)))
