"""Many values in one parameter of a statement."""

from __future__ import annotations

from collections.abc import Iterable

import orjson


def json_array(values: Iterable[object]) -> str:
    """Many values as one parameter, for `IN (SELECT value FROM json_each(?))`."""
    return orjson.dumps(list(values)).decode()
