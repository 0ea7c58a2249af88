"""Close codes of a client socket: 4000-4099 say stop, 1001 and 4100-4199 say resume with your cursor."""

from __future__ import annotations

STOP_SIGNED_OUT = 4001
STOP_NO_HELLO = 4002
STOP_TOO_MANY_FRAMES = 4003
RESUME_TOO_SLOW = 4100
RESUME_SESSION_ENDED = 4101
