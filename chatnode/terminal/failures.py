"""What is said when something that the user wanted fails: the terminal goes on, unless the session has ended."""

from __future__ import annotations

from chatnode.errors import ConnectionLost, Refusal, StartError


def reason_of(error: Exception) -> str:
    """What went wrong, in words. Raises the error if it ends the session."""
    if isinstance(error, Refusal):
        if error.code == "unauthenticated":
            raise error
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, ConnectionLost | StartError | OSError):
        return str(error)
    return f"unexpected error: {type(error).__name__}: {error}"
