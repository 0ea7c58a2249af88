"""Posting in a plugin's transaction, with the checks that a client's post makes in the database and no earlier ones."""

from __future__ import annotations

from collections.abc import Mapping

from chatnode.errors import Refusal
from chatnode.model.commands.messages import Posted, PostMessage
from chatnode.model.people import Account
from chatnode.protocol import codec
from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import messages
from chatnode.storage.messages.messages import Draft
from chatnode.storage.people import people


def post_message(
    tx: Transaction,
    sender: Account,
    conversation: str,
    text: str,
    *,
    cid: str,
    reply_to: str | None = None,
    thread: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Posted:
    """Post a text message as `sender` in this transaction: it is stored and sent if and only if the transaction
    commits.

    The sender must be a member who can act, and the conversation open. Format and length are checked, and the hooks
    `in_transaction` and `audience` run, as for a client's message; `check_command`, `prepare_draft` and rates do not
    apply. A second post with the same `cid` changes nothing and returns the first result, with `dup` set: derive it
    from what the message is about, so that retrying is safe.

    Raises `Refusal`. Not for the hook `audience`, which runs before its own event has a place in the log.
    """
    given = {
        "conversation": conversation, "cid": cid, "text": text, "reply_to": reply_to, "thread": thread,
        "metadata": dict(metadata) if metadata else None,
    }  # fmt: skip
    asked = codec.structure({name: value for name, value in given.items() if value is not None}, PostMessage)
    limits = additions(tx).limits
    if not asked.text:
        raise Refusal("invalid", "text has 0 characters; the minimum is 1", path="text")
    if limits.message_chars and len(asked.text) > limits.message_chars:
        raise Refusal("too_large", f"a message has at most {limits.message_chars} characters", path="text")
    account = people.check_can_act(tx, sender.key)
    draft = Draft(
        asked.conversation, asked.cid, asked.text, asked.reply_to, asked.thread, metadata=asked.metadata,
        sender=account.id,
    )  # fmt: skip
    return messages.post(tx, account, draft, limits.everyone_members)
