"""The OpenAPI document of the HTTP side, made from the command table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import attrs

from chatnode import __version__
from chatnode.dispatch.table import Command, CommandTable
from chatnode.errors import STATUS
from chatnode.hooks.manager import Loaded
from chatnode.model.fields import Entries, Items, Real, Text, Whole
from chatnode.protocol.codec import wire_name

Schema = dict[str, Any]

_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Any: {},
}
_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "enum": list(STATUS)},
                "message": {"type": "string"},
                "path": {"type": "string", "description": "the field with the error"},
                "temporary": {"type": "boolean", "description": "the same request may succeed later"},
                "retry_after": {"type": "number", "description": "seconds"},
            },
        }
    },
}


def document(table: CommandTable, plugins: Iterable[Loaded] = ()) -> Schema:
    """The whole document, OpenAPI 3.1."""
    schemas: dict[str, Schema] = {"Error": _ERROR}
    paths: dict[str, Schema] = {}
    for command in table:
        operations = {"post": _operation(command, schemas, "post")}
        if command.reads:
            operations["get"] = _operation(command, schemas, "get")
        paths[f"/v1/{command.name}"] = operations
    paths["/items/{collection}"] = {"get": _items(schemas)}
    for path, operation in _more(schemas).items():
        paths[path] = {"get": {"operationId": path.strip("/").replace("/", ".")} | operation}
    for path, operations in _of_plugins(plugins):
        paths.setdefault(path, {}).update(operations)
    return {
        "openapi": "3.1.0",
        "info": {"title": "chatnode", "version": __version__},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    }


def _of_plugins(plugins: Iterable[Loaded]) -> Iterator[tuple[str, Schema]]:
    """Routes and pages, by address. What a route takes and gives, only its plugin knows."""
    anything: Schema = {"*/*": {}}
    yield "/plugins", {"get": _page("plugins", "The pages of plugins, for browsers.", "plugins", _PAGES)}
    for each in plugins:
        plugin = each.plugin
        for route in plugin.routes:
            path = _address(plugin.name, route.rule)
            for method in route.methods:
                operation: Schema = {
                    "operationId": f"{method.lower()}{path.replace('/', '.')}",
                    "summary": route.summary or f"A route of the plugin {plugin.name}.",
                    "tags": [plugin.name],
                    "parameters": _in_path(path),
                    "responses": _of_route(method),
                }
                if route.permission is None:
                    operation["security"] = []
                if method in ("POST", "PUT", "PATCH"):
                    operation["requestBody"] = {"required": False, "content": anything}
                yield path, {method.lower(): operation}
        for page in plugin.pages:
            path = _address(plugin.name, page.path)
            shown = _page(plugin.name, f"The page {page.title}, for browsers.", path.strip("/").replace("/", "."))
            yield path, {"get": shown | {"parameters": _in_path(path)}}
            if page.submit is not None:
                yield path, {"post": _form(shown) | {"parameters": _in_path(path)}}


def _address(plugin: str, rule: str) -> str:
    return f"/plugins/{plugin}/{rule.replace('<', '{').replace('>', '}')}"


def _in_path(path: str) -> list[Schema]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _page(tag: str, summary: str, operation: str, otherwise: Schema | None = None) -> Schema:
    """`otherwise`: content for those who do not accept HTML."""
    page: Schema = {"text/html": {"type": "string"}} | (otherwise or {})
    return {"operationId": operation, "summary": summary, "tags": [tag], "responses": _responses(page) | _REFUSED_PAGE}


def _form(page: Schema) -> Schema:
    """Sending a form of a page. What it holds, only its plugin knows."""
    sent: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
    return page | {
        "operationId": f"post.{page['operationId']}",
        "summary": f"{page['summary'].rstrip('.')}: a form of it.",
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": sent}}},
        "responses": page["responses"] | {"303": {"description": "the form was accepted: where to go on"}},
    }


_PAGES: Schema = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {
                "pages": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"title": {"type": "string"}, "path": {"type": "string"}},
                        "required": ["title", "path"],
                    },
                }
            },
            "required": ["pages"],
        }
    }
}

_REFUSED_PAGE: Schema = {
    "default": {"description": "refused", "content": {"text/html": {"schema": {"type": "string"}}}}
}


def _operation(command: Command[Any, Any], schemas: dict[str, Schema], method: str) -> Schema:
    takes = _schema(command.takes, schemas)
    operation: Schema = {
        "operationId": command.name if method == "post" else f"{command.name}.get",
        "summary": command.summary,
        "description": command.description,
        "tags": [command.name.partition(".")[0]],
        "responses": _responses({"application/json": _schema(command.gives, schemas)}),
    }
    if command.permission is None:
        operation["security"] = []
    if method == "post":
        required = bool(_shape(takes, schemas).get("required"))
        operation["requestBody"] = {"required": required, "content": _json(takes)}
        return operation
    shape = _shape(takes, schemas)
    operation["parameters"] = [
        _query_parameter(name, schema, name in shape.get("required", ()))
        for name, schema in shape["properties"].items()
    ]
    return operation


def _items(schemas: dict[str, Schema]) -> Schema:
    """`items.query` under the address of its collection."""
    shape = schemas["QueryItems"]["properties"]
    return {
        "operationId": "items",
        "summary": "Rows of a collection, or groups with their count.",
        "description": "The command items.query; the filter is JSON text.",
        "tags": ["items"],
        "parameters": [
            {"name": "collection", "in": "path", "required": True, "schema": shape["collection"]},
            *(_query_parameter(name, schema, False) for name, schema in shape.items() if name != "collection"),
        ],
        "responses": _responses({"application/json": {"$ref": "#/components/schemas/ItemsReply"}}),
    }


def _more(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """What is not one command's: by path, how it is read."""
    schemas["Health"] = _HEALTH
    text: Schema = {"type": "string"}
    cursor = _query_parameter("cursor", text, False)
    presence = _query_parameter("presence", {"type": "boolean"}, False)
    last: Schema = {"name": "Last-Event-ID", "in": "header", "required": False, "schema": text}
    of_export = schemas["Export"]["properties"].items()
    person_and_place = [_query_parameter(name, schema, False) for name, schema in of_export]
    in_lines = "What the node stores about a user, one line of JSON per entry."
    return {
        "/v1/openapi.json": _reading("This document.", "application/json", {"type": "object"}, security=[]),
        "/v1/events": _reading(
            "Events, as they are pushed.", "text/event-stream", text, parameters=[cursor, presence, last]
        ),
        "/v1/export": _reading(in_lines, "application/x-ndjson", text, parameters=person_and_place),
        "/health": _health("Whether every part of the node is healthy."),
        "/health/ready": _health("Whether the node can serve."),
        "/health/live": _health("Whether the process answers."),
        "/metrics": _reading("Metrics for Prometheus.", "text/plain", text, security=[{}, {"token": []}]),
    }


