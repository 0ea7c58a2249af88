"""The rate limit of commands that write."""

from __future__ import annotations

from chatnode.api import Limit

LIMIT = "notifications"
LIMITS = (Limit(LIMIT, "changes of notifications", "changes_per_minute"),)
