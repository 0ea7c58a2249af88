"""A plugin's own directory for files."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chatnode.api import Allow, Context, Nothing, Step, Table, Task, command
from chatnode.storage.node import plugin_directories
from tests.plugins.surface.making import made, node_with, states

STEP = Step("0001", "CREATE TABLE demo_files (key INTEGER PRIMARY KEY, name TEXT NOT NULL);")


@command("demo.keep", permission=None)
async def keep(ctx: Context, asked: Nothing) -> Nothing:
    """Keep a file."""
    assert ctx.free_bytes() > 0
    (ctx.directory / "deep").mkdir(exist_ok=True)
    (ctx.directory / "deep" / "file").write_bytes(b"12345")
    return Nothing()


KEEPING: dict[str, Any] = {"steps": (STEP,), "tables": (Table("demo_files"),), "commands": (keep,)}


async def test_a_plugin_has_a_directory_that_only_the_node_can_open(tmp_path: Path) -> None:
    async with node_with(tmp_path, made(**KEEPING)) as node:
        await node.call("demo.keep")
    directory = tmp_path / "data" / "plugins" / "demo"
    assert (directory / "deep" / "file").read_bytes() == b"12345"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(directory.parent.stat().st_mode) == 0o700


async def test_state_tasks_and_hooks_know_it_too(tmp_path: Path) -> None:
    seen: list[Path] = []

    @asynccontextmanager
    async def state(ctx: Context) -> AsyncGenerator[list[Path]]:
        seen.append(ctx.directory)
        yield seen

    async def task(ctx: Context) -> str:
        seen.append(ctx.directory)
        return "done"

    async def check_command(ctx: Context, name: str) -> Any:
        seen.append(ctx.directory)
        return Allow()

    plugin = made("demo", check_command, commands=(keep,), state=state, tasks=(Task("look", task, every=0.0),))
    async with node_with(tmp_path, plugin) as node:
        await node.call("demo.keep")
        await node.call("jobs.run", job="demo.look")
    assert len(seen) >= 3
    assert {*seen} == {tmp_path / "data" / "plugins" / "demo"}


async def test_one_that_cannot_be_used_breaks_the_plugin_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "data" / "plugins").mkdir(parents=True)
    (tmp_path / "data" / "plugins" / "demo").write_text("a file in its place")
    async with node_with(tmp_path, made()) as node:
        assert "plugins/demo: cannot be used for the plugin's files" in states(node)["demo"]


async def test_files_that_could_not_be_renamed_are_refused_at_the_start(tmp_path: Path) -> None:
    directory = tmp_path / "data" / "plugins" / "demo"
    directory.mkdir(parents=True)
    (directory / "blobs").symlink_to("/proc")  # a file system of its own on every Linux
    async with node_with(tmp_path, made()) as node:
        assert "blobs is on another file system than" in states(node)["demo"]


async def test_the_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "data" / "plugins").mkdir(parents=True)
    (tmp_path / "big").mkdir()
    (tmp_path / "data" / "plugins" / "demo").symlink_to(tmp_path / "big")
    async with node_with(tmp_path, made(**KEEPING)) as node:
        await node.call("demo.keep")
    assert (tmp_path / "big" / "deep" / "file").exists()
    async with node_with(tmp_path) as node:
        assert (await node.call("plugins.drop", plugin="demo", confirm="demo"))["files"] == 1
    assert list((tmp_path / "big").iterdir()) == []


async def test_dropping_a_plugin_deletes_its_files(tmp_path: Path) -> None:
    async with node_with(tmp_path, made(**KEEPING)) as node:
        await node.call("demo.keep")
    async with node_with(tmp_path) as node:
        dropped = await node.call("plugins.drop", plugin="demo", confirm="demo")
    assert dropped == {"tables": ["demo_files"], "files": 1, "bytes": 5}
    assert list((tmp_path / "data" / "plugins").iterdir()) == []


async def test_a_deletion_that_was_interrupted_is_completed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node_with(tmp_path):
        pass
    directory = tmp_path / "data" / "plugins" / "demo"
    directory.mkdir(parents=True)
    (directory / "file").write_text("x")
    rmtree = plugin_directories.shutil.rmtree

    def die(path: Path, **options: Any) -> None:
        rmtree(path, **options) if options else (_ for _ in ()).throw(KeyboardInterrupt)

    monkeypatch.setattr(plugin_directories.shutil, "rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        plugin_directories.drop(directory)
    assert os.listdir(directory.parent) == ["demo.dropped"]
    async with node_with(tmp_path):
        assert os.listdir(directory.parent) == []


async def test_files_that_outlived_their_tables_can_be_dropped(tmp_path: Path) -> None:
    async with node_with(tmp_path):
        pass
    directory = tmp_path / "data" / "plugins" / "demo"
    directory.mkdir(parents=True)
    (directory / "file").write_text("x")
    async with node_with(tmp_path) as node:
        assert await node.call("plugins.drop", plugin="demo", confirm="demo") == {"tables": [], "files": 1, "bytes": 1}
