"""A backup and a restore with files, killed before each change of a file or a name: what is there can be relied on."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.config import Backup, Config
from chatnode.errors import StartError
from chatnode.hooks.discovery import Installed
from chatnode.hooks.files import find_lister
from chatnode.node import open_node
from chatnode.services import declared
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.stored_files import Lister
from chatnode.storage.upkeep import backups, restoring
from tests.plugins import keeper

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_keys")]

CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.truncate", "os.chmod"}
"""Also files that are opened to be written."""


def find(name: str) -> Lister | None:
    return find_lister({}, {"keeper": Installed("keeper", "", "", lambda: keeper)}, name)


def is_killed(work: Callable[[], object], step: int) -> bool:
    """Run `work` in a process of its own, killed right before its change number `step`; False if it ended before."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if event in CHANGES or writes:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            work()
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)


def with_node(data: Path, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    async def run() -> list[Any]:
        async with open_node(data, Config(), only=[keeper]) as node:
            return [await node.call(name, **fields) for name, fields in calls]

    return trio.run(run)


def keep(content: str) -> tuple[str, dict[str, Any]]:
    return "keeper.keep", {"content": content}


def contents(data: Path) -> list[str]:
    return sorted(path.read_text() for path in (data / "plugins" / "keeper").rglob("*") if path.is_file())


@pytest.mark.parametrize("secret", [None, "correct horse"])
def test_backups_killed_anywhere(tmp_path: Path, secret: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    data, directory, now = tmp_path / "data", tmp_path / "b", [1_700_000_000_000]
    monkeypatch.setattr(backups, "now_ms", lambda: now[0])
    settings = Backup(directory=str(directory), keep_daily=2, keep_weekly=0, keep_monthly=0)

    def rotate() -> None:
        backups.rotate(DataDirectory(data), settings, secret, declared(), find)

    names = [each["name"] for each in with_node(data, keep("one"), keep("two"))]
    rotate()
    step, killed = 0, True
    while killed:
        step, now[0] = step + 1, now[0] + 86_400_000
        with_node(data, keep(f"new {step}"), ("keeper.forget", {"name": names.pop(0)}) if names else keep("again"))
        killed = is_killed(rotate, step)
        there = sorted(directory.glob("*.backup"))
        assert there
        for path in there:
            restoring.verify(path, secret)  # a backup with a name is whole, and so are its files
    assert step > 10
    now[0] += 86_400_000
    rotate()
    now[0] += 86_400_000
    rotate()
    assert len(list(directory.glob("files/*/??/*"))) == len({*contents(data)})  # nothing else is left in the pool
    assert not list(directory.rglob("*.partial"))
    assert not list(data.glob("*.partial"))


@pytest.mark.parametrize("secret", [None, "correct horse"])
def test_restores_killed_anywhere(tmp_path: Path, secret: str | None) -> None:
    data, backup, work = tmp_path / "data", tmp_path / "x", tmp_path / "work"
    names = [each["name"] for each in with_node(data, keep("one"), keep("two"), keep("three"))]
    backups.create(DataDirectory(data), backup, secret, declared(), find)
    with_node(data, ("keeper.forget", {"name": names[0]}), keep("late"))
    (data / "plugins" / "keeper" / names[1]).unlink()

    def restore() -> None:
        directory = DataDirectory(work)
        directory.claim()
        restoring.restore(directory, backup, secret, declared(), find)
        directory.release()

    step, killed, half = 0, True, 0
    while killed:
        step += 1
        shutil.copytree(data, work)
        killed = is_killed(restore, step)
        try:
            (rows,) = with_node(work, ("node.check", {}))
        except StartError as error:
            assert "a restore was interrupted here" in str(error)  # noqa: PT017
            half += 1
        else:  # as before, or done: never some of each
            problems = {each["name"]: each["problems"] for each in rows["checks"] if each["problems"]}
            if "files of keeper" not in problems:
                assert contents(work) == ["late", "one", "three", "two"]
        restore()
        assert contents(work) == ["late", "one", "three", "two"]
        (rows,) = with_node(work, ("node.check", {"deep": True}))
        (late,) = [each["problems"] for each in rows["checks"] if each["problems"]]
        assert len(late) == 1  # the file of the row that is gone, which a repair deletes
        assert not list(work.rglob("*.partial"))
        shutil.rmtree(work)
    assert step > 10
    assert half >= 2
