"""What an alert says: made from the tables when it is sent, so that it never tells what was deleted meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import attrs

from chatnode.api import PersonRef, Querying, Transaction


@attrs.frozen
class Note:
    """An item in words. `key` is that of the item and `id` its public id; `message` and `conversation` are public ids,
    None for a note of the node itself. `body` is at most 500 characters. `silent`: the user wants no sound for this
    conversation. Times are in milliseconds."""

    key: int
    id: str
    person: int
    kind: str
    personal: bool
    silent: bool
    conversation: str | None
    message: str | None
    seq: int | None
    count: int
    title: str
    body: str
    sender: PersonRef | None
    url: str
    created_at: int


@attrs.frozen
class NewItem:
    """An item that was just closed; keys are those of the tables."""

    key: int
    person: int
    conversation: int | None
    personal: bool
    created_at: int


Follower = Callable[[Transaction, Sequence[NewItem]], None]
"""Called in the transaction that adds items, to say how they are to be delivered."""


def notes_of(reader: Querying, items: Collection[int], base_url: str) -> dict[int, Note]:
    """The notes of items, by key. An item that must not be told any more is not among them: it was read or deleted, or
    its user left, was deactivated, muted the conversation or blocked the sender."""
    raise NotImplementedError
