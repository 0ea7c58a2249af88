"""Here people are there, as for whoever writes a plugin: `ann` and `bob` hear what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatnode.testing import ann, bob, eve

from .wheels import ROOT, wheel

__all__ = ["ann", "bob", "eve"]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with chatnode's wheel and that of plugin_hello."""
    folder = tmp_path_factory.mktemp("wheels")
    wheel(ROOT, folder)
    wheel(ROOT / "examples/plugin_hello", folder)
    return folder
