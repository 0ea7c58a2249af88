"""The rows of tests/test_matrix.py for the commands of plugins: fields to try each with, and who gets what.

`PRIVATE`, as there: for a command that names a conversation or a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FIELDS: dict[str, Callable[[Any], dict[str, Any]]] = {}
PRIVATE: dict[str, tuple[str, ...]] = {}
