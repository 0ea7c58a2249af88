"""The secret of this part, which is in the database, so that links in old mails work after a restore too."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode

import orjson

from chatnode.api import Querying, Transaction

_NAME = "mail"
_MAC_BYTES = 18


def mail_key(reader: Querying) -> bytes | None:
    """The key; None before it is needed for the first time."""
    row = reader.execute("SELECT value FROM notifications_keys WHERE name = ?", (_NAME,)).fetchone()
    return bytes.fromhex(row[0]) if row is not None else None


def make_mail_key(tx: Transaction) -> bytes:
    """The key, made if there is none."""
    tx.execute(
        "INSERT INTO notifications_keys (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (_NAME, secrets.token_hex(32)),
    )
    key = mail_key(tx)
    assert key is not None
    return key


def mac_of(key: bytes, purpose: str, *parts: str) -> str:
    """A code that only this node can make of these parts: 24 letters that are safe in a URL."""
    signed = orjson.dumps([purpose, *parts])  # JSON keeps the parts apart, whatever they contain
    return urlsafe_b64encode(hmac.digest(key, signed, "sha256")[:_MAC_BYTES]).decode()