_HEALTH: Schema = {
    "type": "object",
    "required": ["status", "parts"],
    "properties": {
        "status": {"type": "string", "enum": ["ok", "failing"]},
        "parts": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["status"],
                "properties": {"status": {"type": "string"}},
            },
        },
    },
}


def _reading(summary: str, media: str, schema: Schema, **more: Any) -> Schema:
    return {"summary": summary, "tags": ["node"], "responses": _responses({media: schema})} | more


def _health(summary: str) -> Schema:
    operation = _reading(summary, "application/json", {"$ref": "#/components/schemas/Health"}, security=[])
    operation["responses"]["503"] = operation["responses"]["200"] | {"description": "a part is failing"}
    return operation


def _responses(gives: dict[str, Schema]) -> Schema:
    """`gives`: by media type, what a success holds."""
    return {
        "200": {"description": "done", "content": {kind: {"schema": schema} for kind, schema in gives.items()}},
        "431": {"description": "the request's head is larger than the node accepts"},  # may come without a body
        "default": {"description": "refused", "content": _json({"$ref": "#/components/schemas/Error"})},
    }


def _of_route(method: str) -> Schema:
    """A route's responses. What a success has, and whether it has a body, only its plugin knows."""
    refused: Schema = {"description": "refused"}
    if method != "HEAD":
        refused["content"] = _json({"$ref": "#/components/schemas/Error"})
    return {"2XX": {"description": "done"}, "3XX": {"description": "elsewhere, or not modified"}, "default": refused}


