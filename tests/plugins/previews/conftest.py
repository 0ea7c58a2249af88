"""A node with the plugin that may reach a site on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import chatnode_previews
import pytest

from chatnode.config import Config
from chatnode.testing import configured
from tests.plugins.previews.site import Site, serving


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_previews]


@pytest.fixture
def plugins(only_plugins: Sequence[Any]) -> Sequence[Any]:
    """Whose SQL the kit watches."""
    return only_plugins


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def more_settings() -> dict[str, Any]:
    """Of the plugin; a test overrides it."""
    return {}


@pytest.fixture
def config(site: Site, more_settings: dict[str, Any]) -> Config:
    return configured(outbound={"allow": [f"127.0.0.1:{site.port}"]}, plugins={"previews": more_settings})
