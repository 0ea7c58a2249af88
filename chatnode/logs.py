"""Logging: one line per fact on standard error, as text or as JSON. Never a token, never message text.

A record may carry `extra={"fields": {…}}`: keys of their own in JSON. Of an exception the trace and the types are
written and not its text, which may be a user's: `KeyError`, `UnicodeEncodeError` and many others repeat what they
were given.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import traceback
from types import TracebackType

from chatnode.errors import Misuse

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


def catch_crashes() -> None:
    """What ends the process, a thread, or is raised where nobody can catch it, is logged like everything else."""
    logger = get_logger("crash")

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        logger.critical("the process ended with an error", exc_info=(kind, error, trace))

    def thread_ended(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "?"
        logger.critical("thread %s ended with an error", name, exc_info=args.exc_value)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        logger.error("an error that no code could catch", exc_info=args.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = ended, thread_ended, unraisable


def kinds_of(error: BaseException) -> str:
    """The types of an exception, or of those in its group."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(kinds_of(each) for each in error.exceptions)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType, reportUnknownMemberType]
    return type(error).__name__


def describe(error: BaseException) -> str:
    """The trace of an exception and of those that led to it, without their words, unless they are the node's own
    (`Misuse`)."""
    lines: list[str] = []
    _describe(error, lines, "", set())
    return "\n".join(lines)


def _describe(error: BaseException, lines: list[str], indent: str, seen: set[int]) -> None:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        _describe(before, lines, indent, seen)
        lines.append(f"{indent}and then:")
    lines.append(f"{indent}Traceback (most recent call last):")
    for frame in traceback.extract_tb(error.__traceback__):
        lines.append(f"{indent}  File {frame.filename!r}, line {frame.lineno}, in {frame.name}")
    lines.append(f"{indent}{type(error).__module__}.{type(error).__qualname__}".replace("builtins.", ""))
    if isinstance(error, OSError) and error.errno is not None:
        lines[-1] += f": {os.strerror(error.errno)}"
    if isinstance(error, Misuse):
        lines[-1] += f": {error}"
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            if id(each) not in seen:  # pyright: ignore[reportUnknownArgumentType]
                _describe(each, lines, indent + "  | ", seen)  # pyright: ignore[reportUnknownArgumentType]


class _Text(logging.Formatter):
    converter = time.gmtime

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatException(self, ei: logging._SysExcInfoType) -> str:  # pyright: ignore[reportPrivateUsage]
        return describe(ei[1]) if ei[1] is not None else ""


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "part": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            line["trace"] = describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)
