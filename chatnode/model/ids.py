"""Identifiers: 128 bits as 32 hexadecimal digits.

Users and conversations have random ones. Two kinds are computed, so that anyone who knows the parts gets the same id:
a direct conversation's (from its two users) and a message's (from its sender and the client's own id for it).
"""

from __future__ import annotations

import re
import secrets
from hashlib import blake2b

_DIGEST_BYTES = 16
_MESSAGE = blake2b(digest_size=_DIGEST_BYTES, person=b"message")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_id() -> str:
    """A new random id."""
    return secrets.token_hex(_DIGEST_BYTES)


def direct_id(one: str, other: str) -> str:
    """The id of the direct conversation between two users, in either order. A user's conversation with themself
    (notes to self) has an id too.
    """
    first, second = sorted((one, other))
    return blake2b(f"{first}:{second}".encode(), digest_size=_DIGEST_BYTES, person=b"direct").hexdigest()


def message_id(sender: str, cid: str) -> str:
    """The id of the message that `sender` calls `cid`.

    Its uniqueness makes posting idempotent: UNIQUE(id) means UNIQUE(sender, cid). A UUIDv7, which a
    cid should be (RFC 9562), lends it its time, so that new ids are neighbours in the index; then 80 bits of
    the digest follow.
    """
    hashed = _MESSAGE.copy()  # half the time of a new one
    hashed.update(f"{sender}:{cid}".encode())
    digest = hashed.hexdigest()
    if _UUID7.fullmatch(cid) is None:
        return digest
    return cid[:8] + cid[9:13] + digest[12:]


def invocation_id(person: str, cid: str) -> str:
    """The id of what `person` invokes and calls `cid`: a slash command or a button. So repeating it is idempotent."""
    return blake2b(f"{person}:{cid}".encode(), digest_size=_DIGEST_BYTES, person=b"invocation").hexdigest()


def keyed_hash(key: str, *parts: str) -> bytes:
    """A hash of the parts that reveals nothing about them without the secret `key`."""
    return blake2b("\n".join(parts).encode(), key=key.encode(), digest_size=_DIGEST_BYTES).digest()
