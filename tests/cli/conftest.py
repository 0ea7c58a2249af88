"""What all tests of the command line share: an environment without settings, and a data directory of their own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import trio

from chatnode.config import Config
from chatnode.node import open_node


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CHATNODE_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def empty_node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as it is before anything was done on the node."""
    data = tmp_path_factory.mktemp("empty") / "data"

    async def make() -> None:
        async with open_node(data, Config()):
            pass

    trio.run(make)
    return data


@pytest.fixture
def data(tmp_path: Path, empty_node: Path) -> Path:
    """The directory of a new node that nobody holds."""
    return shutil.copytree(empty_node, tmp_path / "data")


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A directory that is not there."""
    return tmp_path / "nowhere"
