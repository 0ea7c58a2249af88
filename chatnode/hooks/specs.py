"""Every hook that a plugin may implement, with its signature, sync or async, failure policy and budget.

Hooks change what the node does; a plugin declares what it adds (`plugin.py`). Implementations are marked with
`hookimpl` and called in the order in which plugins are loaded (after those they require, otherwise by name), `tryfirst`
before and `trylast` after the others. They may omit arguments that they do not need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, overload

import pluggy

from chatnode.dispatch.hooks import Verdict
from chatnode.hooks.context import Context
from chatnode.hooks.plugin import Plugin
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Change, Transaction
from chatnode.storage.messages.posting import Draft

PROJECT = "chatnode"

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function as an implementation of the hook with the same name. Options: `tryfirst`, `trylast`,
`wrapper` (only where the hook is not async)."""

_hookspec = pluggy.HookspecMarker(PROJECT)
F = TypeVar("F", bound=Callable[..., Any])

Failure = Literal["refuse", "go on"]
Budget = Literal["hook_seconds", "transaction_seconds", "start_seconds"]


@record(frozen=True)
class Terms:
    """How a hook is called. `budget`: the setting in `[plugins]` with the seconds an implementation may take.
    `failure`: what happens if an implementation raises, returns something invalid or takes too long: the operation is
    refused, or the implementation is left out.
    """

    failure: Failure
    budget: Budget


TERMS: dict[str, Terms] = {}
"""By the hook's name."""


def hook(failure: Failure, budget: Budget) -> Callable[[F], F]:
    """Declare a hook of the node, with its terms."""

    def declare(function: F) -> F:
        TERMS[function.__name__] = Terms(failure, budget)
        return _hookspec(function)

    return declare


REFUSES = "refuses_if_failing"
"""The attribute of a plugin's hook whose failure refuses the operation."""


@overload
def hookspec(function: F, /) -> F: ...
@overload
def hookspec(*, failure: Failure) -> Callable[[F], F]: ...
def hookspec(function: Callable[..., Any] | None = None, /, *, failure: Failure = "go on") -> Any:
    """Declare a hook of a plugin, for `add_hookspecs`, with the budget `hook_seconds`.

    An implementation that fails is left out. For a hook that may forbid something, write
    `@hookspec(failure="refuse")`: then `Context.ask` raises `Refusal` if an implementation raises, is too slow, or
    refuses itself.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        setattr(function, REFUSES, failure == "refuse")
        return _hookspec(function)

    return declare(function) if function is not None else declare


@_hookspec(firstresult=True)
def chatnode_plugin() -> Plugin:
    """Return the plugin's declaration. Every plugin implements this hook."""
    raise AssertionError("only implementations are called")


@_hookspec(historic=True)
def add_hookspecs(add: Callable[[object], None]) -> None:
    """Offer the plugin's own hooks to other plugins: call `add` with the module that declares them.

    A plugin that implements one requires this plugin. Or it marks the implementation with
    `@hookimpl(optionalhook=True)`, which is left out on a node where no plugin offers the hook.
    """


@hook("refuse", "hook_seconds")
async def check_command(ctx: Context, name: str, command: Any) -> Verdict:
    """Allow or deny a command. Called after the checks of permission, limit and fields and before the handler; the
    first `Deny` wins.

    Access to the objects that the command names is not checked yet, so implementations must not have side effects.
    """
    raise AssertionError("only implementations are called")


@hook("refuse", "hook_seconds")
async def prepare_draft(ctx: Context, draft: Draft) -> None:
    """Change a message before it is written: `draft.text`, `draft.metadata`, `draft.content`, `draft.files`. Raise
    `Refusal` to refuse it.

    `draft.files` are those of an image or file message, as the client named them. Replace a `FileRef` by the `Media` to
    store if the plugin knows the file. If no plugin does, a file without name, type and size is refused. Files can be
    changed, but not all removed, nor given to a message that has none; content stays of the same class. What
    a plugin changes must be within the bounds of `messages.post`: otherwise its hook has failed. A text longer than
    `limits.message_chars`, or more files than `limits.files_per_message`, is refused with `too_large`, as if the client
    had sent it. A repeat of the message is recognized by the text and the ids of files that the client sent, not by
    what plugins made of them.

    Called only if the sender may post there, and not for a repeat of a stored message. A message that is refused
    afterwards or lost in a crash may be sent and prepared again: key side effects by `(draft.sender, draft.cid)`.
    Also called for an edit: then `draft.edits` is the message's id, `draft.cid` is its original cid, content, files
    and metadata are those of the message, and only the text is used.
    """


@hook("refuse", "transaction_seconds")
def audience(tx: Transaction, change: Change) -> Iterable[int]:
    """Return the keys (`Account.key`) of further users to notify of this event. Runs in the transaction; the keys are
    recorded with the event.

    Have no effect but through `tx`: the transaction may be rolled back and run again.
    """
    raise AssertionError("only implementations are called")


@hook("refuse", "transaction_seconds")
def in_transaction(tx: Transaction, change: Change) -> None:
    """Do what must be atomic with the recorded event. Runs in its transaction, after its row is in the log.

    Have no effect but through `tx`: the transaction may be rolled back and run again.
    """


@hook("go on", "hook_seconds")
def enrich_messages(reader: Querying, ids: Sequence[str], viewer: Account | None) -> Mapping[str, Any]:
    """Return JSON values by message id, shown as `extra.<plugin>` of each message.

    Called once for all messages that are shown together. `viewer` is the user if the result is for them alone: a page
    of history, the inbox, a search, the reply to a command. It is None if several users get the same result, as in
    events (live or replayed) and reports: then return only what is for everyone who can see the message. The ids
    include deleted messages. Do not cache anything that depends on the viewer.
    """
    raise AssertionError("only implementations are called")


@hook("go on", "hook_seconds")
def enrich_people(reader: Reader, ids: Sequence[str], viewer: Account | None) -> Mapping[str, Any]:
    """Return JSON values by user id, shown as `extra.<plugin>` of each person.

    Called once for all people that are listed together. `viewer` is the requesting user, None for the operator.
    """
    raise AssertionError("only implementations are called")


@hook("go on", "start_seconds")
async def node_started(ctx: Context) -> None:
    """The node has started serving. Not called if a node is opened without serving."""


@hook("go on", "start_seconds")
async def node_stopping(ctx: Context) -> None:
    """The node is stopping: it accepts no connections, and the database is still open."""
