"""The buttons of a bot's message: what they may be, and replacing them."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.errors import Refusal
from chatnode.model.actions import MOST_ACTIONS_BYTES, Action, Actions
from chatnode.model.messages import Message
from chatnode.model.people import Account
from chatnode.protocol import codec
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import messages


def as_content(sender: Account, kind: str, actions: Sequence[Action]) -> Actions | None:
    """The content of a message with these buttons; None without any.

    Raises `Refusal`: `forbidden` unless the sender is a bot, `invalid` for a message of another kind than text, and as
    `check` does.
    """
    if not actions:
        return None
    if not sender.bot:
        raise Refusal("forbidden", "only bots can post buttons", path="actions")
    if kind != "text":
        raise Refusal("invalid", f"a message of kind {kind} has no actions", path="actions")
    check(actions)
    return Actions([*actions])


def check(actions: Sequence[Action]) -> None:
    """Raises `Refusal`: `invalid` for an id that is used twice, `too_large` for more than `MOST_ACTIONS_BYTES`."""
    known: set[str] = set()
    for place, each in enumerate(actions):
        if each.id in known:
            raise Refusal("invalid", "the same id is in the list before", path=f"actions.{place}.id")
        known.add(each.id)
    size = sum(len(codec.encode(each)) for each in actions)
    if size > MOST_ACTIONS_BYTES:
        raise Refusal("too_large", f"buttons have {size} bytes; the maximum is {MOST_ACTIONS_BYTES}", path="actions")


def differ(message: Message, actions: Sequence[Action] | None) -> bool:
    """Whether these are other buttons than the message has; None leaves them as they are."""
    return actions is not None and [*actions] != (message.actions or [])


def replace(tx: Transaction, place: Place, seq: int, content: Actions | None) -> None:
    """Give a message of kind text other buttons, or none. Tells nobody."""
    tx.execute(
        "UPDATE messages SET content = ? WHERE conversation = ? AND seq = ?",
        (messages.written_content(content), place.key, seq),
    )
