"""How headers of mails are written. What this imports takes half a MiB: import it where a mail is made."""

from __future__ import annotations

from email.header import Header
from email.headerregistry import Address as Address
from email.policy import EmailPolicy
from typing import Any

_WHOLE = frozenset(("message-id", "references", "list-unsubscribe", "list-unsubscribe-post"))

_LONGEST_WORD = 60
"""Longer ones are encoded, so that they can be folded."""


class _Policy(EmailPolicy):
    """Leaves ids and URLs in one piece: Python would make encoded words of those that are longer than a line.

    It encodes a text as a whole, where Python encodes its words: a space between two encoded words does not count
    (RFC 2047, 6.2), so it is lost unless it is within one.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() in _WHOLE:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        if name.lower() == "subject":
            return f"{name}: {_folded(name, str(value), self.linesep)}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


def _folded(name: str, text: str, linesep: str) -> str:
    plain = text.isascii() and all(len(word) <= _LONGEST_WORD for word in text.split())
    return Header(text, "ascii" if plain else "utf-8", header_name=name).encode(linesep=linesep)


POLICY = _Policy(linesep="\r\n", cte_type="7bit")
