"""The node's commands: one module per subject, each of which ends in a `SUBJECT` that declares what it adds.

`SUBJECTS` is what a node is opened with. `COMMANDS` is the core's part of the command table, `TABLES` are the core's
tables.
"""

from __future__ import annotations

from typing import Any

from chatnode.dispatch.subject import Subject, additions_of
from chatnode.dispatch.table import Command
from chatnode.services import (
    accounts,
    administration,
    adoption,
    backups,
    bots,
    certificates,
    conversations,
    importing,
    inbox,
    invocations,
    items,
    jobs,
    maintenance,
    memory,
    messages,
    moderation,
    operations,
    plugins,
    presence,
    privacy,
    receipts,
    retention,
    roles,
    search,
    sign_in,
    slash,
    vouching,
    work,
)
from chatnode.storage.engine.additions import Additions, CoreTable

SUBJECTS: tuple[Subject, ...] = (
    sign_in.SUBJECT,
    accounts.SUBJECT,
    vouching.SUBJECT,
    administration.SUBJECT,
    roles.SUBJECT,
    conversations.SUBJECT,
    messages.SUBJECT,
    moderation.SUBJECT,
    receipts.SUBJECT,
    maintenance.SUBJECT,
    retention.SUBJECT,
    inbox.SUBJECT,
    items.SUBJECT,
    presence.SUBJECT,
    search.SUBJECT,
    importing.SUBJECT,
    operations.SUBJECT,
    jobs.SUBJECT,
    plugins.SUBJECT,
    backups.SUBJECT,
    privacy.SUBJECT,
    adoption.SUBJECT,
    memory.SUBJECT,
    work.SUBJECT,
    bots.SUBJECT,
    slash.SUBJECT,
    invocations.SUBJECT,
    certificates.SUBJECT,
)
TABLES: tuple[CoreTable, ...] = tuple(table for each in SUBJECTS for table in each.tables)
COMMANDS: tuple[Command[Any, Any], ...] = tuple(command for each in SUBJECTS for command in each.commands)


def declared() -> Additions:
    """What the core declares of its storage, for work on a file that no node has open."""
    return additions_of(SUBJECTS)
