"""Fills the straightforward server's database without the server."""

import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = Path(__file__).with_name("schema.sql")
TEXT_CHARACTERS = 80  # as long as the load generator's


def fill(data: Path, messages: int) -> tuple[str, str]:
    """Make ``data`` with one conversation of this many messages; its member's token and its id."""
    data.mkdir(parents=True)
    person, conversation = uuid.uuid4().hex, uuid.uuid4().hex
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    with closing(sqlite3.connect(data / "chat.db")) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(SCHEMA.read_text())
        database.execute("INSERT INTO people VALUES (?, 'writer')", (person,))
        database.execute("INSERT INTO conversations VALUES (?, 'long', ?)", (conversation, messages))
        database.execute("INSERT INTO members VALUES (?, ?)", (conversation, person))
        database.executemany(
            "INSERT INTO messages (id, conversation, seq, sender, cid, text, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    uuid.uuid4().hex,
                    conversation,
                    seq,
                    person,
                    str(uuid.uuid4()),
                    f"{seq:<{TEXT_CHARACTERS}}",
                    at,
                )
                for seq in range(1, messages + 1)
            ),
        )
    return "writer", conversation
