"""What a contact must have: an email address, a phone number, an external id, or an identity in a chat.

Identities belong to another part of the plugin, so `chatnode_crm/__init__.py` names the function that knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatnode.api import Querying

IDENTIFYING = ("email", "external_id", "phone")
REASON = "a contact needs an email address, a phone number, an external id, or an identity in a chat"

HasIdentity = Callable[[Querying, int], bool]
"""Whether the contact with this key has an identity in a chat."""


def _none(_: Querying, __: int) -> bool:
    return False


_has_identity: HasIdentity = _none


def identified_by(function: HasIdentity) -> None:
    """Ask this for identities. Part of the declaration: called once, on import."""
    global _has_identity
    _has_identity = function


def is_identified(values: Mapping[str, Any]) -> bool:
    """Whether the values are enough for a contact without an identity in a chat."""
    return any(values.get(name) for name in IDENTIFYING)


def has_identity(reader: Querying, key: int) -> bool:
    """Whether the contact has an identity in a chat."""
    return _has_identity(reader, key)
