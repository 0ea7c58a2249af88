"""Getting notifications to devices: a queue in the table `notifications_deliveries`, and the task that sends."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Part, Task
from chatnode_notifications.delivering import operating
from chatnode_notifications.delivering.figures import METRICS
from chatnode_notifications.delivering.following import add_deliveries
from chatnode_notifications.delivering.sending import send_notifications
from chatnode_notifications.notes import Follower

FOLLOWERS: Sequence[Follower] = (add_deliveries,)

PART = Part(commands=operating.COMMANDS, tasks=(Task("send", send_notifications),), metrics=METRICS)
