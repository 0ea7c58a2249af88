"""Incoming webhooks in the database."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Any

import attrs

from chatnode.api import Querying, Refusal, Transaction, counted, record

TOKEN_BYTES = 32
MINUTE_MS = 60_000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@record(frozen=True)
class HookRow:
    """A row of `webhooks_incoming`, with the public ids of its conversation and its bot."""

    key: int
    id: str
    conversation: int
    name: str
    bot: int
    own_bot: bool = attrs.field(converter=bool)
    mentions_everyone: bool = attrs.field(converter=bool)
    secret: str | None = attrs.field(repr=False)
    old_secret: str | None = attrs.field(repr=False)
    old_until: int | None
    minute: int
    spent: int
    posts: int
    created_at: int
    used_at: int | None
    conversation_id: str
    bot_id: str
    bot_handle: str

    def secrets_at(self, now: int) -> list[str]:
        """The secrets that posts may be signed with; none if they need no signature."""
        old = self.old_secret if self.old_until is not None and now < self.old_until else None
        return [each for each in (self.secret, old) if each is not None]

    def wait_seconds(self, now: int, per_minute: int) -> float | None:
        """Seconds until the next post is accepted; None if it is now."""
        minute = now // MINUTE_MS
        if not per_minute or self.minute != minute or self.spent < per_minute:
            return None
        return ((minute + 1) * MINUTE_MS - now) / 1000


_COLUMNS = ", ".join(f"h.{each.name}" for each in attrs.fields(HookRow)[:-3])
_SELECT = (
    f"SELECT {_COLUMNS}, c.id, p.id, p.handle FROM webhooks_incoming h "  # noqa: S608 -- constants
    "JOIN conversations c ON c.key = h.conversation JOIN people p ON p.key = h.bot "
)


def new_token() -> str:
    """A new token, as the address has it."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def find_by_token(reader: Querying, token: str, now: int) -> HookRow | None:
    """The webhook whose address this is; None for a token that is not valid, or not any more."""
    if not _TOKEN.fullmatch(token):
        return None
    found = reader.execute(
        f"{_SELECT} WHERE h.token = :hash OR (h.old_token = :hash AND h.old_until > :now)",
        {"hash": hash_of(token), "now": now},
    ).fetchone()
    return None if found is None else HookRow(*found)


def find(reader: Querying, id: str) -> HookRow:
    """Raises `Refusal("not_found")`."""
    found = reader.execute(f"{_SELECT} WHERE h.id = ?", (id,)).fetchone()
    if found is None:
        raise no_such_webhook()
    return HookRow(*found)


def page(reader: Querying, conversation: int | None, after: str, limit: int) -> list[HookRow]:
    """Webhooks of a conversation, or of all of them, in the order of ids."""
    among = "" if conversation is None else "AND h.conversation = :conversation "
    found = reader.execute(
        f"{_SELECT} WHERE h.id > :after {among}ORDER BY h.id LIMIT :limit",
        {"conversation": conversation, "after": after, "limit": limit},
    )
    return [HookRow(*row) for row in found]


def insert(tx: Transaction, values: dict[str, Any]) -> HookRow:
    """A new webhook; `values` are its columns by name."""
    stored = values | {"created_at": tx.now}
    names, places = ", ".join(stored), ", ".join(f":{name}" for name in stored)
    tx.execute(f"INSERT INTO webhooks_incoming ({names}) VALUES ({places})", stored)  # noqa: S608 -- our own names
    return find(tx, values["id"])


def check_room(reader: Querying, conversation: int, name: str, most: int) -> None:
    """Raises `Refusal` for a name that the conversation has already, and if it has as many webhooks as it may have."""
    names: Sequence[str] = [
        row[0] for row in reader.execute("SELECT name FROM webhooks_incoming WHERE conversation = ?", (conversation,))
    ]
    if name in names:
        raise Refusal(
            "conflict", "the conversation has a webhook with this name; rotate it to get a new address", path="name"
        )
    if most and len(names) >= most:
        why = f"a conversation has at most {counted(most, 'incoming webhook')}"
        raise Refusal("too_large", why, path="conversation")


def rotate(tx: Transaction, hook: HookRow, token: str, secret: str | None, old_until: int) -> HookRow:
    """Replace the token and the secret; the ones from before work until `old_until`."""
    tx.execute(
        "UPDATE webhooks_incoming SET old_token = token, old_secret = secret, old_until = :until, token = :token, "
        "secret = :secret WHERE key = :key",
        {"until": old_until, "token": hash_of(token), "secret": secret, "key": hook.key},
    )
    return find(tx, hook.id)


def delete(tx: Transaction, hook: HookRow) -> None:
    tx.execute("DELETE FROM webhooks_incoming WHERE key = ?", (hook.key,))


def count_post(tx: Transaction, hook: HookRow, per_minute: int) -> float | None:
    """Count a post; returns None, or if there were too many in this minute the seconds to wait."""
    row = tx.execute("SELECT minute, spent FROM webhooks_incoming WHERE key = ?", (hook.key,)).fetchone()
    if row is None:
        return None  # removed since; posting will say so
    now = attrs.evolve(hook, minute=row[0], spent=row[1])
    if (wait := now.wait_seconds(tx.now, per_minute)) is not None:
        return wait
    minute = tx.now // MINUTE_MS
    tx.execute(
        "UPDATE webhooks_incoming SET spent = CASE WHEN minute = :minute THEN spent + 1 ELSE 1 END, minute = :minute, "
        "posts = posts + 1, used_at = :now WHERE key = :key",
        {"minute": minute, "now": tx.now, "key": hook.key},
    )
    return None


def no_such_webhook() -> Refusal:
    return Refusal("not_found", "no such webhook", path="webhook")
