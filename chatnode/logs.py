"""Logging: one line per fact on standard error, as text or as JSON. Never a token, never message text.

A record may carry `extra={"fields": {…}}`: keys of their own in JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import time

_ROOT = "chatnode"


def get_logger(part: str) -> logging.Logger:
    return logging.getLogger(f"{_ROOT}.{part}")


def set_up(level: str, form: str) -> None:
    """Send chatnode's own lines, and the warnings of libraries, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_ROOT).setLevel(level.upper())
    # The protocol library logs every refused handshake as an error; the listener counts them itself.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)


class _Text(logging.Formatter):
    converter = time.gmtime

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "part": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
