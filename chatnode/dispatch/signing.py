"""Signatures of the node's own, for links: who asks for what, until when.

A signature is HMAC-SHA256 with a secret that only this node has. It proves that the node made the link, not that its
bearer may still have what it names: that is judged again at each use.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from pathlib import Path

import orjson

from chatnode.logs import get_logger
from chatnode.model.times import DAY_MS, now_ms
from chatnode.storage.node import signing_keys
from chatnode.storage.node.signing_keys import SigningKey

logger = get_logger("signing")

KEY_DAYS = 7
"""How long a key signs. For as long again it only verifies, then it is forgotten."""
MOST_SECONDS = KEY_DAYS * 86_400
"""How long a signature can be valid: until its key is forgotten."""


class Signer:
    """The node's keys, newest first. A missing or unreadable file is replaced by a new key: links end, nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = signing_keys.load(path)
        try:
            self.rotate()
        except OSError as error:  # the disk is full: the node starts all the same
            logger.error("%s: a new key cannot be stored: %s", path, error.strerror)
            self._keys = self._keys or [signing_keys.new(now_ms())]

    def rotate(self) -> bool:
        """Make a new key if the newest is too old, and forget the one before that; returns whether it did.

        Raises `OSError`; then the keys are as before.
        """
        now = now_ms()
        if self._keys and now - self._keys[0].made_at < KEY_DAYS * DAY_MS:
            return False
        keys = [signing_keys.new(now), *self._keys[:1]]
        signing_keys.store(self._path, keys)
        self._keys = keys
        return True

    def sign(self, seconds: float, *parts: str) -> str:
        """A signature of the parts that is valid for `seconds`: letters, digits, `.`, `-` and `_`.

        Raises `ValueError` if that is no time, or longer than `MOST_SECONDS`.
        """
        if not 0 < seconds <= MOST_SECONDS:
            raise ValueError(f"a signature can be valid for up to {MOST_SECONDS} seconds, not {seconds}")
        key, until = self._keys[0], -(-(now_ms() + int(seconds * 1000)) // 1000)
        return f"{key.id}.{until}.{_mac(key, until, parts)}"

    def is_valid(self, signature: str, *parts: str) -> bool:
        """Whether the signature was made of these parts by this node, and has not expired."""
        id, _, rest = signature.partition(".")
        until, _, mac = rest.partition(".")
        key = next((each for each in self._keys if each.id == id), None)
        if key is None or not (until.isascii() and until.isdigit() and len(until) <= 12 and mac.isascii()):
            return False
        return hmac.compare_digest(_mac(key, int(until), parts), mac) and now_ms() < int(until) * 1000


def _mac(key: SigningKey, until: int, parts: tuple[str, ...]) -> str:
    signed = orjson.dumps([key.id, until, *parts])  # JSON keeps the parts apart, whatever they contain
    return urlsafe_b64encode(hmac.digest(key.secret, signed, "sha256")).rstrip(b"=").decode()
