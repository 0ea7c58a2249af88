"""What the tests of the storage share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chatnode.storage.upkeep import sealing
from tests.storage.harness import Breakable, Published, connecting_as, make_file, opened


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


@pytest.fixture(params=["threads", "inline"])
async def breakable(
    request: pytest.FixtureRequest, path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Published]:
    """A database whose COMMIT can be made to fail with `break_commit`."""
    connecting_as(monkeypatch, Breakable)
    async with opened(path, inline=request.param == "inline") as db:
        yield db


@pytest.fixture(scope="module")
def quick_keys() -> Iterator[None]:
    """Keys are derived from passphrases with less memory, as a file's header allows."""
    real = dict(sealing._KDF)  # pyright: ignore[reportPrivateUsage]
    sealing._KDF.update(time=1, memory_kib=64, lanes=1)  # pyright: ignore[reportPrivateUsage]
    yield
    sealing._KDF.update(real)  # pyright: ignore[reportPrivateUsage]
