"""Who is notified of a message, and when."""

from __future__ import annotations

from chatnode.api import Part
from chatnode_notifications.deciding import closing, consumer, explain, fanning

PART = Part(
    commands=explain.COMMANDS,
    consumers=(consumer.CONSUMER,),
    tasks=(closing.TASK, fanning.TASK),
)
