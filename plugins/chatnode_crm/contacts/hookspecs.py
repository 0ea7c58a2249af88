"""The hook that this plugin offers to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chatnode.api import Context, hookspec


@hookspec
async def complete_contacts(ctx: Context, contacts: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, str] | None]:  # pyright: ignore[reportReturnType]
    """Complete contacts that are about to be created or changed: by a command, an upsert or an import, many at once.

    `contacts` have the given values by field. Return as many items in the same order: values for fields that are empty
    (`first_name`, `last_name`, `company`, `phone`, `country`, `city`, `description`), or None. Values are checked like
    all others. They never replace a value that was given or is stored; of several plugins, the first one wins.
    """
