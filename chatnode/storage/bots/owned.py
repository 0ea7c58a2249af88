"""Bots that users own: accounts that take part where they are added, paused and ended with their owner's."""

from __future__ import annotations

from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.model.bots import OwnedBot
from chatnode.model.people import Account
from chatnode.model.permissions import MEMBER
from chatnode.model.times import rfc3339
from chatnode.storage.bots import commands
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import audit, deactivation, people


def create(tx: Transaction, owner: Account, handle: str, name: str | None, most: int) -> Account:
    """A new bot of the owner's, which joins no conversation by itself. The same handle and name again give the bot that
    the owner has.

    Raises `Refusal`: `conflict` for a handle that is taken, `too_large` if the owner has `most` bots.
    """
    mine = _mine(tx, owner, handle)
    if mine is not None and mine.name == (name or mine.handle):
        return mine
    (count,) = tx.execute("SELECT count(*) FROM bots_owned WHERE owner = ?", (owner.key,)).fetchone()
    if count >= most and mine is None:
        raise Refusal("too_large", f"a user may own up to {counted(most, 'bot')}; remove one first")
    bot = people.create(tx, handle, name=name, role=MEMBER, bot=True, joins=False)
    tx.execute("INSERT INTO bots_owned (bot, owner, created_at) VALUES (?, ?, ?)", (bot.key, owner.key, tx.now))
    audit.record(tx, owner, "bots.create", bot.id)
    return bot


def _mine(reader: Querying, owner: Account, handle: str) -> Account | None:
    row = reader.execute(
        "SELECT p.key FROM people p JOIN bots_owned o ON o.bot = p.key WHERE p.handle = ? AND o.owner = ?",
        (handle.lower(), owner.key),
    ).fetchone()
    return people.by_key(reader, row[0]) if row is not None else None


def find(reader: Querying, owner: Account, who: str) -> Account:
    """The owner's bot with this handle or id. Raises `Refusal("not_found")` also for bots of others."""
    try:
        account = people.find(reader, who, "bot")
    except Refusal:
        account = None
    if account is None or owner_of(reader, account.key) != owner.key:
        raise Refusal("not_found", f"you have no bot {who}", path="bot")
    return account


def owner_of(reader: Querying, person: int) -> int | None:
    """The key of the user who owns the bot with the key `person`; None for a bot that no user owns, and for other
    accounts."""
    row = reader.execute("SELECT owner FROM bots_owned WHERE bot = ?", (person,)).fetchone()
    return row[0] if row is not None else None


def page(reader: Querying, owner: Account) -> list[OwnedBot]:
    """The bots of an owner, in the order of handles. There are never many."""
    rows = reader.execute(
        "SELECT o.bot FROM bots_owned o JOIN people p ON p.key = o.bot WHERE o.owner = ? ORDER BY p.handle",
        (owner.key,),
    ).fetchall()
    return [info(reader, key) for (key,) in rows]


def info(reader: Querying, bot: int) -> OwnedBot:
    """An owned bot, by its key."""
    owner, created_at = reader.execute("SELECT owner, created_at FROM bots_owned WHERE bot = ?", (bot,)).fetchone()
    shown, by = people.public(people.by_key(reader, bot)), people.by_key(reader, owner).ref
    return OwnedBot(shown, by, rfc3339(created_at), commands.of_bot(reader, bot))


def end(tx: Transaction, bot: Account) -> None:
    """The bot can act no more and is nobody's. What it posted stays, with its name; its handle stays taken."""
    deactivation.deactivate(tx, bot)
    commands.replace(tx, bot, ())
    tx.execute("DELETE FROM bots_owned WHERE bot = ?", (bot.key,))


def _end_with(tx: Transaction, account: Account) -> int:
    """An erased owner's bots end; returns how many rows went. For an erased bot, only its row does."""
    bots = tx.execute("SELECT bot FROM bots_owned WHERE owner = ?", (account.key,)).fetchall()
    for (key,) in bots:
        end(tx, people.by_key(tx, key))
    return len(bots) + tx.execute("DELETE FROM bots_owned WHERE bot = ?", (account.key,)).rowcount


TABLES = (
    CoreTable(
        "bots_owned",
        lines=(
            "bot",
            "SELECT b.id AS bot, p.id AS owner, o.created_at, o.paused FROM bots_owned o "
            "JOIN people b ON b.key = o.bot JOIN people p ON p.key = o.owner ORDER BY o.bot",
        ),
        entry="bot",
        export="SELECT o.bot AS key, b.id AS bot, b.handle, b.name, o.created_at FROM bots_owned o JOIN people b "
        "ON b.key = o.bot WHERE o.owner = :person AND o.bot > :after ORDER BY o.bot LIMIT :limit",
        at_once=_end_with,
    ),
)
