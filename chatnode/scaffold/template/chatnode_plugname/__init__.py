"""Plugname: users add items to a conversation and see each other's."""

from __future__ import annotations

from chatnode.api import EventKind, Page, Plugin, Table, hookimpl, steps_in

from . import storage
from .commands import COMMANDS
from .consumer import TOTALS
from .model import ADD, ItemAdded, Settings
from .page import show_totals

__version__ = "0.1.0"


@hookimpl
def chatnode_plugin() -> Plugin:
    """Everything that the plugin adds to a node."""
    return Plugin(
        name="plugname",
        version=__version__,
        api="2.1",
        about="Items that users add to a conversation.",
        settings=Settings,
        steps=steps_in("chatnode_plugname"),
        tables=(
            Table("plugname_items", people=("person",), export=storage.EXPORT_ITEMS),
            Table("plugname_totals", people=("person",), export=storage.EXPORT_TOTALS),
        ),
        permissions=(ADD,),
        commands=COMMANDS,
        events=(EventKind(ItemAdded, storage.make_added),),
        consumers=(TOTALS,),
        pages=(Page("totals", "Items by person", show_totals),),
    )
