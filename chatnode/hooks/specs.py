"""Every hook that a plugin may implement, on one screen: signature, colour, what a failure means, how long it may take.

A hook is for what a plugin changes; what it adds, it declares (`plugin.py`). Implementations are marked with
`hookimpl`, and called in the order in which plugins are loaded (that of their names), `tryfirst` before and `trylast`
after the others. They may leave out arguments that they do not need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import attrs
import pluggy

from chatnode.dispatch.hooks import Verdict
from chatnode.hooks.context import Context
from chatnode.hooks.plugin import Plugin
from chatnode.model.people import Account
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Change, Transaction
from chatnode.storage.messages.messages import Draft

PROJECT = "chatnode"

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function as an implementation of the hook that it has the name of. Options: `tryfirst`, `trylast`,
`wrapper` (only where the hook is not async)."""

_hookspec = pluggy.HookspecMarker(PROJECT)
F = TypeVar("F", bound=Callable[..., Any])

Failure = Literal["refuse", "go on"]
Budget = Literal["hook_seconds", "transaction_seconds", "start_seconds"]


@attrs.frozen
class Terms:
    """How a hook is called. `budget`: the setting of `[plugins]` that says how many seconds an implementation may take.

    `failure`: whether an implementation that raises, gives something else than it may, or takes too long, refuses what
    is being done, or is left out.
    """

    failure: Failure
    budget: Budget


TERMS: dict[str, Terms] = {}
"""By the name of the hook."""


def hook(failure: Failure, budget: Budget) -> Callable[[F], F]:
    """Declare a hook of the node's, with its terms."""

    def declare(function: F) -> F:
        TERMS[function.__name__] = Terms(failure, budget)
        return _hookspec(function)

    return declare


def hookspec(function: F) -> F:
    """Declare a hook of a plugin's own, for `add_hookspecs`: its failures are left out, its budget is hook_seconds."""
    return _hookspec(function)


@_hookspec(firstresult=True)
def chatnode_plugin() -> Plugin:
    """The plugin's declaration. Every plugin has this one."""
    raise AssertionError("only implementations are called")


@_hookspec(historic=True)
def add_hookspecs(add: Callable[[object], None]) -> None:
    """Offer hooks of the plugin's own to others: call `add` with the module that holds them."""


@hook("refuse", "hook_seconds")
async def check_command(ctx: Context, name: str, command: Any) -> Verdict:
    """May this command be carried out? After permission, limit and form are checked, before its handler; the first
    `Deny` wins.

    Access to what the command names is not checked yet, so an implementation must have no side effects.
    """
    raise AssertionError("only implementations are called")


@hook("refuse", "hook_seconds")
async def prepare_draft(ctx: Context, draft: Draft) -> None:
    """Change a message before it is written: `draft.text`, `draft.metadata`. Raise `Refusal` to refuse it.

    Called only if the sender may post there, and not for a repeat of a stored message, which gets the first answer. A
    message that is refused afterwards, or lost in a crash, may be sent and prepared again: key side effects by
    `(draft.sender, draft.cid)`. Also called for an edit: `draft.edits` is then the message's id, `draft.cid` the one it
    was posted with, content and metadata are those of the message, and only the text is used.
    """


@hook("refuse", "transaction_seconds")
def audience(tx: Transaction, change: Change) -> Iterable[int]:
    """Keys of people who are to be told of this event too. In the transaction; recorded with the event.

    Have no effect but through `tx`: the transaction may be undone, and run again.
    """
    raise AssertionError("only implementations are called")


@hook("refuse", "transaction_seconds")
def in_transaction(tx: Transaction, change: Change) -> None:
    """Something was recorded: do what must hold together with it. In its transaction, after its row of the log.

    Have no effect but through `tx`: the transaction may be undone, and run again.
    """


@hook("go on", "hook_seconds")
def enrich_messages(reader: Reader | Transaction, ids: Sequence[str], viewer: Account | None) -> Mapping[str, Any]:
    """What the plugin knows of messages, by their ids, as JSON has it: `extra.<plugin>` of each message.

    Once for all that are shown together, never for each. `viewer` is the user who alone reads the answer: a page of
    history, the inbox, a search, the reply to a command. None where one answer is for several, as in events, live or
    replayed, or for moderators who look at reports: give only what every user who may see the message may know. Deleted
    messages are among the ids. Keep nothing between calls that depends on the viewer.
    """
    raise AssertionError("only implementations are called")


@hook("go on", "hook_seconds")
def enrich_people(reader: Reader, ids: Sequence[str], viewer: Account | None) -> Mapping[str, Any]:
    """What the plugin knows of people, by their ids, as JSON has it: `extra.<plugin>` of each person.

    Where people are listed or asked for, once for all of them. `viewer` is the user who asks, None for the operator.
    """
    raise AssertionError("only implementations are called")


@hook("go on", "start_seconds")
async def node_started(ctx: Context) -> None:
    """The node serves from now on. Not called on a node that is opened without serving."""


@hook("go on", "start_seconds")
async def node_stopping(ctx: Context) -> None:
    """The node stops: nothing connects any more, the database is still open."""
