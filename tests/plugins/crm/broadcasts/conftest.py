"""Broadcasts that need not wait."""

from __future__ import annotations

import pytest

from chatnode.config import Config
from chatnode.testing import configured


@pytest.fixture
def config() -> Config:
    return configured(plugins={"crm": {"broadcasts_per_minute": 60_000, "broadcast_footer": ""}})
