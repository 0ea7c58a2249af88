"""The collection of contacts, with the fields that other tables hold."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from chatnode.api import Asker, Context, Field, Querying
from chatnode_crm.contacts import collection
from chatnode_crm.segments import fields
from chatnode_crm.settings import CrmSettings


def _learn(source: Querying, asker: Asker) -> Iterator[Field]:
    if collection.CONTACTS.learn is not None:
        yield from collection.CONTACTS.learn(source, asker)
    yield from fields.learn(source, asker)


CONTACTS = attrs.evolve(collection.CONTACTS, fields=(*collection.CONTACTS.fields, fields.LAST_MESSAGE), learn=_learn)


def asker_for(ctx: Context) -> Asker:
    """On whose behalf contacts are chosen: the requester, or nobody in a task. Raises `Refusal` if they may not see
    contacts.

    The limits of filters are those of segments, or of the node where these are lower.
    """
    asker, settings = ctx.asker(CONTACTS), ctx.settings(CrmSettings)
    limits = attrs.evolve(
        asker.limits,
        filter_depth=_lower(asker.limits.filter_depth, settings.segment_depth),
        filter_terms=_lower(asker.limits.filter_terms, settings.segment_terms),
    )
    return attrs.evolve(asker, limits=limits)


def _lower(one: int, other: int) -> int:
    """Of two limits; 0 is none."""
    return min(one, other) if one and other else one or other
