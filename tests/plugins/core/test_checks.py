"""Checks of plugins that cannot run: a lack of files or of room is no damage."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from chatnode.api import Reader, StoredFile
from chatnode.testing import refused

from .making import made, node_with


def fails(number: int) -> None:
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOSPC])
@pytest.mark.parametrize("what", ["check", "stored_files"])
async def test_a_check_that_cannot_run_now_reports_no_damage(tmp_path: Path, what: str, number: int) -> None:
    def check(reader: Reader, directory: Path) -> list[str]:
        fails(number)
        return []

    def stored_files(reader: Reader) -> Iterable[StoredFile]:
        fails(number)
        return ()

    plugin = made(**{what: check if what == "check" else stored_files})
    async with node_with(tmp_path, plugin) as node:
        with refused("unavailable"):
            await node.call("node.check")
        ran = await node.call("jobs.run", job="integrity")
        assert not ran["job"]["ok"]
        assert "the plugin made cannot be checked now" in ran["job"]["result"]
        assert "not sound" not in ran["job"]["result"]


async def test_a_check_that_raises_is_a_problem(tmp_path: Path) -> None:
    def check(reader: Reader, directory: Path) -> list[str]:
        raise KeyError("lost")

    async with node_with(tmp_path, made(check=check)) as node:
        found = await node.call("node.check")
        assert not found["clean"]
        assert "KeyError" in str([each for each in found["checks"] if each["problems"]])
