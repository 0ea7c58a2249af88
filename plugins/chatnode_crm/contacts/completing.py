"""Asking other plugins to complete contacts. What they return fills empty fields only; a failure is harmless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from chatnode.api import Context
from chatnode_crm.contacts.values import Rules, check

FILLED = ("first_name", "last_name", "company", "phone", "country", "city", "description")
"""The fields that may be filled."""
_SHOWN = ("email", "external_id", *FILLED)


async def additions(ctx: Context, contacts: Sequence[Mapping[str, Any]], rules: Rules) -> list[dict[str, Any]]:
    """What plugins know about each of the contacts, besides what is given. Checked; with `phone_key` beside `phone`."""
    found: list[dict[str, Any]] = [{} for _ in contacts]
    asked = [{name: values[name] for name in _SHOWN if values.get(name)} for values in contacts]
    for answer in await ctx.ask("complete_contacts", contacts=asked):
        items = list(cast("Sequence[Any]", answer)) if isinstance(answer, list | tuple) else []
        if len(items) != len(asked):
            ctx.log.error("a plugin returned %d items for %d contacts to complete", len(items), len(asked))
            continue
        for known, given, more in zip(found, contacts, items, strict=True):
            if isinstance(more, Mapping):
                _add(known, given, cast("Mapping[Any, Any]", more), rules)
    return found


def _add(known: dict[str, Any], given: Mapping[str, Any], more: Mapping[Any, Any], rules: Rules) -> None:
    wanted = {name: more[name] for name in FILLED if more.get(name) and not known.get(name) and name not in given}
    if wanted:
        values, _ = check(wanted, rules)
        known |= {name: value for name, value in values.items() if value}


def filling(row: object, given: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Those additions that fill an empty field of a stored contact, which the given values do not set either."""
    return {
        name: value
        for name, value in more.items()
        if name.removesuffix("_key") not in given and not getattr(row, name.removesuffix("_key"))
    }
