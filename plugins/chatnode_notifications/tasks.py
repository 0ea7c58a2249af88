"""Names of the plugin's tasks, by which they are woken."""

from __future__ import annotations

CLOSING = "closing"
FANNING_OUT = "fanning_out"
