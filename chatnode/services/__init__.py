"""The node's commands: one module per subject.

`COMMANDS` is the core's part of the command table; `JOBS` are the core's scheduled jobs.
"""

from __future__ import annotations

from typing import Any

from chatnode.dispatch.jobs import Job
from chatnode.dispatch.table import Command
from chatnode.services import (
    accounts,
    administration,
    adoption,
    backups,
    conversations,
    importing,
    inbox,
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
)

COMMANDS: tuple[Command[Any, Any], ...] = (
    *sign_in.COMMANDS,
    *accounts.COMMANDS,
    *administration.COMMANDS,
    *roles.COMMANDS,
    *conversations.COMMANDS,
    *messages.COMMANDS,
    *moderation.COMMANDS,
    *receipts.COMMANDS,
    *retention.COMMANDS,
    *inbox.COMMANDS,
    *items.COMMANDS,
    *presence.COMMANDS,
    *search.COMMANDS,
    *importing.COMMANDS,
    *operations.COMMANDS,
    *jobs.COMMANDS,
    *plugins.COMMANDS,
    *backups.COMMANDS,
    *privacy.COMMANDS,
    *adoption.COMMANDS,
)

JOBS: tuple[Job, ...] = (
    *maintenance.JOBS,
    *retention.JOBS,
    *backups.JOBS,
    *privacy.JOBS,
    *adoption.JOBS,
    *memory.JOBS,
)
