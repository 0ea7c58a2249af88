"""A plugin of a few lines, which tests change a line at a time to make faulty ones of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs

from chatnode.api import (
    Context,
    Event,
    EventKind,
    Nothing,
    Permission,
    Person,
    Plugin,
    Reader,
    Row,
    Step,
    Table,
    Transaction,
    Who,
    command,
    find_person,
    hookimpl,
    person_by_key,
    public_person,
    setting,
)

STEP = Step(
    "0001_waves",
    "CREATE TABLE waves_waves (key INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people (key), at INTEGER "
    "NOT NULL); CREATE INDEX waves_by_person ON waves_waves (person, key);",
)
TABLE = Table(
    "waves_waves",
    people=("person",),
    export="SELECT key, at FROM waves_waves WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
)
WAVE = Permission("waves.wave", "wave to others")


@attrs.define
class Wave:
    """To whom."""

    person: Who


@attrs.define
class Waved(Event):
    """Somebody waves to the reader."""

    name = "waves.waved"
    by: Person


@attrs.frozen
class Settings:
    """How much is waved."""

    most: int = setting(3, "Maximum number of waves per user and minute.", minimum=0)


@command("waves.wave", permission="waves.wave")
async def wave(ctx: Context, asked: Wave) -> Nothing:
    """Wave to somebody."""

    def write(tx: Transaction) -> Nothing:
        other = find_person(tx, asked.person)
        key = tx.execute("INSERT INTO waves_waves (person, at) VALUES (?, ?)", (ctx.me.key, tx.now)).lastrowid
        assert key is not None
        tx.record(Waved(public_person(ctx.me)), people=[other.key], subject=key, actor=ctx.me.key)
        return Nothing()

    return await ctx.write(write)


def make_waved(reader: Reader, row: Row) -> Waved | None:
    found = reader.execute("SELECT person FROM waves_waves WHERE key = ?", (row.subject,)).fetchone()
    return Waved(public_person(person_by_key(reader, found[0]))) if found else None


def declared(**changes: Any) -> Plugin:
    """The plugin's declaration, with changes."""
    fields: dict[str, Any] = {
        "name": "waves", "version": "1.0", "api": "2.0", "about": "Waving.", "settings": Settings, "steps": (STEP,),
        "tables": (TABLE,), "permissions": (WAVE,), "commands": (wave,), "events": (EventKind(Waved, make_waved),),
    }  # fmt: skip
    return Plugin(**fields | changes)


def waves(**changes: Any) -> SimpleNamespace:
    """The plugin, as a module would be."""

    @hookimpl
    def chatnode_plugin() -> Plugin:
        return declared(**changes)

    return SimpleNamespace(chatnode_plugin=chatnode_plugin)
