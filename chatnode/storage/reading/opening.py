"""Opening a node's database for another program to read."""

from __future__ import annotations

from pathlib import Path

from chatnode.errors import StartError
from chatnode.storage.engine.connection import DatabaseError
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.file_owners import cause
from chatnode.storage.engine.guarded import GuardedConnection, connect_guarded
from chatnode.storage.engine.migrations import Migration, core_migrations, pending
from chatnode.storage.reading.network import network_file_system
from chatnode.storage.reading.views import VIEWS
from chatnode.storage.upkeep.upgrading import refuse_half_restored


def open_for_reading(data: Path, seconds: float) -> GuardedConnection:
    """A connection over the promised views, whether a node has the directory open or not.

    Raises `StartError`: no node there, its database is older or newer than this program, half restored, cannot be read,
    or is on another machine.
    """
    directory = DataDirectory(data)
    directory.require_node()
    refuse_half_restored(directory)
    if kind := network_file_system(directory.path):
        raise StartError(
            f"{directory.path}: is on a network file system ({kind}), where SQLite's write-ahead log does not work; "
            "read it on the machine with the disk"
        )
    path = directory.database
    try:
        connection = connect_guarded(path, seconds, {view.name: view.select for view in VIEWS})
    except DatabaseError as error:
        raise StartError(f"{path}: cannot be read: {cause(path, error)}") from None
    try:
        _refuse_other_tables(path, pending(connection, core_migrations()))
    except BaseException as error:
        connection.close()
        if isinstance(error, DatabaseError):
            raise StartError(f"{path}: cannot be read: {cause(path, error)}") from None
        raise
    return connection


def _refuse_other_tables(path: Path, missing: list[Migration]) -> None:
    if missing:
        raise StartError(
            f"{path}: its tables are older than this program (it lacks {missing[0].set}/{missing[0].name}); "
            "open the node with this version of chatnode once, which upgrades them"
        )
