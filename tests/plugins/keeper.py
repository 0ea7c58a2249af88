"""A plugin that keeps files, as simple as one can be: a row and a file for each, deleted together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import attrs

from chatnode.api import (
    Context,
    Nothing,
    Plugin,
    Reader,
    RemovalNote,
    RestoreNote,
    Step,
    StoredFile,
    Table,
    Text,
    Transaction,
    command,
    hookimpl,
    new_id,
)

STEP = Step(
    "0001",
    "CREATE TABLE keeper_files (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, "
    "sha256 BLOB NOT NULL, person INTEGER REFERENCES people (key), message INTEGER REFERENCES messages (key), "
    "missing INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX keeper_files_by_person ON keeper_files (person);"
    "CREATE INDEX keeper_files_by_message ON keeper_files (message);"
    "CREATE TABLE keeper_trash (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL);"
    "CREATE TRIGGER keeper_gone AFTER DELETE ON keeper_files BEGIN "
    "INSERT INTO keeper_trash (name, bytes) VALUES (old.name, old.bytes); END;",
)


@attrs.define
class Keep:
    """`message`: the file goes when the message goes."""

    content: Annotated[str, Text(5_000_000)]
    message: Annotated[str, Text(100)] | None = None


@attrs.define
class Kept:
    name: str


@command("keeper.keep", permission=None)
async def keep(ctx: Context, asked: Keep) -> Kept:
    """Keep a file."""
    content, id = asked.content.encode(), new_id()
    path = ctx.directory / "blobs" / id[:2] / id
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    name = f"blobs/{id[:2]}/{id}"

    def write(tx: Transaction) -> None:
        tx.execute(
            "INSERT INTO keeper_files (name, bytes, sha256, person, message) "
            "VALUES (?, ?, ?, ?, (SELECT key FROM messages WHERE id = ?))",
            (name, len(content), hashlib.sha256(content).digest(), ctx.account and ctx.account.key, asked.message),
        )

    await ctx.write(write)
    return Kept(name)


@attrs.define
class Forget:
    name: Annotated[str, Text(100)]


@attrs.define
class Collected:
    files: int
    bytes: int


@command("keeper.forget", permission=None)
async def forget(ctx: Context, asked: Forget) -> Collected:
    """Delete a file."""
    await ctx.write(lambda tx: tx.execute("DELETE FROM keeper_files WHERE name = ?", (asked.name,)).rowcount)
    return Collected(**await collect(ctx))


@command("keeper.collect", permission=None)
async def collect_now(ctx: Context, asked: Nothing) -> Collected:
    """Delete files whose rows are gone."""
    return Collected(**await collect(ctx))


async def collect(ctx: Context) -> dict[str, int]:
    trash = await ctx.read(lambda reader: reader.execute("SELECT name, bytes FROM keeper_trash").fetchall())
    if ctx.backup_running():
        return {"files": 0, "bytes": 0}
    for name, _ in trash:
        (ctx.directory / name).unlink(missing_ok=True)
    await ctx.write(
        lambda tx: tx.executemany("DELETE FROM keeper_trash WHERE name = ?", [(name,) for name, _ in trash])
    )
    return {"files": len(trash), "bytes": sum(size for _, size in trash)}


async def after_removal(ctx: Context, note: RemovalNote) -> Mapping[str, int]:
    return await collect(ctx)


def stored_files(reader: Reader) -> Iterator[StoredFile]:
    for row in reader.execute("SELECT name, bytes, sha256 FROM keeper_files WHERE missing = 0 ORDER BY key"):
        yield StoredFile(*row)


def after_restore(tx: Transaction, note: RestoreNote) -> None:
    tx.executemany("UPDATE keeper_files SET missing = 1 WHERE name = ?", [(name,) for name in note.missing])
    tx.executemany("DELETE FROM keeper_trash WHERE name = ?", [(name,) for name in note.missing])


def check(reader: Reader, directory: Path) -> list[str]:
    known = {name for (name,) in reader.execute("SELECT name FROM keeper_files UNION SELECT name FROM keeper_trash")}
    found = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    return [f"{name} belongs to no row" for name in sorted(found - known)]


async def repair(ctx: Context) -> dict[str, int]:
    known = await ctx.read(lambda reader: {file.name for file in stored_files(reader)})
    strays = [
        path
        for path in ctx.directory.rglob("*")
        if path.is_file() and str(path.relative_to(ctx.directory)) not in known
    ]
    for path in strays:
        path.unlink()
    return {"strays": len(strays)}


DECLARED: dict[str, Any] = {
    "version": "1.0",
    "api": "2.0",
    "about": "Keeps files.",
    "steps": (STEP,),
    "tables": (Table("keeper_files", people=("person",), message="message"),),
    "commands": (keep, forget, collect_now),
    "stored_files": stored_files,
    "after_removal": after_removal,
    "after_restore": after_restore,
    "check": check,
    "repair": repair,
}


@hookimpl
def chatnode_plugin() -> Plugin:
    return Plugin(name="keeper", **DECLARED)
