"""The node's own collections, one module per subject."""

from __future__ import annotations

from chatnode.storage.filters.collection import Collection
from chatnode.storage.filters.collections import accounts, administration, conversations, messages, operations

COLLECTIONS: tuple[Collection, ...] = (
    conversations.CONVERSATIONS,
    conversations.PUBLIC,
    conversations.PARTICIPANTS,
    conversations.SETTINGS,
    messages.MESSAGES,
    messages.EDITS,
    messages.RECEIPTS,
    accounts.PEOPLE,
    accounts.SESSIONS,
    accounts.BLOCKS,
    accounts.PRESENCE_HISTORY,
    administration.ACCOUNTS,
    administration.ACCOUNT_SESSIONS,
    administration.INVITES,
    operations.AUDIT,
    operations.REPORTS,
    operations.REMOVALS,
    operations.JOBS,
)
