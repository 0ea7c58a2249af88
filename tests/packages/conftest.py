"""Packages and machines for the tests of packages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .building import Built, build
from .machine import Machine


@pytest.fixture(scope="session")
def built() -> Built:
    return build()


@pytest.fixture
def machine(built: Built, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(built, tmp_path / "machine")
    yield made
    shutil.rmtree(made.path)


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a measurement, also of a test that passes."""

    def say(text: str) -> None:
        with capfd.disabled():
            print(f"\n{text}", flush=True)

    return say
