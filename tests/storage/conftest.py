"""What the tests of the storage share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.storage.harness import Published, make_file, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the core's tables."""
    return make_file(tmp_path / "chatnode.sqlite3")


@pytest.fixture
async def db(path: Path) -> AsyncIterator[Published]:
    async with opened(path) as db:
        yield db


@pytest.fixture(params=["threads", "inline"])
async def either(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Published]:
    """The database as it runs in a node, and as it runs under a mocked clock: both promise the same."""
    async with opened(path, inline=request.param == "inline") as db:
        yield db
