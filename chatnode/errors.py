"""The one exception that reaches a client, and every code it may carry.

A `Refusal` is part of the protocol: `code` never changes meaning between versions, `path` names the
field at fault, `temporary` says whether the same request may succeed later.
"""

from __future__ import annotations

import copyreg
from typing import Any

STATUS: dict[str, int] = {
    "bad_json": 400,  # the frame or body is not JSON, or is nested too deep
    "bad_request": 400,  # JSON, but not a request envelope
    "invalid": 400,  # a field is missing, unknown, of the wrong type or out of range
    "unauthenticated": 401,  # no token, or one that is unknown, expired or revoked
    "wrong_password": 401,
    "forbidden": 403,  # your role does not allow this command, here or at all
    "not_member": 403,  # you were a participant and are not any more
    "not_found": 404,  # it does not exist, or you may not know that it does
    "unknown_command": 404,
    "conflict": 409,  # taken, or repeated with other content
    "closed": 409,  # the conversation takes nothing new until it is opened again
    "gone": 410,  # it existed and was ended: a used invite, an expired link
    "too_large": 413,
    "rate_limited": 429,
    "internal": 500,  # our fault; logged with the same reference as in the message
    "unavailable": 503,  # stopping, or storage cannot take writes now
}
"""Error code → HTTP status."""

TEMPORARY = frozenset({"rate_limited", "unavailable"})


class Carried(Exception):
    """An exception that can be pickled and copied, whatever its own `__init__` takes: process pools send it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class Refusal(Carried):
    """A request cannot be carried out, and the requester is told why.

    `retry_after` is in seconds. `message` is for people and may change; `code` is for programs.
    """

    def __init__(self, code: str, message: str, *, path: str | None = None, retry_after: float | None = None) -> None:
        if code not in STATUS:
            raise WrongValue(f"{code!r} is not a code of a refusal; the codes are {', '.join(STATUS)}")
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.path = path
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        return STATUS[self.code]

    @property
    def temporary(self) -> bool:
        return self.code in TEMPORARY

    def as_json(self) -> dict[str, object]:
        """The `error` part of a reply; keys that say nothing are left out."""
        body: dict[str, object] = {"code": self.code, "message": self.message}
        if self.path is not None:
            body["path"] = self.path
        if self.temporary:
            body["temporary"] = True
        if self.retry_after is not None:
            body["retry_after"] = round(self.retry_after, 3)
        return body


class Misuse(Exception):
    """The code of a plugin or a program uses the node in a way that cannot work.

    The message is the node's own and contains nothing that users wrote, so it is shown and logged as it is.
    """


class WrongKind(Misuse, TypeError):
    """The value has the wrong type."""


class WrongValue(Misuse, ValueError):
    """The value cannot be used."""


class UnknownName(Misuse, LookupError):
    """Nothing has this name."""


class NoCaller(Refusal, Misuse):
    """There is no requester: in a task, a consumer, or a work item."""

    def __init__(self) -> None:
        super().__init__("forbidden", "no caller here; act with ctx.as_person(…) or ctx.as_operator()")


class WouldBlock(Misuse, RuntimeError):
    """On this thread the call would wait for itself, or hold up an event loop."""


class WrongThread(Misuse, RuntimeError):
    """The node belongs to the trio run that opened it, and this is another thread."""

    def __init__(self) -> None:
        super().__init__(
            "this node belongs to the trio run that opened it, in another thread: call it with trio.from_thread.run, "
            "or open it with chatnode.embed.threads or chatnode.embed.aio"
        )


class StartError(Exception):
    """The node or a command-line tool cannot start; the message names the place and the fix."""


class InUse(StartError):
    """Another process owns the data directory. `process` is its number, None where it is not known."""

    def __init__(
        self, directory: object, process: int | None, remedy: str = "stop it, or use another data directory"
    ) -> None:
        super().__init__(str(directory), process, remedy)  # what it is made of, so that it pickles
        self.directory = str(directory)
        self.process = process
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.directory}: in use by another chatnode (process {self.process or 'unknown'}); {self.remedy}"


class NodeGone(Exception):
    """The node behind this handle is not there: not yet, not any more, or it ended with the error that is the cause.

    A command that was under way may or may not have been carried out.
    """


class ConnectionLost(Exception):
    """The connection ended before the reply came: the command may or may not have been carried out.

    Only commands that must not be sent twice raise it; the others are sent again without a word.
    """