def _query_parameter(name: str, schema: Schema, required: bool) -> Schema:
    parameter: Schema = {"name": name, "in": "query", "required": required}
    if any(part.get("type") == "object" for part in schema.get("anyOf", (schema,))):
        return parameter | {"content": _json(schema)}  # JSON as text
    return parameter | {"schema": schema}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _schema(kind: Any, schemas: dict[str, Schema]) -> Schema:
    if attrs.has(kind) or is_typeddict(kind):
        return {"$ref": _PREFIX + _define(kind, schemas)}
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _schema(parts[0], schemas) | _bounds(parts[1:])
    if origin is NotRequired:
        return _schema(parts[0], schemas)
    if origin is Literal:
        return {"type": "string", "enum": list(parts)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    if (container := _container(origin or kind)) is not None:
        inner = [_schema(part, schemas) for part in parts if part is not Ellipsis]
        return container(inner)
    if origin in (Union, UnionType):
        inner = [_schema(part, schemas) for part in parts if part is not NoneType]
        return {"anyOf": [*inner, {"type": "null"}]}
    return _PLAIN.get(kind, {})  # what else a plugin may reply with, nobody can tell


def _container(kind: Any) -> Callable[[list[Schema]], Schema] | None:
    """How a kind of containers is shown, from its parts; None for others."""
    if not isinstance(kind, type) or issubclass(kind, str | bytes):
        return None
    if issubclass(kind, Mapping):
        return lambda parts: {"type": "object", "additionalProperties": parts[-1] if parts else {}}
    if issubclass(kind, Sequence | Set):
        return lambda parts: {"type": "array", "items": parts[0] if len(parts) == 1 else {}}
    return None


_PREFIX = "#/components/schemas/"


def schema_name(kind: type[Any]) -> str:
    """What a class is called in the document: plugins' own begin with their package, as two may have an `Entry`."""
    package = kind.__module__.partition(".")[0]
    return kind.__name__ if package == "chatnode" else f"{package}.{kind.__name__}"


def _shape(reference: Schema, schemas: dict[str, Schema]) -> Schema:
    return schemas[reference["$ref"].removeprefix(_PREFIX)]


def _define(kind: Any, schemas: dict[str, Schema]) -> str:
    name = schema_name(kind)
    if name in schemas:
        return name
    shape: Schema = {"type": "object", "properties": {}, "additionalProperties": False}
    schemas[name] = shape
    if kind.__doc__ and not kind.__doc__.startswith("Method generated"):
        shape["description"] = " ".join(kind.__doc__.split())
    hints = get_type_hints(kind, include_extras=True)
    required: list[str] = []
    if is_typeddict(kind):
        shape["properties"] = {each: _schema(hint, schemas) for each, hint in hints.items()}
        required += [
            each
            for each, hint in hints.items()
            if each in kind.__required_keys__ and get_origin(hint) is not NotRequired  # the latter if it is a text
        ]
    else:
        for field in attrs.fields(kind):
            on_wire = wire_name(field.name)
            shape["properties"][on_wire] = _schema(hints[field.name], schemas)
            if field.default is attrs.NOTHING:
                required.append(on_wire)
    if required:
        shape["required"] = required
    return name


def _bounds(bounds: tuple[Any, ...]) -> Schema:
    schema: Schema = {}
    for bound in bounds:
        match bound:
            case Text():
                schema["maxLength"] = bound.most
                if bound.least:
                    schema["minLength"] = bound.least
                if bound.form is not None:
                    schema["pattern"] = f"^(?:{bound.form})$"  # unanchored in JSON schema
            case Whole():
                schema |= {"minimum": bound.least, "maximum": bound.most}
            case Real():
                schema |= {"minimum": bound.least, "maximum": bound.most}
            case Entries():
                schema["maxProperties"] = bound.most
            case Items():
                schema["maxItems"] = bound.most
            case _:
                pass
    return schema
