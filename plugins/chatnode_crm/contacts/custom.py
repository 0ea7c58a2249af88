"""Custom fields as they are stored: an object, or NULL if there are none."""

from __future__ import annotations

from typing import Any

import orjson


def read_custom(text: str | None) -> dict[str, Any]:
    """The values by the keys of their fields."""
    return orjson.loads(text) if text is not None else {}
