"""Migrations: a step and its record in one transaction, each once, in order, and none of a newer program."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnode.config import Storage
from chatnode.errors import StartError
from chatnode.model.messages import Location, Media
from chatnode.model.permissions import ROLES
from chatnode.services import declared
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.engine.migrations import CORE, Migration, core_migrations, initialize, migrate, statements
from chatnode.storage.log import log
from chatnode.storage.messages.messages import read_content
from chatnode.storage.people import roles
from chatnode.storage.upkeep import checks


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect_writer(tmp_path / "chatnode.sqlite3", Storage())
    yield connection
    connection.close()


def tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name for (name,) in rows}


FIRST = Migration(CORE, "0001_first", "CREATE TABLE first (number INTEGER);\nINSERT INTO first VALUES (1);\n")
SECOND = Migration(CORE, "0002_second", "ALTER TABLE first RENAME TO second;")
FAILING = Migration(
    CORE, "0003_failing", "CREATE TABLE third (number);\nDELETE FROM second;\nINSERT INTO nowhere VALUES (1);\n"
)
OF_A_PLUGIN = Migration("reactions", "0001_tables", "CREATE TABLE reactions (message, emoji);")


# ---- steps


def test_steps_are_applied_in_their_order_and_recorded(connection: sqlite3.Connection) -> None:
    assert migrate(connection, [FIRST, SECOND, OF_A_PLUGIN]) == [FIRST, SECOND, OF_A_PLUGIN]
    assert tables(connection) == {"migrations", "second", "reactions"}
    records = connection.execute('SELECT "set", name FROM migrations').fetchall()
    assert set(records) == {(CORE, "0001_first"), (CORE, "0002_second"), ("reactions", "0001_tables")}


def test_a_step_is_applied_once(connection: sqlite3.Connection) -> None:
    migrate(connection, [FIRST])
    assert migrate(connection, [FIRST]) == []
    assert migrate(connection, [FIRST, SECOND]) == [SECOND]
    assert connection.execute("SELECT count(*) FROM second").fetchone() == (1,)


def test_a_failing_step_leaves_nothing_of_itself_and_all_before_it(connection: sqlite3.Connection) -> None:
    migrate(connection, [FIRST])
    with pytest.raises(StartError, match="migration core/0003_failing failed: no such table: nowhere"):
        migrate(connection, [FIRST, SECOND, FAILING, OF_A_PLUGIN])
    assert not connection.in_transaction
    assert tables(connection) == {"migrations", "second"}
    assert connection.execute("SELECT number FROM second").fetchall() == [(1,)]
    repaired = Migration(CORE, FAILING.name, "CREATE TABLE third (number);")
    assert migrate(connection, [FIRST, SECOND, repaired]) == [repaired]


def test_a_failing_step_leaves_a_new_database_empty(connection: sqlite3.Connection) -> None:
    with pytest.raises(StartError, match="migration core/0003_failing failed"):
        migrate(connection, [FIRST, SECOND, FAILING])
    assert not connection.in_transaction
    assert tables(connection) == {"migrations"}
    repaired = Migration(CORE, FAILING.name, "CREATE TABLE third (number);")
    assert migrate(connection, [FIRST, SECOND, repaired]) == [FIRST, SECOND, repaired]


def test_a_step_whose_record_cannot_be_written_is_not_applied(connection: sqlite3.Connection) -> None:
    migrate(connection, [])
    connection.execute("CREATE TRIGGER no_record BEFORE INSERT ON migrations BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(StartError, match="0001_first failed: no"):
        migrate(connection, [FIRST])
    assert tables(connection) == {"migrations"}


def test_a_step_is_not_seen_before_it_is_complete(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """A process that is killed in the middle of a step has applied none of it."""
    seen: list[set[str]] = []
    other = sqlite3.connect(tmp_path / "chatnode.sqlite3")

    def look(statement: str) -> None:
        if "first" in statement or "COMMIT" in statement:
            seen.append(tables(other))

    connection.set_trace_callback(look)
    migrate(connection, [FIRST])
    assert seen == [{"migrations"}] * len(seen)
    assert len(seen) >= 3
    assert tables(other) == {"migrations", "first"}
    other.close()


def test_a_step_that_ends_in_the_middle_of_a_statement_is_refused(connection: sqlite3.Connection) -> None:
    with pytest.raises(StartError, match="core/0001 failed: the last statement does not end in a semicolon"):
        migrate(connection, [Migration(CORE, "0001", "CREATE TABLE one (x);\nCREATE TABLE two (x)")])
    assert not connection.in_transaction
    assert tables(connection) == {"migrations"}


def test_a_step_for_which_the_disk_has_no_space_is_said_so(connection: sqlite3.Connection) -> None:
    migrate(connection, [FIRST])
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 3}")
    large = Migration(CORE, "0002_large", "CREATE TABLE large (x);\nINSERT INTO large VALUES (zeroblob(100000));\n")
    with pytest.raises(StartError, match="0002_large failed: database or disk is full"):
        migrate(connection, [FIRST, large])
    assert not connection.in_transaction
    connection.execute("PRAGMA max_page_count=100000")
    assert migrate(connection, [FIRST, large]) == [large]


def test_a_database_of_a_newer_program_is_left_alone(connection: sqlite3.Connection) -> None:
    migrate(connection, [FIRST, SECOND])
    before = list(connection.iterdump())
    newer = Migration(CORE, "0000_added_later", "CREATE TABLE zero (x);")
    with pytest.raises(StartError, match=r"written by a newer chatnode \(it has core/0002_second\)"):
        migrate(connection, [newer, FIRST])
    assert list(connection.iterdump()) == before


def test_steps_of_a_plugin_that_is_not_installed_now_do_not_matter(connection: sqlite3.Connection) -> None:
    migrate(connection, [FIRST, OF_A_PLUGIN])
    assert migrate(connection, [FIRST, SECOND]) == [SECOND]


# ---- scripts


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ("", 0),
        ("\n  \n", 0),
        ("-- only a remark; nothing else\n", 0),
        ("/* only a remark;\n nothing else */\n", 0),
        ("SELECT 1;\n", 1),
        ("SELECT 1;", 1),
        ("SELECT 1; -- why; and how\n", 1),
        ("-- why; and how\nSELECT 1;\n", 1),
        ("/* why;\n and how; */ SELECT 1;\n", 1),
        ("SELECT\n  1,\n  2;\nSELECT 3;\n", 2),
        ("SELECT 1; SELECT 2;\n", 2),
        ("SELECT 1;\n\n-- the end; really\n", 1),
        ("SELECT 1;\n/* the end; really */\n", 1),
        ('SELECT \'a;b\', "c;d", [e;f], `g;h` FROM (SELECT 1 AS "c;d", 2 AS [e;f], 3 AS `g;h`);\n', 1),
        ("SELECT 'first line;\nsecond line;\n';\nSELECT 'it''s;';\n", 2),
        ("SELECT '-- no remark;';\nSELECT '/* nor this;';\n", 2),
    ],
)
def test_scripts_are_split_where_statements_end(connection: sqlite3.Connection, script: str, count: int) -> None:
    assert len([connection.execute(statement).fetchall() for statement in statements(script)]) == count


def test_a_trigger_is_one_statement(connection: sqlite3.Connection) -> None:
    script = """
    CREATE TABLE a (x);
    CREATE TABLE b (x);
    CREATE TRIGGER a_to_b AFTER INSERT ON a
    BEGIN
      INSERT INTO b VALUES (new.x);  -- once;
      INSERT INTO b VALUES ('again; ' || CASE new.x WHEN 1 THEN 'one' ELSE 'other' END);
    END;
    INSERT INTO a VALUES (1);
    """
    assert migrate(connection, [Migration(CORE, "0001", script)])
    assert connection.execute("SELECT x FROM b").fetchall() == [(1,), ("again; one",)]


# ---- the core


def test_the_core_from_nothing(connection: sqlite3.Connection) -> None:
    steps = core_migrations()
    assert [step.name for step in steps] == sorted(step.name for step in steps)
    assert {step.set for step in steps} == {CORE}
    assert migrate(connection, steps) == steps
    initialize(connection)
    assert checks.declared_problems(connection, declared()) == {}
    assert roles.by_name(connection) == ROLES
    assert len(log.epoch(connection)) == 32
    assert log.head(connection) == 0


def test_the_core_again_changes_nothing(connection: sqlite3.Connection) -> None:
    """The epoch stays, and so do roles that were changed since."""
    migrate(connection, core_migrations())
    initialize(connection)
    epoch = log.epoch(connection)
    connection.execute("DELETE FROM role_permissions WHERE role = 'member'")
    assert migrate(connection, core_migrations()) == []
    initialize(connection)
    assert log.epoch(connection) == epoch
    assert set(roles.by_name(connection)) == {"admin", "moderator"}


# ---- what a step makes of what there is


def test_groups_of_before_are_found_by_their_titles_and_blocks_of_before_freeze_marks(
    connection: sqlite3.Connection,
) -> None:
    steps = core_migrations()
    number = next(place for place, step in enumerate(steps) if step.name.startswith("0014_"))
    migrate(connection, steps[:number])
    person = "INSERT INTO people (key, id, handle, name, role, created_at) VALUES (?, ?, ?, '', 'member', 0)"
    connection.executemany(person, [(1, "a", "ann"), (2, "b", "bob"), (3, "c", "cay")])
    connection.execute(
        "INSERT INTO conversations (key, id, kind, title, description, visibility, history, created_at) "
        "VALUES (7, 'x', 'group', 'Große STRASSE', 'ÄÖ', 'public', 'all', 0)"
    )
    connection.executemany(
        "INSERT INTO members (conversation, person, role, joined_at, joined_gid, read_seq, shown_seq, delivered_seq) "
        "VALUES (7, ?, 'member', 0, 0, ?, ?, ?)",
        [(1, 5, 4, 6), (2, 1, 1, 1), (3, 2, 2, 2)],
    )
    connection.execute("INSERT INTO blocks VALUES (1, 2, 0)")
    migrate(connection, steps)
    assert connection.execute("SELECT found_by FROM conversations").fetchall() == [("grosse strasse\nao",)]
    marks = "SELECT person, blocked, conversation, delivered_seq, shown_seq FROM block_marks"
    assert connection.execute(marks).fetchall() == [(1, 2, 7, 6, 4)]


def test_messages_of_before_that_are_out_of_the_order_of_time_are_marked(connection: sqlite3.Connection) -> None:
    steps = core_migrations()
    number = next(place for place, step in enumerate(steps) if step.name.startswith("0024_"))
    migrate(connection, steps[:number])
    connection.execute(
        "INSERT INTO people (key, id, handle, name, role, created_at) VALUES (1, 'a', 'ann', '', 'member', 0)"
    )
    connection.executemany(
        "INSERT INTO conversations (key, id, kind, title, description, visibility, history, created_at) "
        "VALUES (?, ?, 'group', '', '', 'public', 'all', 0)",
        [(1, "x"), (2, "y"), (3, "z")],
    )
    ahead = 4_000_000_000_000
    ats = {1: [5, 5, 4, 3, 6, 2, 7], 2: [9, ahead, 8, 9, 9]}
    connection.executemany(
        "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at) VALUES (?, ?, ?, 1, 1, '', '', ?)",
        [(f"{place}.{seq}", place, seq, at) for place in ats for seq, at in enumerate(ats[place], 3)],
    )
    migrate(connection, steps)
    late = connection.execute("SELECT conversation, group_concat(coalesce(late, '-'), ' ') FROM messages GROUP BY 1")
    assert late.fetchall() == [(1, "- - 1 2 - 1 -"), (2, "- 1 2 - -")]
    assert connection.execute("SELECT key, ordered_at FROM conversations").fetchall() == [(1, 7), (2, 9), (3, 0)]
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert not names & {"messages_time", "late_found", "late_placed"}


def test_a_file_of_before_is_the_only_one_of_its_message(connection: sqlite3.Connection) -> None:
    """Its words are in the index already, which has no work from this."""
    steps = core_migrations()
    number = next(place for place, step in enumerate(steps) if step.name.startswith("0025_"))
    migrate(connection, steps[:number])
    connection.execute(
        "INSERT INTO people (key, id, handle, name, role, created_at) VALUES (1, 'a', 'ann', '', 'member', 0)"
    )
    connection.execute(
        "INSERT INTO conversations (key, id, kind, title, description, visibility, history, created_at) "
        "VALUES (1, 'x', 'group', '', '', 'public', 'all', 0)"
    )
    media = '{"file":"f","name":"plan \\"a\\".png","type":"image/png","bytes":9,"width":null,"height":3}'
    place = '{"latitude":1.0,"longitude":2.0,"name":"roses"}'
    connection.executemany(
        "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at, kind, content) "
        "VALUES (?1, 1, ?1, ?1, 1, '', '', 0, ?2, ?3)",
        [(1, "image", media), (2, "file", media), (3, "location", place), (4, "text", None), (5, "file", None)],
    )
    connection.execute("UPDATE search_state SET gid = 5, key = 5")
    migrate(connection, steps[: number + 1])
    kinds = connection.execute("SELECT kind, content FROM messages ORDER BY key").fetchall()
    assert [read_content(*each) for each in kinds] == [
        [Media("f", 'plan "a".png', "image/png", 9, height=3)], [Media("f", 'plan "a".png', "image/png", 9, height=3)],
        Location(1, 2, "roses"), None, None,
    ]  # fmt: skip
    changed = "SELECT count(*) FROM search_changed"
    assert connection.execute(changed).fetchone() == (0,)
    connection.execute("UPDATE messages SET content = NULL WHERE key = 1")
    assert connection.execute(changed).fetchone() == (1,)


def test_reports_of_before_that_are_open_get_the_text(connection: sqlite3.Connection) -> None:
    steps = core_migrations()
    number = next(place for place, step in enumerate(steps) if step.name.startswith("0032_"))
    migrate(connection, steps[:number])
    person = (
        "INSERT INTO people (key, id, handle, name, role, created_at, erased_at) VALUES (?, ?, ?, '', 'member', 0, ?)"
    )
    connection.executemany(person, [(1, "a", "ann", None), (2, "b", "erased-2", 1), (3, "c", "cay", None)])
    connection.execute(
        "INSERT INTO conversations (key, id, kind, title, description, visibility, history, created_at) "
        "VALUES (1, 'x', 'group', '', '', 'public', 'all', 0)"
    )
    connection.executemany(
        "INSERT INTO messages (key, id, conversation, seq, gid, sender, cid, text, at) "
        "VALUES (?, ?, 1, ?, 1, ?, '', ?, 0)",
        [(1, "m", 1, 1, "threat"), (2, "n", 2, 2, "being erased"), (3, "o", 3, 1, "judged")],
    )
    connection.executemany(
        "INSERT INTO reports (message, reporter, reason, at, resolved_at) VALUES (?, 3, 'abuse', 0, ?)",
        [(1, None), (2, None), (3, 1)],
    )
    migrate(connection, steps)
    assert connection.execute("SELECT message, text FROM reports").fetchall() == [(1, "threat"), (2, ""), (3, "")]


def test_erased_messages_of_before_lose_the_ids_of_their_clients(connection: sqlite3.Connection) -> None:
    steps = core_migrations()
    number = next(place for place, step in enumerate(steps) if step.name.startswith("0034_"))
    migrate(connection, steps[:number])
    person = (
        "INSERT INTO people (key, id, handle, name, role, created_at, erased_at) VALUES (?, ?, ?, '', 'member', 0, ?)"
    )
    connection.executemany(person, [(1, "a", "erased-a", 5), (2, "b", "bob", None)])
    connection.execute(
        "INSERT INTO conversations (key, id, kind, title, description, visibility, history, created_at) "
        "VALUES (1, 'x', 'group', '', '', 'public', 'all', 0)"
    )
    connection.executemany(
        "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at) VALUES (?, 1, ?, 1, ?, ?, '', 0)",
        [("m1", 1, 1, "zulip:1"), ("m2", 2, 2, "zulip:2")],
    )
    migrate(connection, steps)
    assert connection.execute("SELECT cid FROM messages ORDER BY seq").fetchall() == [("",), ("zulip:2",)]
