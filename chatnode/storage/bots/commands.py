"""The slash commands that bots offer, in every conversation that they take part in."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.model.bots import BotCommand
from chatnode.model.people import Account, PersonRef
from chatnode.model.records import record
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people.owners import CAN_ACT


@record(frozen=True)
class BotOffer:
    """A command of a bot; `key` is the bot's."""

    key: int
    bot: PersonRef
    command: BotCommand


def replace(tx: Transaction, bot: Account, commands: Sequence[BotCommand]) -> bool:
    """Offer these commands and no others; returns whether that is a change."""
    if of_bot(tx, bot.key) == sorted(commands, key=lambda each: each.name):
        return False
    tx.execute("DELETE FROM bots_commands WHERE bot = ?", (bot.key,))
    tx.executemany(
        "INSERT INTO bots_commands (bot, name, about, usage) VALUES (?, ?, ?, ?)",
        [(bot.key, each.name, each.about, each.usage) for each in commands],
    )
    return True


def of_bot(reader: Querying, bot: int) -> list[BotCommand]:
    """The commands of a bot, in the order of names."""
    rows = reader.execute("SELECT name, about, usage FROM bots_commands WHERE bot = ? ORDER BY name", (bot,))
    return [BotCommand(*row) for row in rows]


def offered(reader: Querying, conversation: int, name: str | None = None) -> list[BotOffer]:
    """What the bots that take part in a conversation, and can act, offer there: all of it, or the commands with a
    name."""
    rows = reader.execute(
        "SELECT p.key, p.id, p.handle, o.name, o.about, o.usage FROM members m "  # noqa: S608 -- a constant
        f"JOIN people p ON p.key = m.person AND p.bot = 1 AND {CAN_ACT} JOIN bots_commands o ON o.bot = p.key "
        "WHERE m.conversation = :conversation AND m.left_gid IS NULL AND o.name = coalesce(:name, o.name) "
        "ORDER BY o.name, p.handle",
        {"conversation": conversation, "name": name},
    )
    return [
        BotOffer(key, PersonRef(id, handle), BotCommand(name, about, usage))
        for key, id, handle, name, about, usage in rows
    ]


TABLES = (
    CoreTable(
        "bots_commands",
        people=("bot",),
        lines=(
            "bot_command",
            "SELECT b.id AS bot, o.name, o.about, o.usage FROM bots_commands o JOIN people b ON b.key = o.bot "
            "ORDER BY o.key",
        ),
        entry="bot_command",
        export="SELECT key, name, about, usage FROM bots_commands WHERE bot = :person AND key > :after ORDER BY key "
        "LIMIT :limit",
    ),
)
