"""Why no certificate came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PREFIX = "urn:ietf:params:acme:error:"
_MOST_CHARS = 600
"""As much is kept of an authority's own words."""


class AcmeError(Exception):
    """`words` are for the operator. `retry_after`: seconds for which the authority wants no further try."""

    def __init__(self, words: str, retry_after: float = 0.0) -> None:
        super().__init__(words)
        self.words = words
        self.retry_after = retry_after


class AuthorityAway(AcmeError):
    """The authority cannot be reached, or does not work now."""


class AcmeProblem(AcmeError):
    """The authority said no. `kind` is its reason for programs, such as `badNonce` or `rateLimited`."""

    def __init__(self, words: str, kind: str, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(words, retry_after)
        self.kind = kind
        self.status = status


class Invalid(AcmeProblem):
    """An order came to nothing; only a new one can succeed."""


def kind_of(document: Mapping[str, Any]) -> str:
    """The type of a problem document, without the prefix that all have."""
    return _text(document.get("type"), 80).removeprefix(_PREFIX)


def words_in(document: Mapping[str, Any]) -> str:
    """What a problem document says: its own words, and those about each name."""
    said = _text(document.get("detail"), _MOST_CHARS) or "no reason given"
    kind = kind_of(document)
    parts = [f"{said} ({kind})" if kind else said]
    found: Any = document.get("subproblems")
    for each in found if isinstance(found, list) else ():  # pyright: ignore[reportUnknownVariableType]
        if isinstance(each, dict):
            name: Any = each.get("identifier")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            about = _text(name.get("value"), 253) if isinstance(name, dict) else ""  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
            parts.append(f"{about or 'also'}: {_text(each.get('detail'), 200)}")  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    return "; ".join(parts)[:_MOST_CHARS]


def words_of(error: Exception) -> str:
    """What went wrong, for the operator; of a file, which."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _text(value: object, most: int) -> str:
    """Printable characters only: it goes to logs and terminals."""
    return "".join(each if each.isprintable() else " " for each in value[:most]) if isinstance(value, str) else ""
