"""An import that was killed goes on where it was: what it leaves is what an undisturbed one leaves."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chatnode_crm
import pytest
import trio
from chatnode_crm.imports import works
from chatnode_crm.lists.changing import make_list

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import run_work
from tests.plugins.crm.imports.importing import begun, finished, left_behind, rows_of

ROWS = 120
ROOT = Path(__file__).parents[4]


async def prepare(node: Node, rows: int = ROWS) -> str:
    """A list, contacts that exist already, and an import that changes them."""
    await node.core.db.write(lambda tx: make_list(tx, "Customers", kind="static", actor=None))
    before = await begun(node, rows_of(30, city="Paris"), list="Customers")
    await finished(node, node, "start", before)
    return await begun(node, rows_of(rows), list="Customers", tags=["imported", "vip"])


async def to_the_end(data: Path, id: str) -> Any:
    """What a node that was killed leaves, once it has gone on."""
    async with open_node(data, Config(), only=[chatnode_crm]) as node:
        work = (await node.call("crm.imports.get", **{"import": id}))["import"]["work"]
        assert (await run_work(node, work))["status"] == "done"
        return await left_behind(node)


async def test_a_kill_in_any_slice_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the data directory, made within a transaction, is what a kill leaves."""
    data, copies = tmp_path / "data", tmp_path / "copies"
    monkeypatch.setattr(works, "MOST_ROWS", 7)
    slices: list[int] = []

    def copying(apply: Callable[..., Any]) -> Callable[..., Any]:
        def apply_rows(*arguments: Any) -> Any:
            slices.append(0)
            if len(slices) in (1, 6, 14):
                shutil.copytree(data, copies / str(len(slices)), ignore=shutil.ignore_patterns("*.lock", "*.sock"))
            applied = apply(*arguments)
            if len(slices) == 9:
                shutil.copytree(data, copies / "9", ignore=shutil.ignore_patterns("*.lock", "*.sock"))
            return applied

        return apply_rows

    async with open_node(data, Config(), only=[chatnode_crm]) as node:
        id = await prepare(node)
        monkeypatch.setattr(works, "apply_rows", copying(works.apply_rows))
        await finished(node, node, "start", id)
        undisturbed = await left_behind(node)
    assert len(slices) >= ROWS / 7
    for copy in sorted(copies.iterdir()):
        assert await to_the_end(copy, id) == undisturbed, copy.name


def run_and_kill(data: Path, seconds: float) -> bool:
    """Let a node work for some seconds after it is open, and kill it; returns whether it was done before."""
    command = [sys.executable, "-m", "tests.plugins.crm.imports.run_works", str(data)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        return process.stdout.read() == "done\n"


@pytest.mark.slow
@pytest.mark.limit(600)
@pytest.mark.parametrize("stages", [("plan", "start"), ("start", "undo")], ids="-".join)
async def test_sigkill_at_random_times_changes_nothing(tmp_path: Path, stages: tuple[str, ...]) -> None:
    """The same import twice, and one of them is killed again and again, in each of its stages."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    async with open_node(whole, Config(), only=[chatnode_crm]) as node:
        id = await prepare(node, rows=3_000)
    shutil.copytree(whole, killed, ignore=shutil.ignore_patterns("*.lock", "*.sock"))
    async with open_node(whole, Config(), only=[chatnode_crm]) as node:
        for stage in stages:
            await finished(node, node, stage, id)
        undisturbed = await left_behind(node)
    kills, times = 0, random.Random(1)
    for stage in stages:
        async with open_node(killed, Config(), only=[chatnode_crm]) as node:
            await node.call(f"crm.imports.{stage}", **{"import": id})
        longest = 0.2
        while not await trio.to_thread.run_sync(run_and_kill, killed, times.uniform(0.0, longest)):
            kills, longest = kills + 1, longest * 1.25
    async with open_node(killed, Config(), only=[chatnode_crm]) as node:
        assert await left_behind(node) == undisturbed
    assert kills >= 3
