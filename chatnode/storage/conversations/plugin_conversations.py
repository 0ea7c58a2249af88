"""Opening conversations and adding members in a plugin's transaction, within the node's limits."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.model.commands.conversations import OpenGroup
from chatnode.model.conversations import History, Visibility
from chatnode.model.people import Account
from chatnode.protocol import codec
from chatnode.storage.conversations import members as memberships
from chatnode.storage.conversations import opening
from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people


def open_direct(tx: Transaction, account: Account, other: Account) -> str:
    """Find or make the direct conversation of two users; returns its id.

    `account` opens it and must be able to act. A new one is refused with a user whose account is deactivated, and
    where one of the two has blocked the other. Raises `Refusal`.
    """
    return opening.open_direct(tx, people.check_can_act(tx, account.key), people.by_key(tx, other.key))


def open_group(
    tx: Transaction,
    owner: Account,
    title: str,
    members: Sequence[Account] = (),
    *,
    description: str = "",
    visibility: Visibility = "private",
    history: History | None = None,
) -> str:
    """Open a group that `owner` owns in this transaction; returns its id. Each call opens another one.

    Raises `Refusal` if a member's account is deactivated, or if a member and the owner have blocked one another.
    `check_command`, rates and the permission to open groups do not apply.
    """
    given = {"title": title, "description": description, "visibility": visibility}
    asked = codec.structure(given, OpenGroup)
    account = people.check_can_act(tx, owner.key)
    others = [_reachable(tx, each) for each in members]
    return opening.open_group(
        tx, account, title=asked.title, description=asked.description, visibility=asked.visibility,
        history=history or opening.usual_history(asked.visibility), others=others,
        most_members=additions(tx).limits.group_members,
    )  # fmt: skip


def add_member(tx: Transaction, by: Account, conversation: str, member: Account) -> None:
    """Add `member` to a group on behalf of `by`, who must be allowed to: any member of a public group, an admin of a
    private one.

    Adding a member again changes nothing. Blocks and the group's size are checked; `check_command` and rates do not
    apply. Raises `Refusal`.
    """
    account = people.check_can_act(tx, by.key)
    memberships.add(tx, account, conversation, _reachable(tx, member), additions(tx).limits.group_members)


def _reachable(tx: Transaction, account: Account) -> Account:
    current = people.by_key(tx, account.key)
    people.check_reachable(current)
    return current
