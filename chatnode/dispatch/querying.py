"""Querying collections for a requester: with their permissions, within the node's limits."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.dispatch.caller import Caller
from chatnode.model.times import now_ms
from chatnode.storage.engine.connection import Reader
from chatnode.storage.filters.collection import Asker, Collection
from chatnode.storage.filters.query import ItemsPage, plan_query, run_query


def asker_of(caller: Caller, collection: Collection) -> Asker:
    """The asker for the caller's queries of the collection. Raises `Refusal` if they may not query it.

    The node's own work queries on behalf of no user, and may use every field. Limits are for users: what the operator
    or a plugin asks for itself is as long as it has to be.
    """

    def may(permission: str) -> bool:
        return caller.background or caller.may(permission, reads=True)

    if not caller.background:
        caller.check(collection.permission, reads=True)
    person = caller.me.key if collection.personal or caller.account is not None else None
    limits = caller.core.config.limits
    if caller.account is None:
        limits = attrs.evolve(limits, filter_depth=0, filter_terms=0, filter_values=0, filter_chars=0)
    return Asker(person, caller.session, now_ms(), limits, may)


async def query_items(caller: Caller, collection: Collection, **asked: Any) -> ItemsPage:
    """Rows that the caller may see; `asked` are the fields of `plan_query`. One query at a time per user, with a
    deadline.
    """
    asker = asker_of(caller, collection)

    def read(reader: Reader) -> ItemsPage:
        return run_query(reader, asker, plan_query(reader, asker, collection, **asked))

    return await caller.query(read, seconds=0)
