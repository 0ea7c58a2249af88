"""What a client runs of a plugin and fails counts as the plugin's failure, with its place; what it refuses does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from chatnode.api import (
    CHAT,
    Consumer,
    Context,
    Event,
    Nothing,
    Page,
    PageContext,
    Refusal,
    Request,
    Response,
    Route,
    Row,
    Slash,
    SlashCall,
    SlashReply,
    command,
)
from chatnode.errors import Misuse
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.surface.making import made, node_with
from tests.transport.clients import Http, bearer, serving


def raised(what: Any) -> Any:
    """`what`, or raise it."""
    if isinstance(what, BaseException):
        raise what
    return what


@command("demo.cook", permission=CHAT)
async def cook(ctx: Context, asked: Nothing) -> Nothing:
    """Cook."""
    raise KeyError("a secret")


@command("demo.refuse", permission=CHAT)
async def refuse(ctx: Context, asked: Nothing) -> Nothing:
    """Refuse."""
    raise Refusal("conflict", "not now")


@command("demo.exit", permission=CHAT)
async def leave(ctx: Context, asked: Nothing) -> Nothing:
    """Leave."""
    raise SystemExit


def failures(node: Node) -> tuple[int, str | None]:
    (status,) = node.plugins.statuses()
    return status.failures, status.last_failure


async def test_a_command_that_raises_is_counted(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("demo", commands=(cook, refuse, leave))) as node:
        ann = await User.new(node, "ann")
        with pytest.raises(Refusal, match="not now"):
            await ann.call("demo.refuse")
        assert failures(node) == (0, None)
        with pytest.raises(KeyError):
            await ann.call("demo.cook")
        number, last = failures(node)
        assert number == 1
        assert (last or "").startswith("command demo.cook raised KeyError at plugins/surface/test_failures.py:")
        assert "secret" not in (last or "")
        with pytest.raises(Exception, match=r"demo\.exit"):
            await ann.call("demo.exit")
        assert failures(node)[0] == 2


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (None, "command demo.serve raised WrongKind: it must return Nothing, not NoneType"),
        ({}, "command demo.serve raised WrongKind: it must return Nothing, not dict"),
    ],
)
async def test_a_command_that_returns_something_else_is_counted(tmp_path: Path, gives: Any, said: str) -> None:
    """Clients would get `null` for a reply whose `return` was forgotten."""

    @command("demo.serve", permission=CHAT)
    async def serve(ctx: Context, asked: Nothing) -> Nothing:
        return gives

    async with node_with(tmp_path, made("demo", commands=(serve,))) as node:
        ann = await User.new(node, "ann")
        with pytest.raises(TypeError, match="it must return Nothing"):
            await ann.call("demo.serve")
        assert failures(node) == (1, said)


@pytest.mark.parametrize("method", ["push", "wake"])
async def test_what_belongs_to_the_trio_thread_is_refused_within_a_write(tmp_path: Path, method: str) -> None:
    @command("demo.serve", permission=CHAT)
    async def serve(ctx: Context, asked: Nothing) -> Nothing:
        called = {"push": lambda: ctx.push(Event()), "wake": lambda: ctx.wake("cook")}[method]
        await ctx.write(lambda tx: called() and None)
        return Nothing()

    async with node_with(tmp_path, made("demo", commands=(serve,))) as node:
        with pytest.raises(Misuse, match=f"Context.{method} runs on the trio thread only: call it after ctx.read or"):
            await (await User.new(node, "ann")).call("demo.serve")


async def test_an_unknown_code_and_another_class_of_settings_are_named(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("demo")) as node:
        with pytest.raises(ValueError, match="'not_now' is not a code of a refusal; the codes are bad_json, "):
            Refusal("not_now", "the kitchen is closed")
        with pytest.raises(LookupError, match=r"Nothing is not the class that Plugin\.settings of demo"):
            node.plugins.loaded["demo"].context.settings(Nothing)


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        ("text", "route menu raised WrongKind: it must return Response, not str"),
        (None, "route menu raised WrongKind: it must return Response, not NoneType"),
        (ValueError("x"), "route menu raised ValueError at plugins/surface/test_failures.py:"),
        (
            Response({"a": 1}),  # type: ignore[arg-type]
            "route menu raised WrongKind: the body of its response must be str, bytes, a FilePart or an async "
            "iterator, not dict",
        ),
        (
            Response("x", headers={"X-Dish": "Żurek"}),
            "route menu raised WrongValue: the header X-Dish of its response has a character other than those of",
        ),
        (
            Response("x", headers={"X-Dish": "soup\r\nSet-Cookie: a=b"}),
            "route menu raised WrongValue: the header X-Dish of its response has a character other than those of",
        ),
    ],
)
async def test_a_route_that_fails_is_counted(tmp_path: Path, gives: Any, said: str) -> None:
    async def menu(ctx: Context, request: Request) -> Response:
        return raised(gives)

    async with node_with(tmp_path, made("demo", routes=(Route("menu", menu, None),))) as node, serving(node) as address:
        async with await Http.open(address) as http:
            assert (await http.request("GET", "/plugins/demo/menu")).status == 500
        number, last = failures(node)
        assert number == 1
        assert (last or "").startswith(said)


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (b"<p>", "page 'menu' raised WrongKind: it must return str, not bytes"),
        (ValueError("x"), "page 'menu' raised ValueError at plugins/surface/test_failures.py:"),
    ],
)
async def test_a_page_that_fails_is_counted(tmp_path: Path, gives: Any, said: str) -> None:
    async def menu(ctx: PageContext, query: Mapping[str, str]) -> str:
        return raised(gives)

    async with node_with(tmp_path, made("demo", pages=(Page("menu", "Menu", menu, CHAT),))) as node:
        ann = await User.new(node, "ann")
        token = (await ann.call("tokens.create"))["token"]
        async with serving(node) as address:
            async with await Http.open(address) as http:
                assert (await http.request("GET", "/plugins/demo/menu", headers=bearer(token))).status == 500
        assert (failures(node)[1] or "").startswith(said)


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (SlashReply("x", "everyone"), "visible must be one of all, only_you"),  # type: ignore[arg-type]
        (SlashReply(5), "text must be a string"),  # type: ignore[arg-type]
        (SlashReply("a\0b"), "text contains a NUL character"),
        (SlashReply("  "), "without a visible text"),
        ("x", "something other than a SlashReply"),
    ],
)
async def test_an_answer_that_cannot_be_shown_is_counted(tmp_path: Path, gives: Any, said: str) -> None:
    async def menu(ctx: Context, call: SlashCall) -> Any:
        return gives

    async with node_with(tmp_path, made("demo", slash=(Slash("menu", "The menu", "", menu),))) as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        with pytest.raises(Refusal, match="internal: the plugin demo failed"):
            await ann.call("slash.run", conversation=notes, text="/menu", cid="one")
        number, last = failures(node)
        assert number == 1
        assert said in (last or "")


async def test_the_nodes_own_words_are_shown_and_a_refusals_code(tmp_path: Path) -> None:
    async def consume(ctx: Context, rows: Sequence[Row]) -> None:
        if rows[0].kind == "conversation.updated":
            raise Refusal("conflict", "words of a user")
        ctx.me  # noqa: B018 - there is none

    reads = Consumer("reads", consume, frozenset({"conversation.updated", "message.posted"}))
    async with node_with(tmp_path, made("demo", consumers=(reads,))) as node:
        ann = await User.new(node, "ann")
        await ann.says(await ann.direct(ann), "hello")
        await node.consumers.catch_up()
        of_hello, of_opening = [each["error"] for each in (await node.call("plugins.set_aside"))["set_aside"]]
        assert of_opening.startswith("raised Refusal at plugins/surface/test_failures.py:")
        assert of_opening.endswith("in consume (conflict)")
        assert of_hello.endswith(
            "in consume: forbidden: no caller here; act with ctx.as_person(…) or ctx.as_operator()"
        )


async def test_a_state_that_is_no_context_manager_says_so(tmp_path: Path) -> None:
    plugin = made("demo", state=lambda ctx: 5)
    async with node_with(tmp_path, plugin) as node:
        assert "it must give an async context manager, not int" in (failures(node)[1] or "")
