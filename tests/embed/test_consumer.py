"""Durable consumers of the program that the node is embedded in."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from chatnode.config import Config
from chatnode.embed.consumer import ProgramConsumer
from chatnode.errors import Misuse, Refusal
from chatnode.model.events import MessagePosted
from chatnode.node import Node, open_node
from chatnode.storage.engine.transaction import Transaction

from .test_callers import talk_of
from .test_events import post

POSTED = {"message.posted"}


async def said(consumer: ProgramConsumer, number: int, *, done: bool = True) -> list[str]:
    """The texts of the next messages; their batches are done."""
    found: list[str] = []
    with trio.fail_after(60):
        while len(found) < number:
            batch = await anext(consumer)
            for each in batch.events:
                assert isinstance(each.event, MessagePosted)
                found.append(each.event.message.text)
            if done:
                await batch.done()
    return found


async def test_it_gets_what_happens_from_when_it_was_first_there(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    await post(node, talk, "before")
    async with node.consumer("orders", POSTED) as batches, node.consumer("all", POSTED, from_start=True) as everything:
        await post(node, talk, "one", "two")
        assert await said(batches, 2) == ["one", "two"]
        assert await said(everything, 3) == ["before", "one", "two"]


async def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    found: list[str] = []
    for number in range(3):
        async with open_node(tmp_path / "data", Config(), only=()) as node:
            if number == 0:
                talk = await talk_of(node, "ann", "bob")
            await post(node, talk, number)
            async with node.consumer("orders", POSTED, from_start=True) as batches:
                found += await said(batches, 1)
    assert found == ["0", "1", "2"]


async def test_it_waits_for_what_comes(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    async with node.consumer("orders", POSTED) as batches, trio.open_nursery() as nursery:

        async def read() -> None:
            assert await said(batches, 1) == ["late"]

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await node.person("ann").people.update(name="Ann A")  # of no kind that it wants
        await post(node, talk, "late")


async def test_a_batch_that_is_not_done_comes_again(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    async with node.consumer("orders", POSTED) as batches:
        await post(node, talk, "one")
        assert await said(batches, 1, done=False) == ["one"]
        assert await said(batches, 1, done=False) == ["one"]
    async with node.consumer("orders", POSTED) as batches:
        assert await said(batches, 1) == ["one"]


async def test_a_batch_is_done_once(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    async with node.consumer("orders", POSTED) as batches:
        await post(node, talk, "one")
        batch = await anext(batches)
        await batch.done()
        with pytest.raises(RuntimeError, match="already done"):
            await batch.done()


async def test_what_is_written_with_a_batch_is_written_with_its_position(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data", Config(), only=()) as node:
        talk = await talk_of(node, "ann", "bob")
        await node.core.db.write(lambda tx: tx.execute("CREATE TABLE orders_paid (text TEXT UNIQUE)").rowcount)

        def note(tx: Transaction) -> int:
            return tx.execute("INSERT INTO orders_paid VALUES ('one')").rowcount

        def fail(tx: Transaction) -> None:
            note(tx)
            raise ValueError("not today")

        async def later(tx: Transaction) -> int:
            return note(tx)

        async with node.consumer("orders", POSTED) as batches:
            await post(node, talk, "one")
            batch = await anext(batches)
            with pytest.raises(ValueError, match="not today"):
                await batch.done(fail)
            with pytest.raises(Misuse, match="later must be a plain function"):
                await batch.done(later)
            assert await batch.done(note) == 1
            await post(node, talk, "two")
            assert await said(batches, 1) == ["two"]


async def test_of_each_name_there_is_one(node: Node) -> None:
    await talk_of(node, "ann", "bob")
    async with node.consumer("orders", POSTED):
        with pytest.raises(Refusal, match="the consumer orders is already running") as error:
            await anext(node.consumer("orders", POSTED))
        assert error.value.code == "conflict"
        async with node.consumer("others", POSTED):
            pass
    async with node.consumer("orders", POSTED):
        pass


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
async def test_one_that_nobody_refers_to_gives_its_name_back_at_once(node: Node, is_done: bool) -> None:
    talk = await talk_of(node, "ann", "bob")
    await post(node, talk, "one")
    gc.disable()  # so that it is not there in a cycle of references
    try:
        async for batch in node.consumer("orders", POSTED, from_start=True):
            if is_done:
                await batch.done()
            break
        del batch
        async with node.consumer("orders", POSTED):
            pass
    finally:
        gc.enable()


async def test_the_operator_sees_where_it_is(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    async with node.consumer("orders", POSTED) as batches:
        await post(node, talk, "one")
        (status,) = (await node.operator.plugins.consumers()).consumers
        assert (status.plugin, status.consumer, status.behind) == ("(program)", "orders", 1)
        await said(batches, 1)
        (status,) = (await node.operator.plugins.consumers()).consumers
        assert status.behind == 0
    assert (await node.operator.plugins.consumers()).consumers == []


@pytest.mark.parametrize("name", ["", "Orders", "a" * 65, "two words", ".hidden"])
async def test_what_cannot_be_a_name(node: Node, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a consumer"):
        node.consumer(name, POSTED)


async def test_a_word_is_not_taken_for_kinds(node: Node) -> None:
    with pytest.raises(TypeError, match=r"\{'message.posted'\}"):
        node.consumer("orders", "message.posted")


PROGRAM = """
import sys, trio
from chatnode.embed import open_node

def note(gids):
    def write(tx):
        tx.execute("CREATE TABLE IF NOT EXISTS noted (gid INTEGER PRIMARY KEY)")
        tx.executemany("INSERT INTO noted VALUES (?)", [(gid,) for gid in gids])
    return write

async def main():
    async with open_node(sys.argv[1], only=()) as node, trio.open_nursery() as nursery:
        ann = node.bot("ann")
        talk = (await ann.conversations.direct(with_="ann")).conversation

        async def talk_on():
            while True:
                await node.bot("ann").messages.post(conversation=talk, text="hello")
        if sys.argv[2] == "talk":
            nursery.start_soon(talk_on)
        else:  # so that there is something left to read
            await ann.messages.post(conversation=talk, text="the last")
        async with node.consumer("orders", {"message.posted"}, from_start=True) as batches:
            print("reading", flush=True)
            async for batch in batches:
                await batch.done(note([each.gid for each in batch.events]))
                if sys.argv[2] == "finish" and not (await node.operator.plugins.consumers()).consumers[0].behind:
                    break
        def compare(reader):
            return [reader.execute(f"SELECT gid FROM {each} ORDER BY gid").fetchall() for each in ("messages", "noted")]
        posted, noted = await node.core.db.read(compare)
        print(len(posted), posted == noted, flush=True)

trio.run(main)
"""


@pytest.mark.slow
def test_what_is_done_in_the_database_is_done_once_also_when_the_program_is_killed(tmp_path: Path) -> None:
    config = tmp_path / "data" / "config.toml"
    config.parent.mkdir()
    config.write_text("[limits]\nposts_per_minute = 0\nbot_posts_per_minute = 0\nrequests_per_minute = 0\n")
    command = [sys.executable, "-c", PROGRAM, str(config.parent)]
    for number in range(5):
        with subprocess.Popen([*command, "talk"], stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "reading\n"
            time.sleep(0.3 + number * 0.11)
            os.kill(program.pid, signal.SIGKILL)
    done = subprocess.run([*command, "finish"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    number, same = done.stdout.splitlines()[-1].split()
    assert same == "True", done.stderr
    assert int(number) > 100
