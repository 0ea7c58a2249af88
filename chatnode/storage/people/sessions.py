"""Signed-in devices and API tokens. A token is 256 random bits; only its SHA-256 is stored."""

from __future__ import annotations

import secrets
from hashlib import sha256

import orjson

from chatnode.errors import Refusal
from chatnode.model.commands.sign_in import Session
from chatnode.model.events import SessionRevoked
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.model.times import DAY_MS, now_ms, rfc3339, rfc3339_or_none
from chatnode.storage.engine.additions import CoreTable, EventKind
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction

TOUCH_MS = 600_000
"""Last use is stored at most once in this time (10 minutes), not at every request."""


@record
class Authenticated:
    """Whose token it is. `touch`: note its use now. `ends_at`: when an API token expires, in milliseconds; a device's
    time begins again with each use, which was written if it is `prolonged`."""

    account: Account
    session: int
    touch: bool
    ends_at: int | None = None
    scopes: frozenset[str] | None = None
    device: bool = False
    prolonged: bool = False


def new_secret() -> tuple[str, bytes]:
    """A new secret, and the hash to store."""
    secret = secrets.token_urlsafe(32)
    return secret, hash_secret(secret)


def hash_secret(secret: str) -> bytes:
    """Secrets are random and long, so a fast hash is enough, and looking one up by hash tells no timing."""
    return sha256(secret.encode()).digest()


def create(
    tx: Transaction,
    person: int,
    kind: str,
    label: str,
    token_hash: bytes,
    days: int | None,
    scopes: frozenset[str] | None = None,
) -> int:
    """`days`: lifetime of a token, or of an unused device; None means no end."""
    key = tx.execute(
        "INSERT INTO sessions (person, kind, label, token_hash, created_at, expires_at, scopes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING key",
        (
            person, kind, label, token_hash, tx.now, None if days is None else tx.now + days * DAY_MS,
            None if scopes is None else orjson.dumps(sorted(scopes)).decode(),
        ),
    ).fetchone()[0]  # fmt: skip
    return key


def end_by(tx: Transaction, session: int, at: int) -> None:
    """Let a session live no longer than until `at`, in milliseconds."""
    tx.execute(
        "UPDATE sessions SET expires_at = :at WHERE key = :session AND (expires_at IS NULL OR expires_at > :at)",
        {"at": at, "session": session},
    )


def authenticate(reader: Reader, token: str) -> Authenticated:
    """Raises `Refusal("unauthenticated")` for a token that is unknown, revoked or expired."""
    row = reader.execute(
        "SELECT p.key, p.id, p.handle, p.name, p.role, p.avatar, p.bot, p.deactivated_at, p.erased_at, p.source, "
        "s.key, s.kind, s.expires_at, s.last_used_at, s.scopes "
        "FROM sessions s JOIN people p ON p.key = s.person WHERE s.token_hash = ?",
        (hash_secret(token),),
    ).fetchone()
    now = now_ms()
    if row is None:
        raise _unknown()
    *person, session, kind, expires_at, last_used_at, scopes = row
    account = Account(*person)
    if account.deactivated_at is not None:
        raise _unknown()
    if expires_at is not None and expires_at <= now:
        raise Refusal("unauthenticated", "the token has expired; sign in again")
    touch = last_used_at is None or now - last_used_at > TOUCH_MS
    ends_at = expires_at if kind == "token" else None
    bounds = frozenset(orjson.loads(scopes)) if scopes else None
    return Authenticated(account, session, touch, ends_at, bounds, device=kind == "device")


def _unknown() -> Refusal:
    """Nothing tells a token of a deactivated account from one that never was."""
    return Refusal("unauthenticated", "the token is unknown or was revoked; sign in again")


def check_not_revoked(reader: Querying, session: int) -> None:
    """Raises `Refusal("unauthenticated")` for a session that was revoked since it was found good, or a token that has
    expired since then. A device's time begins again with each use, and this is one."""
    good_until(reader, session, now_ms())


def good_until(reader: Querying, session: int, now: int) -> int | None:
    """`check_not_revoked` at the time `now` (ms); returns when the session ends if it is not revoked before: the time
    in milliseconds for a token that expires, else None."""
    row = reader.execute(
        "SELECT CASE kind WHEN 'token' THEN expires_at END FROM sessions WHERE key = ?", (session,)
    ).fetchone()
    if row is None or (row[0] is not None and row[0] <= now):
        raise Refusal("unauthenticated", "the token was revoked or has expired; sign in again")
    return row[0]


def is_active(reader: Querying, session: int, person: int) -> bool:
    """Whether the session is this person's, and has neither ended nor expired."""
    found = reader.execute(
        "SELECT 1 FROM sessions WHERE key = ? AND person = ? AND (expires_at IS NULL OR expires_at > ?)",
        (session, person, now_ms()),
    )
    return found.fetchone() is not None


def touch(tx: Transaction, session: int, device_days: int) -> None:
    """Record that a session was used; a device's lifetime starts again."""
    tx.execute(
        "UPDATE sessions SET last_used_at = ?, expires_at = CASE kind WHEN 'device' THEN ? ELSE expires_at END "
        "WHERE key = ?",
        (tx.now, tx.now + device_days * DAY_MS, session),
    )


def of_person(reader: Reader, person: int, current: int | None) -> list[Session]:
    rows = reader.execute(
        "SELECT key, kind, label, created_at, expires_at, last_used_at, scopes FROM sessions WHERE person = ? "
        "AND (expires_at IS NULL OR expires_at > ?) ORDER BY key",
        (person, now_ms()),
    )
    return [
        Session(
            key, kind, label, rfc3339(created), rfc3339_or_none(expires), rfc3339_or_none(used), current=key == current,
            scopes=orjson.loads(scopes) if scopes else None,
        )
        for key, kind, label, created, expires, used, scopes in rows
    ]  # fmt: skip


def rename(tx: Transaction, person: int, session: int, label: str) -> None:
    """Rename one of a user's sessions."""
    if not tx.execute("UPDATE sessions SET label = ? WHERE key = ? AND person = ?", (label, session, person)).rowcount:
        raise Refusal("not_found", "you have no such session", path="session")


def revoke(tx: Transaction, person: int, session: int) -> None:
    """Sign out one of a person's sessions; its live sockets are closed when the event is routed."""
    deleted = tx.execute("DELETE FROM sessions WHERE key = ? AND person = ?", (session, person)).rowcount
    if not deleted:
        raise Refusal("not_found", "no such session", path="session")
    tx.record(SessionRevoked(session), people=(person,), subject=session, actor=person)


def revoke_all(tx: Transaction, person: int, but: int | None) -> int:
    """Sign out every session of a person except `but`; returns how many."""
    keys = [
        key
        for (key,) in tx.execute("SELECT key FROM sessions WHERE person = ? AND key IS DISTINCT FROM ?", (person, but))
    ]
    for key in keys:
        revoke(tx, person, key)
    return len(keys)


EVENTS = (EventKind(SessionRevoked, lambda reader, row: SessionRevoked(row.subject)),)


TABLES = (
    CoreTable(
        "sessions",
        lines=(
            "session",
            "SELECT p.id AS person, s.kind, s.label, s.scopes AS scopes_json, s.created_at, s.expires_at, "
            "s.last_used_at FROM sessions s JOIN people p ON p.key = s.person ORDER BY s.key",
        ),
        entry="session",
        export="SELECT key, key AS session, kind, label, created_at, expires_at, last_used_at, scopes AS scopes_json "
        "FROM sessions WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
    ),
)
