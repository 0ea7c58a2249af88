"""The node's own collections, one module per subject."""

from __future__ import annotations

from chatnode.storage.filters.collection import Collection
from chatnode.storage.filters.collections import accounts, conversations, messages, operations

COLLECTIONS: tuple[Collection, ...] = (
    conversations.CONVERSATIONS,
    conversations.PARTICIPANTS,
    conversations.SETTINGS,
    messages.MESSAGES,
    messages.RECEIPTS,
    accounts.PEOPLE,
    accounts.SESSIONS,
    accounts.BLOCKS,
    operations.AUDIT,
    operations.REPORTS,
)
