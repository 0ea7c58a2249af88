"""Requests, replies, events and settings: data only."""

from __future__ import annotations

from typing import Annotated

import attrs
from chatnode.api import Event, Id, Permission, PersonRef, Text, setting

ADD = Permission("plugname.add", "add items to conversations")
ItemText = Annotated[str, Text(most=200, least=1)]


@attrs.frozen
class Settings:
    """Items that users add to a conversation."""

    max_items: int = setting(
        100, "Maximum number of items one user may add to a conversation; 0 means no limit.", minimum=0
    )


@attrs.define
class Item:
    """An item that `by` added to a conversation."""

    item: str
    conversation: str
    by: PersonRef
    text: str
    at: str


@attrs.define
class AddItem:
    """The request of `plugname.add`."""

    conversation: Id
    text: ItemText


@attrs.define
class ListItems:
    """The request of `plugname.list`."""

    conversation: Id


@attrs.define
class ItemReply:
    """The reply of `plugname.add`."""

    item: Item


@attrs.define
class ItemsReply:
    """The reply of `plugname.list`, oldest first."""

    items: list[Item]


@attrs.define
class ItemAdded(Event):
    """A user added an item to the conversation."""

    name = "plugname.added"
    conversation: str
    item: Item
