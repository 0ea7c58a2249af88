"""Identifiers: 128 bits as 32 hexadecimal digits.

People and conversations get random ones. Two kinds are computed instead, so that everybody who knows the
parts arrives at the same id: a direct conversation's (from its two people) and a message's (from its sender
and the client's own id for it).
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

_DIGEST_BYTES = 16


def new_id() -> str:
    """A fresh random id."""
    return secrets.token_hex(_DIGEST_BYTES)


def direct_id(one: str, other: str) -> str:
    """The id of the direct conversation between two people, whichever of them asks.

    A person's conversation with themself (notes to self) has an id too.
    """
    first, second = sorted((one, other))
    return blake2b(f"{first}:{second}".encode(), digest_size=_DIGEST_BYTES, person=b"direct").hexdigest()


def message_id(sender: str, cid: str) -> str:
    """The id of the message that `sender` calls `cid`.

    Being unique, it is what makes a send idempotent: UNIQUE(id) says UNIQUE(sender, cid).
    """
    return blake2b(f"{sender}:{cid}".encode(), digest_size=_DIGEST_BYTES, person=b"message").hexdigest()
