"""Previews of links in messages: fetched by the node, so that no reader contacts the site."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chatnode.api import EventKind, Plugin, Querying, Table, hookimpl, steps_in
from chatnode_previews import hookspecs, storage
from chatnode_previews.commands import COMMANDS
from chatnode_previews.fetching import METRICS, TASKS
from chatnode_previews.following import CONSUMER
from chatnode_previews.model import PreviewAdded, PreviewRemoved
from chatnode_previews.serving import ROUTES
from chatnode_previews.settings import PreviewsSettings
from chatnode_previews.state import open_fetching

_LINKS = Table("previews_links", message="message")
_PEOPLE = Table(
    "previews_people_off", people=("person",),
    export="SELECT o.key, o.since FROM previews_people_off o WHERE o.person = :person AND o.key > :after "
    "ORDER BY o.key LIMIT :limit",
)  # fmt: skip


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="previews",
        version="0.1.0",
        api="2.0",
        about="Previews of links in messages.",
        settings=PreviewsSettings,
        steps=steps_in(__name__),
        tables=(_LINKS, _PEOPLE),
        commands=COMMANDS,
        events=(
            EventKind(PreviewAdded, storage.make_added, of_message=True),
            EventKind(PreviewRemoved, storage.make_removed, of_message=True),
        ),
        consumers=(CONSUMER,),
        routes=ROUTES,
        tasks=TASKS,
        metrics=METRICS,
        state=open_fetching,
    )


@hookimpl
def add_hookspecs(add: Callable[[object], None]) -> None:
    """Let another plugin decode the pictures of pages."""
    add(hookspecs)


@hookimpl
def enrich_messages(reader: Querying, ids: Sequence[str]) -> Mapping[str, Any]:
    """`extra.previews` of each message that has any; deleted ones have none."""
    return storage.shown(reader, ids)
