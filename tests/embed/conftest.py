from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    """No plugins: what is tried here is the node's own."""
    return ()
