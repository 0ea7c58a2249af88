"""The types of plugins' commands: what no request can have is refused, and nothing breaks the node's description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest

from chatnode.api import CHAT, Context, Nothing, command
from chatnode.model.records import is_written, record
from chatnode.testing import User, check_plugin
from chatnode.transport import openapi
from tests.plugins.surface.making import made, node_with, states


class Colour(Enum):
    """A class that JSON does not have, and a text can stand for."""

    RED = "red"


def echo(kind: Any) -> Any:
    """A command whose only field has this type."""
    asked = attrs.make_class("Asked", {"x": attrs.field(type=kind)})

    async def handler(ctx: Context, asked: Any) -> Any:
        """Repeat it."""
        return type(asked)(asked.x)

    handler.__annotations__ |= {"asked": asked, "return": asked}
    return command("demo.echo", permission=CHAT)(handler)


SHOWN: list[tuple[Any, Any, dict[str, Any]]] = [
    (Any, {"a": 1}, {}),
    (tuple[int, ...], [1, 2], {"type": "array", "items": {"type": "integer"}}),
    (tuple[int, str], [1, "a"], {"type": "array", "items": {}}),
    (list, [1], {"type": "array", "items": {}}),
    (Sequence[str], ["a"], {"type": "array", "items": {"type": "string"}}),
    (dict, {"a": 1}, {"type": "object", "additionalProperties": {}}),
    (Mapping[str, int], {"a": 1}, {"type": "object", "additionalProperties": {"type": "integer"}}),
    (Colour, "red", {"enum": ["red"]}),
    (list[list[int]], [[1]], {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}),
]


@pytest.mark.parametrize(("kind", "value", "shown"), SHOWN, ids=lambda each: str(each)[:40])
async def test_what_can_be_read_from_json_is_described(
    tmp_path: Path, kind: Any, value: Any, shown: dict[str, Any]
) -> None:
    async with node_with(tmp_path, made("demo", commands=(echo(kind),))) as node:
        ann = await User.new(node, "ann")
        assert orjson.loads(orjson.dumps(await ann.call("demo.echo", x=value))) == {"x": value}
        schemas = openapi.document(node.table, node.plugins)["components"]["schemas"]
        (own,) = [schema for name, schema in schemas.items() if name.endswith(".Asked")]
        assert own["properties"] == {"x": shown}


@pytest.mark.parametrize("kind", [datetime, Decimal, bytes, int | str, list[int | str]], ids=str)
async def test_what_no_request_can_have_is_refused(tmp_path: Path, kind: Any) -> None:
    async with node_with(tmp_path, made("demo", commands=(echo(kind),))) as node:
        assert "the command demo.echo has the field x of type" in states(node)["demo"]
        openapi.document(node.table, node.plugins)


async def test_a_field_within_a_field_is_named(tmp_path: Path) -> None:
    inner = attrs.make_class("Inner", {"when": attrs.field(type=datetime)})
    async with node_with(tmp_path, made("demo", commands=(echo(list[inner]),))) as node:
        assert "has the field x.when of type datetime, which cannot be read from JSON" in states(node)["demo"]


async def test_a_request_is_a_class(tmp_path: Path) -> None:
    async def handler(ctx: Context, asked: Any) -> Nothing:
        """Do nothing."""
        return Nothing()

    handler.__annotations__["asked"] = dict
    plugin = made("demo", commands=(command("demo.any", permission=CHAT)(handler),))
    async with node_with(tmp_path, plugin) as node:
        assert states(node)["demo"] == "the command demo.any takes dict; expected a class of attrs"


async def test_whatever_a_command_replies_with_the_document_is_made(tmp_path: Path) -> None:
    @attrs.frozen
    class When:
        at: Any

    When.__annotations__["at"] = datetime

    async def handler(ctx: Context, asked: Nothing) -> Any:
        """Tell the time."""

    handler.__annotations__["return"] = When
    async with node_with(tmp_path, made("demo", commands=(command("demo.when", permission=CHAT)(handler),))) as node:
        assert states(node) == {"demo": "running"}
        assert "/v1/demo.when" in openapi.document(node.table, node.plugins)["paths"]


async def test_a_record_is_looked_at_when_the_plugin_is_reviewed_not_at_each_start(tmp_path: Path) -> None:
    @record
    class Asked:
        when: datetime

    async def handler(ctx: Context, asked: Any) -> Nothing:
        """Do nothing."""
        return Nothing()

    handler.__annotations__["asked"] = Asked
    plugin = made("demo", commands=(command("demo.when", permission=CHAT)(handler),))
    async with node_with(tmp_path, plugin) as node:
        assert states(node) == {"demo": "running"}
        assert not is_written(Asked)
    with pytest.raises(AssertionError, match="has the field when of type datetime"):
        check_plugin(plugin)
