"""Bots that plugins own: accounts that only their plugin can act as, deactivated while it does not run."""

from __future__ import annotations

from collections.abc import Container
from functools import partial

from chatnode.errors import Refusal
from chatnode.model.commands.accounts import CreatePerson
from chatnode.model.people import Account
from chatnode.model.permissions import MEMBER
from chatnode.protocol import codec
from chatnode.storage.engine.additions import CoreTable, rows_of
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import audit, deactivation, people

_HANDLES = 9
"""How many handles are tried for a bot: its name, then its name with -2 to -9."""
_STEM = 61
"""Characters of the name that fit in those handles, which have up to 63."""


def find(reader: Querying, plugin: str, name: str) -> Account | None:
    """The plugin's bot with this name, if it exists."""
    row = reader.execute("SELECT person FROM bots WHERE plugin = ? AND name = ?", (plugin, name)).fetchone()
    return people.by_key(reader, row[0]) if row is not None else None


def make(tx: Transaction, plugin: str, name: str, shown: str) -> Account:
    """The plugin's bot with this name, created if necessary, with `shown` as its display name.

    Raises `Refusal`: `invalid` for a name that cannot be a handle, `conflict` when it and its variants are taken.
    """
    asked = codec.structure({"handle": name, "name": shown, "bot": True}, CreatePerson)
    if (account := find(tx, plugin, name)) is not None:
        people.update_profile(tx, account, asked.name, None)
        return people.by_key(tx, account.key)
    account = _create(tx, asked.handle, asked.name)
    tx.execute("INSERT INTO bots (plugin, name, person) VALUES (?, ?, ?)", (plugin, name, account.key))
    audit.record(tx, None, "people.create", account.id, role=MEMBER, bot="yes", plugin=plugin)
    return account


def _create(tx: Transaction, handle: str, shown: str | None) -> Account:
    """Tries several handles: one that a user already has must not keep a plugin from working."""
    for number in range(1, _HANDLES + 1):
        try:
            tried = handle if number == 1 else f"{handle[:_STEM]}-{number}"
            return people.create(tx, tried, name=shown, role=MEMBER, bot=True)
        except Refusal as refusal:
            if refusal.code != "conflict" or number == _HANDLES:
                raise
    raise AssertionError("the last handle was refused without an error")


def refuse_token(reader: Querying, account: Account) -> None:
    """Raises `Refusal("forbidden")` for a plugin's bot: a token would let others act as it."""
    row = reader.execute("SELECT plugin FROM bots WHERE person = ?", (account.key,)).fetchone()
    if row is not None:
        raise Refusal("forbidden", f"{account.handle} is a bot of the plugin {row[0]} and has no tokens", path="person")


def handles(reader: Reader) -> dict[str, list[str]]:
    """The handles of every plugin's bots, by the name of the plugin."""
    found: dict[str, list[str]] = {}
    rows = reader.execute("SELECT b.plugin, p.handle FROM bots b JOIN people p ON p.key = b.person ORDER BY p.handle")
    for plugin, handle in rows:
        found.setdefault(plugin, []).append(handle)
    return found


def out_of_step(reader: Querying, running: Container[str]) -> list[tuple[int, bool]]:
    """Keys of bots that are active though their plugin does not run, or away though it does, each with whether it runs.

    "Away" means deactivated by `follow`; a bot that an administrator deactivated stays as it is.
    """
    rows = reader.execute(
        "SELECT b.plugin, b.person, b.away, p.deactivated_at IS NOT NULL FROM bots b JOIN people p ON p.key = b.person"
    ).fetchall()
    return [
        (person, plugin in running)
        for plugin, person, away, deactivated in rows
        if (away if plugin in running else not deactivated)
    ]


def follow(tx: Transaction, running: Container[str]) -> None:
    """Deactivate the bots of plugins that do not run, and reactivate those of plugins that run again."""
    for person, runs in out_of_step(tx, running):
        account = people.by_key(tx, person)
        change = partial(deactivation.reactivate if runs else deactivation.deactivate, tx, account)
        if tx.attempt(change) is None:
            tx.execute("UPDATE bots SET away = ? WHERE person = ?", (int(not runs), person))


def drop(tx: Transaction, plugin: str) -> None:
    """The bots of a plugin that is dropped stay deactivated, as authors of what they posted, and are nobody's bots.

    If the plugin is installed again, it creates others.
    """
    for (person,) in tx.execute("SELECT person FROM bots WHERE plugin = ?", (plugin,)).fetchall():
        deactivation.deactivate(tx, people.by_key(tx, person))
    tx.execute("DELETE FROM bots WHERE plugin = ?", (plugin,))


def stay_away(tx: Transaction, account: Account) -> bool:
    """Keep a bot deactivated when its plugin runs again; returns whether the bot waited for that."""
    return tx.execute("UPDATE bots SET away = 0 WHERE person = ? AND away = 1", (account.key,)).rowcount > 0


TABLES = (
    CoreTable("bots", left_out="plugins create their bots on each installation", at_once=rows_of("bots", "person")),
)
