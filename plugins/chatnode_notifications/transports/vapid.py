"""The node's key for Web Push (VAPID, RFC 8292): push services know by it who sends."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, cast

import attrs

from chatnode.api import HOUR_MS, Context, Reader, Transaction
from chatnode_notifications.settings import NotificationsSettings
from chatnode_notifications.transports.addresses import origin_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_NAME = "vapid"
_USED_MS = 12 * HOUR_MS
_VALID_SECONDS = 20 * 3_600
"""Services refuse tokens that are valid for more than 24 hours; this leaves room for their clocks."""
_MOST_ORIGINS = 1_000
_TOPIC_CHARS = 32


@attrs.define(eq=False)
class Vapid:
    """The key. `public` is what browsers get as `applicationServerKey`, in base64url."""

    public: str
    contact: str
    _private: EllipticCurvePrivateKey = attrs.field(repr=False)
    _secret: bytes = attrs.field(repr=False)
    _tokens: dict[str, tuple[int, str]] = attrs.field(factory=dict[str, "tuple[int, str]"], repr=False)

    def authorization(self, url: str, now: int) -> str:
        """The header `Authorization` for a push to `url` at the time `now`, in milliseconds."""
        origin = origin_of(url)
        made_at, token = self._tokens.get(origin, (0, ""))
        if not token or not made_at <= now < made_at + _USED_MS:
            if len(self._tokens) >= _MOST_ORIGINS:
                self._tokens.clear()
            token = self._sign(origin, now // 1000 + _VALID_SECONDS)
            self._tokens[origin] = now, token
        return f"vapid t={token}, k={self.public}"

    def _sign(self, origin: str, ends: int) -> str:
        from py_vapid import jwt  # pyright: ignore[reportMissingTypeStubs]

        sign = cast("Any", jwt).sign
        return sign({"aud": origin, "exp": ends, "sub": self.contact}, self._private)

    def topic(self, about: str) -> str:
        """The name under which a service keeps only the newest push; says nothing about what it is."""
        from chatnode_notifications.transports.encryption import encoded

        return encoded(hmac.digest(self._secret, about.encode(), hashlib.sha256))[:_TOPIC_CHARS]


async def load_vapid(ctx: Context) -> Vapid | None:
    """The node's key, created when it is needed first; None while the settings name no contact."""
    contact = ctx.settings(NotificationsSettings).contact
    if not contact:
        return None
    stored = await ctx.read(_stored)
    if stored is None:
        from chatnode_notifications.transports.encryption import encoded

        made = encoded(_new_number())
        stored = await ctx.write(lambda tx: _store(tx, made))
    vapid = _of(stored, contact)
    if await ctx.read(lambda reader: _has_others(reader, vapid.public)):
        await ctx.write(lambda tx: forget_other_keys(tx, vapid.public))
    return vapid


def _new_number() -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32)


def _of(stored: str, contact: str) -> Vapid:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from chatnode_notifications.transports.encryption import decoded, encoded

    number = decoded(stored)
    private = ec.derive_private_key(int.from_bytes(number), ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return Vapid(encoded(point), contact, private, hashlib.sha256(b"topics" + number).digest())


def _stored(reader: Reader) -> str | None:
    row = reader.execute("SELECT value FROM notifications_keys WHERE name = ?", (_NAME,)).fetchone()
    return row[0] if row is not None else None


def _store(tx: Transaction, value: str) -> str:
    """Another one that was stored meanwhile stays."""
    sql = "INSERT INTO notifications_keys (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
    tx.execute(sql, (_NAME, value))
    return tx.execute("SELECT value FROM notifications_keys WHERE name = ?", (_NAME,)).fetchone()[0]


def _has_others(reader: Reader, public: str) -> bool:
    sql = "SELECT 1 FROM notifications_registrations WHERE vapid <> ? AND state <> 'gone' LIMIT 1"
    return reader.execute(sql, (public,)).fetchone() is not None


def forget_other_keys(tx: Transaction, public: str) -> int:
    """Devices that subscribed with another key, from before a restore, can get nothing more; returns how many."""
    return tx.execute(
        "UPDATE notifications_registrations SET state = 'gone', keys = NULL, last_error = ? "
        "WHERE vapid IS NOT NULL AND vapid <> ? AND state <> 'gone'",
        ("it was registered with another key of this node", public),
    ).rowcount
