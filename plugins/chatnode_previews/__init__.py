"""Previews of links in messages: fetched by the node, so that no reader contacts the site."""

from __future__ import annotations

from chatnode.api import Part, Plugin, hookimpl, joined, steps_in
from chatnode_previews.settings import PreviewsSettings

PARTS: tuple[Part, ...] = ()


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
        **joined(PARTS),
    )
