"""A plugin's author learns from the log where in the plugin something failed, and nobody what it was about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.api import (
    Allow,
    Consumer,
    Context,
    Metric,
    Reader,
    Row,
    Step,
    Task,
    Transaction,
    hookimpl,
)
from chatnode.errors import Refusal
from chatnode.hooks.guard import describe_error
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.core.making import made, node_with

SECRET = "the waxwing sings at dusk"


def fail(*given: Any, **named: Any) -> Any:
    """The error is raised far down in another library, and has the words that it was given."""
    return json.loads(SECRET)


HERE = f"plugins/surface/{Path(__file__).name}:{fail.__code__.co_firstlineno + 2} in fail"


async def fail_later(*given: Any, **named: Any) -> Any:
    await trio.lowlevel.checkpoint()
    return fail()


@hookimpl
async def check_command(ctx: Context, name: str) -> Any:
    return fail() if name == "people.list" else Allow()


@hookimpl
def enrich_people(reader: Reader) -> Any:
    fail()


async def give_effect(ctx: Context, rows: list[Row]) -> Any:
    def write(tx: Transaction) -> None:
        fail()

    return write


async def ask(node: Node) -> None:
    ann = await User.new(node, "ann")
    try:
        await ann.call("people.list")
    except Refusal as refusal:  # the hooks of people go on without what failed
        assert refusal.code == "internal"  # noqa: PT017


async def consume(node: Node) -> None:
    ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
    await ann.says(await ann.direct(bob), "hello")
    await node.consumers.catch_up()


async def work(node: Node) -> None:
    with trio.move_on_after(0.5):
        await node.tasks.run()


async def measure(node: Node) -> None:
    for figure in node.plugins.figures():
        await node.plugins.ask_figure(figure)


async def check(node: Node) -> None:
    await node.call("node.check")


POSTED = frozenset({"message.posted"})
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "async hook": (ask, {"hooks": [check_command]}),
    "sync hook": (ask, {"hooks": [enrich_people]}),
    "task": (work, {"tasks": [Task("on_and_on", fail_later)]}),
    "consumer": (consume, {"consumers": [Consumer("reading", fail_later, POSTED)]}),
    "effect": (consume, {"consumers": [Consumer("writing", give_effect, POSTED)]}),
    "metric": (measure, {"metrics": [Metric("figure", "A figure.", fail_later)]}),
    "check": (check, {"check": fail}),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_failure_names_the_file_and_line_in_the_plugin(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    lead_to_it, declared = KINDS[kind]
    async with node_with(tmp_path, made(**declared)) as node:
        await lead_to_it(node)
        (status,) = node.plugins.statuses()
        assert f"raised JSONDecodeError at {HERE}" in (status.last_failure or "")
    reports = [record.getMessage() for record in caplog.records if "the plugin made:" in record.getMessage()]
    assert f"line {fail.__code__.co_firstlineno + 2}, in fail" in reports[0]
    assert "in raw_decode" in reports[0], "the whole chain"
    assert SECRET not in "".join(reports)


async def test_a_step_that_fails_is_named_with_its_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with node_with(tmp_path, made(steps=[Step("seen", "CREATE TABLE made_seen (a, a);")])):
        pass
    assert "migration made/seen failed: duplicate column name: a" in caplog.text


def test_the_place_is_the_last_one_in_the_plugin() -> None:
    with pytest.raises(OSError, match="nowhere") as caught:
        Path("/nowhere").rmdir()
    assert describe_error(caught.value).startswith("raised FileNotFoundError at plugins/surface/test_places.py:")
    assert describe_error(ValueError(SECRET)) == "raised ValueError"
    assert describe_error(ExceptionGroup("several", [KeyError("a")])) == "raised KeyError"
