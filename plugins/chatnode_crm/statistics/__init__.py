"""Figures: growth, sizes of lists, use of tags, where contacts are."""

from __future__ import annotations

from chatnode.api import Part
from chatnode_crm.statistics.commands import COMMANDS
from chatnode_crm.statistics.days import CONSUMER, TASK
from chatnode_crm.statistics.health import METRICS

PART = Part(commands=COMMANDS, consumers=(CONSUMER,), tasks=(TASK,), metrics=METRICS)
