"""An async function where a plain one is needed would never run. It is refused: on loading, or when it is called."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chatnode.api import (
    CHAT,
    Collection,
    Consumer,
    Context,
    Event,
    EventKind,
    Nothing,
    Route,
    Row,
    Step,
    Task,
    Transaction,
    Work,
    WorkKind,
    command,
)
from chatnode.errors import Misuse
from chatnode.storage.engine.finished import finished
from chatnode.testing import User, run_work
from tests.plugins.surface.making import made, node_with, states

STEP = Step("first", "CREATE TABLE demo_done (what TEXT);")


class Waved(Event):
    """Somebody waved."""

    name = "demo.waved"


async def nothing(*arguments: Any) -> Any:
    """Where a plain function is needed."""


def one(*arguments: Any) -> Generator[Any]:
    yield None


awaited: Any = nothing
generator: Any = one


def plain(*arguments: Any) -> Any:
    """A function of the kind that most declarations take."""


class Called:
    async def __call__(self, *arguments: Any) -> Any:
        """Not seen as async by `iscoroutinefunction`."""


async def write(tx: Transaction) -> None:
    tx.execute("INSERT INTO demo_done VALUES ('async')")


def yielding(tx: Transaction) -> Generator[object]:
    yield tx.execute("INSERT INTO demo_done VALUES ('generator')")


NOT_RUN = "must be a plain function (def, without yield) and was not run"


@command("demo.cook", permission=CHAT, earlier=plain)
async def cook_again(ctx: Context, asked: Nothing) -> Nothing:
    """Cook."""
    return Nothing()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "make": ({"events": (EventKind(Waved, awaited),)}, "`make` of the event demo.waved must be def, not async def"),
    "show": (
        {"events": (EventKind(Waved, plain, show=awaited),)},
        "`show` of the event demo.waved must be def, not async def",
    ),
    "make yields": (
        {"events": (EventKind(Waved, generator),)},
        "`make` of the event demo.waved must return its result, not yield it",
    ),
    "ended": (
        {"works": (WorkKind("cook", awaited, "Cooks", ended=awaited),)},
        "`ended` of the work cook must be def, not async def",
    ),
    "every": (
        {"tasks": (Task("cook", awaited, every=awaited),)},
        "`every` of the task cook must be def, not async def",
    ),
    "check": ({"check": awaited}, "check must be def, not async def"),
    "check of an object": ({"check": Called()}, "check must be def, not async def"),
    "a part of it is given": ({"check": partial(awaited, 1)}, "check must be def, not async def"),
    "stored_files": ({"stored_files": awaited}, "stored_files must be def, not async def"),
    "after_restore": ({"after_restore": awaited}, "after_restore must be def, not async def"),
    "learn": (
        {"collections": (Collection("dishes", "x", "people item", "1", (), (), "", CHAT, learn=awaited),)},
        "`learn` of the collection dishes must be def, not async def",
    ),
    "function of a step": (
        {"steps": (Step("first", "SELECT 1;", {"cook": awaited}),)},
        "the function cook of the step first must be def, not async def",
    ),
    "route": ({"routes": (Route("menu", plain, CHAT),)}, "the route menu must be async def, not def"),
    "earlier": (
        {"commands": (cook_again,)},
        "`earlier` of the command demo.cook must be async def, not def",
    ),
    "state": (
        {"state": awaited},
        "state must be decorated with contextlib.asynccontextmanager, and yield what it opened",
    ),
    "state that yields": ({"state": generator}, "state must be decorated with contextlib.asynccontextmanager"),
    "state of the other kind": (
        {"state": contextmanager(one)},
        "state must be decorated with contextlib.asynccontextmanager",
    ),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_declared_function_of_the_wrong_kind_is_refused(tmp_path: Path, what: str) -> None:
    declared, said = WRONG[what]
    async with node_with(tmp_path, made("demo", **declared)) as node:
        assert said in states(node)["demo"]


@pytest.mark.parametrize("function", [write, yielding, partial(write)])
async def test_a_command_that_writes_with_one_fails(tmp_path: Path, function: Any) -> None:
    async with node_with(tmp_path, made("demo", steps=(STEP,))) as node:
        context = node.plugins.loaded["demo"].context
        with pytest.raises(Misuse, match="was not run"):
            await context.write(function)
        with pytest.raises(Misuse, match="was not run"):
            await context.read(function)
        assert await context.read(lambda reader: reader.execute("SELECT * FROM demo_done").fetchall()) == []


async def test_a_row_for_which_a_consumer_returns_one_is_set_aside(tmp_path: Path) -> None:
    async def consume(ctx: Context, rows: Sequence[Row]) -> Any:
        return write

    reads = Consumer("reads", consume, frozenset({"message.posted"}))
    async with node_with(tmp_path, made("demo", consumers=(reads,), steps=(STEP,))) as node:
        ann = await User.new(node, "ann")
        await ann.says(await ann.direct(ann), "hello")
        (status,) = await node.consumers.catch_up()
        assert status.set_aside == 1
        assert [each.last_failure for each in node.plugins.statuses()] == [
            f"consumer reads failed on gid 3, message.posted: raised WrongKind: write {NOT_RUN}"
        ]


async def test_a_work_that_writes_with_one_fails(tmp_path: Path) -> None:
    async def run(ctx: Context, work: Work) -> None:
        await work.write(write)

    plugin = made("demo", works=(WorkKind("cook", run, "Cooks", tries=1),), steps=(STEP,))
    async with node_with(tmp_path, plugin) as node:
        context = node.plugins.loaded["demo"].context
        id = await context.write(lambda tx: context.start_work(tx, "cook", {}))
        work = await run_work(node, id)
        assert work["status"] == "failed"
        assert NOT_RUN in work["error"]


async def test_a_part_of_a_write_that_is_one_undoes_the_write(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("demo", steps=(STEP,))) as node:
        with pytest.raises(Misuse):
            await node.core.db.write(lambda tx: tx.attempt(partial(write, tx)))


def test_a_generator_is_a_result_where_things_are_listed() -> None:
    listed = finished(generator(), iterable=True)
    assert [*listed] == [None]
    assert finished([1]) == [1]
