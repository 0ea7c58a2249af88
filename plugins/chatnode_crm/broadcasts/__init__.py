"""Broadcasts: one message of a bot to many contacts, each in their own conversation with it."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Part, Table, Transaction
from chatnode_crm.broadcasts import answers, commands, sending
from chatnode_crm.deliveries import forget_deliveries


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """All that this part stores about contacts that are deleted, but for numbers."""
    forget_deliveries(tx, keys)


PART = Part(
    commands=commands.COMMANDS,
    tables=(Table("crm_talks", people=("bot", "person")),),
    consumers=(answers.CONSUMER,),
    works=(sending.KIND,),
)
