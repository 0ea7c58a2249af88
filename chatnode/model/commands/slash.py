"""Slash commands and buttons: invoking them, and answering."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.model.actions import MOST_ACTIONS, Action, ActionId
from chatnode.model.bots import OfferedCommand, PrivateNotice
from chatnode.model.fields import Body, Cid, Id, Items
from chatnode.model.people import PersonRef
from chatnode.model.records import record


@record
class OfferedCommands:
    """In the order of commands."""

    commands: list[OfferedCommand]


@record
class RunSlash:
    """`text` is what the user typed, such as `/deploy main`."""

    conversation: Id
    text: Body
    cid: Cid


@record
class SlashRan:
    """A `bot` gets an event, and its answers are events. A plugin has answered: with a `message` that all members see,
    with a `notice` that only you see, or with neither. `dup`: this `cid` was used before, and this is the original
    reply."""

    invocation: str
    dup: bool
    bot: PersonRef | None = None
    message: str | None = None
    notice: PrivateNotice | None = None


@record
class ReplySlash:
    """`only_you` is for the user who invoked it. With a `cid`, repeating the reply changes nothing."""

    invocation: Id
    text: Body
    visible: Literal["all", "only_you"] = "only_you"
    cid: Cid | None = None
    actions: Annotated[list[Action], Items(MOST_ACTIONS)] | None = None


@record
class SlashReplied:
    """The `message` or the `notice` that the reply became."""

    invocation: str
    dup: bool
    message: str | None = None
    notice: str | None = None


@record
class InvokeAction:
    """`action` is the id of a button of the message."""

    message: Id
    action: ActionId
    cid: Cid


@record
class ActionInvocation:
    """`dup`: this `cid` was used before."""

    invocation: str
    dup: bool
    bot: PersonRef
