"""What tells a repeat of a post from a new one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from chatnode_webhooks.incoming.payload import PayloadFault

_IDS = ("webhook-id", "idempotency-key", "x-github-delivery")
"""Header fields that name a post. The first one is part of what is signed."""
_MOST_ID = 255


def cid_of(target: str, headers: Mapping[str, str]) -> str | None:
    """The same for each repeat of a post to this target, so that it is posted once; None for a post without an id.

    Raises `PayloadFault` for an id that is too long.
    """
    for name in _IDS:
        if id := headers.get(name, ""):
            if len(id) > _MOST_ID:
                raise PayloadFault(name, f"has more than {_MOST_ID} characters")
            return hashlib.sha256(f"{target}\n{name}\n{id}".encode()).hexdigest()
    return None
