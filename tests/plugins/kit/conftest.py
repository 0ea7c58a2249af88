"""What the tests of the kit share: wheels, as pip would find them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .wheels import ROOT, wheel


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with chatnode's wheel and that of plugin_hello."""
    folder = tmp_path_factory.mktemp("wheels")
    wheel(ROOT, folder)
    wheel(ROOT / "examples/plugin_hello", folder)
    return folder
