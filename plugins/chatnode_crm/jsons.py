"""Many keys in one bound parameter, for `json_each`."""

from __future__ import annotations

from collections.abc import Iterable

import orjson


def json_array(keys: Iterable[int] | Iterable[str]) -> str:
    return orjson.dumps(list(keys)).decode()
