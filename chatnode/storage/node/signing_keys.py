"""The keys with which the node signs links: a file of the data directory that is in no backup and no export.

In the database they would be in every backup, and a thief of one could make links that this node accepts. A restore
deletes the file: links from before are void, as what they name may be something else now.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import attrs
import orjson

from chatnode.logs import get_logger
from chatnode.model.records import record
from chatnode.storage.engine import durable_files

logger = get_logger("storage")

_SECRET_BYTES = 32


@record(frozen=True)
class SigningKey:
    """`id` names the key in signatures. `secret` is never shown."""

    id: str
    made_at: int
    secret: bytes = attrs.field(repr=False)


def new(now: int) -> SigningKey:
    """A random key."""
    return SigningKey(secrets.token_hex(4), now, secrets.token_bytes(_SECRET_BYTES))


def load(path: Path) -> list[SigningKey]:
    """The stored keys, newest first; none if there is no file, or it cannot be read, which is logged."""
    try:
        stored: list[dict[str, Any]] = orjson.loads(path.read_bytes())
        return [SigningKey(each["id"], each["made_at"], bytes.fromhex(each["secret"])) for each in stored]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.error("%s: cannot be read, so signed links from before are void: %s", path, type(error).__name__)
        return []


def store(path: Path, keys: list[SigningKey]) -> None:
    """Replace the stored keys; readable by the node's user only. Raises `OSError`."""
    data = orjson.dumps([{"id": each.id, "made_at": each.made_at, "secret": each.secret.hex()} for each in keys])
    durable_files.replace(path, data)
