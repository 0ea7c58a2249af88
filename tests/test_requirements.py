"""`docs/requirements.md` names what exists: commands, settings, events, collections, and the tests that prove them."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator
from functools import cache
from inspect import getmembers, isclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import attrs
import click
import pytest

from chatnode.cli import cli
from chatnode.config_file import sections
from chatnode.model import conversations, ephemeral, events, messages, people, permissions, presence
from chatnode.model.commands import conversations as conversation_commands
from chatnode.model.commands import messages as message_commands
from chatnode.model.commands import presence as presence_commands
from chatnode.protocol.codec import wire_name
from chatnode.storage.engine.connection import add_functions
from tests.commands import COMMANDS, PLUGINS
from tests.declared import COLLECTIONS as CORE_COLLECTIONS
from tests.declared import JOBS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/requirements.md").read_text(encoding="utf-8")
SEEDS = ("000", "001", "002", "003", "004")
COLLECTIONS = (*CORE_COLLECTIONS, *(each for plugin in PLUGINS for each in plugin.collections))
EVENTS = {**events.EVENTS, **{kind.event.name: kind.event for plugin in PLUGINS for kind in plugin.events}}
HEADING = "| asks for | what does it here | proof |"


@attrs.frozen
class Row:
    asked: str
    done: str
    proof: str

    @property
    def tests(self) -> list[str]:
        return re.findall(r"`(tests/[^`]+)`", self.proof)


def rows_of(text: str) -> Iterator[Row]:
    for line in text.splitlines():
        if line.startswith("|") and line != HEADING and not line.startswith("| ---"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert len(cells) == 3, line
            yield Row(*(each.strip(" |") for each in cells))


ROWS = list(rows_of(TEXT))
each_row = pytest.mark.parametrize("row", ROWS, ids=[row.asked for row in ROWS])


# ---- what there is


def model_words() -> Iterator[str]:
    """Fields of what commands take and give, as they are on the wire, and the words that they may have."""
    modules: tuple[ModuleType, ...] = (
        conversations, events, messages, people, presence, conversation_commands, message_commands, presence_commands,
    )  # fmt: skip
    for module in modules:
        for _, found in getmembers(module):
            if isclass(found) and attrs.has(found):
                yield from (wire_name(field.name) for field in attrs.fields(found))
                for kind in get_type_hints(found).values():
                    yield from literals(kind)
    for plugin in PLUGINS:
        told = [kind.event for kind in plugin.events]
        for found in (*told, *(each for command in plugin.commands for each in (command.takes, command.gives))):
            yield from words_of(found)


def words_of(kind: Any) -> Iterator[str]:
    """The same of one type, and of those that its fields have."""
    if is_typeddict(kind):
        yield from get_type_hints(kind)
        for inner in get_type_hints(kind).values():
            yield from words_of(inner)
    if isclass(kind) and attrs.has(kind):
        yield from (wire_name(field.name) for field in attrs.fields(kind))
        for inner in get_type_hints(kind).values():
            yield from words_of(inner)
    yield from literals(kind)
    for part in get_args(kind):
        yield from words_of(part)


def literals(kind: Any) -> Iterator[str]:
    if get_origin(kind) is not None and str(get_origin(kind)) == "typing.Literal":
        yield from get_args(kind)
    else:
        for part in get_args(kind):
            yield from literals(part)


def tables() -> Iterator[str]:
    """Tables of the schema, and their columns after a dot."""
    database = sqlite3.connect(":memory:")
    add_functions(database)
    for step in sorted((ROOT / "chatnode/storage/schema").glob("*.sql")):
        database.executescript(step.read_text(encoding="utf-8"))
    for plugin in PLUGINS:
        for each in plugin.steps:
            for name, function in each.functions.items():
                database.create_function(name, -1, function)
            database.executescript(each.sql)
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        yield table
        yield from (f"{table}.{column[1]}" for column in database.execute(f"PRAGMA table_info ({table})"))
    database.close()


def words_of_plugins() -> Iterator[str]:
    """What plugins declare by name: roles and metrics, and jobs and works after the plugin's name."""
    for plugin in PLUGINS:
        yield from (each.name for each in (*plugin.roles, *plugin.metrics))
        yield from (f"{plugin.name}.{each.name}" for each in (*plugin.tasks, *plugin.works))


def settings_of_plugins() -> Iterator[str]:
    for plugin in PLUGINS:
        if plugin.settings is not None:
            yield from (f"plugins.{plugin.name}.{field.name}" for field in attrs.fields(plugin.settings))


def routes_of_plugins() -> Iterator[str]:
    for plugin in PLUGINS:
        yield from (f"/plugins/{plugin.name}/{route.rule}" for route in plugin.routes)


@cache
def known() -> frozenset[str]:
    """Every name that the second column may have."""
    fields = {name for each in COLLECTIONS for field in each.fields for name in (field.name, *field.also)}
    return frozenset[str]().union(
        (command.name for command in COMMANDS),
        (job.name for job in JOBS), routes_of_plugins(),
        (f"{name}.{field.name}" for name, section in sections() for field in attrs.fields(section)),
        settings_of_plugins(), words_of_plugins(), EVENTS, ephemeral.EPHEMERAL, permissions.PERMISSIONS,
        (each.name for plugin in PLUGINS for each in plugin.permissions),
        (each.name for each in COLLECTIONS), (f"GET /items/{each.name}" for each in COLLECTIONS), fields,
        (f"chatnode {name}" for name in cli.list_commands(click.Context(cli))), model_words(), tables(),
    )  # fmt: skip


@cache
def names_of_tests(file: str) -> frozenset[str]:
    """Names of tests in a file; in a class, after its name and `::`."""
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    found: set[str] = set()

    def visit(nodes: list[ast.stmt], within: str) -> None:
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                found.add(within + node.name)
            elif isinstance(node, ast.ClassDef):
                visit(node.body, f"{within}{node.name}::")

    visit(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return frozenset(found)


# ---- what the document says


def test_every_seed_has_its_tables_and_says_what_is_different() -> None:
    parts = re.split(r"^## Seed (\d+).*$", TEXT, flags=re.MULTILINE)
    assert tuple(parts[1::2]) == SEEDS
    for part in parts[2::2]:
        rows, _, different = part.partition("### Different on purpose\n")
        assert list(rows_of(rows))
        assert different.strip().startswith("- ")
        assert list(rows_of(different)) == []


def test_every_table_has_the_three_columns() -> None:
    headings = [before for before, line in pairwise(TEXT.splitlines()) if line.startswith("| ---")]
    assert set(headings) == {HEADING}


OF_ORGANISATION = re.split(r"^## Seed 004.*$", TEXT, flags=re.MULTILINE)[1].partition("### Different on purpose")[0]
ASKED_OF_ORGANISATION = {
    "What it is for": 7,
    "The table contact_lists": "id name description is_active created_at updated_at",
    "The table contacts": "id email first_name last_name company phone country city created_at updated_at",
    "The table contact_tags": "id name color created_at updated_at",
    "The table contact_list_contacts": "contact_list_id contact_id added_at",
    "The table contact_tag_pivot": "contact_id contact_tag_id created_at",
    "The table users": "id email firstname lastname created_at updated_at",
    "The tables roles, permissions, model_has_roles and model_has_permissions": (
        "roles.id roles.name roles.guard_name roles.created_at roles.updated_at "
        "permissions.id permissions.name permissions.guard_name permissions.created_at permissions.updated_at "
        "model_has_roles.role_id model_has_roles.model_type model_has_roles.model_id "
        "model_has_permissions.permission_id model_has_permissions.model_type model_has_permissions.model_id "
        "contacts.view contacts.create contacts.update contacts.delete contacts.import contacts.export lists.manage "
        "tags.manage contacts_manager contacts_viewer marketing_manager"
    ),
    "The table jobs": "id queue payload attempts reserved_at available_at created_at",
    "The tables cache and cache_locks": (
        "cache.key cache.value cache.expiration cache_locks.key cache_locks.owner cache_locks.expiration"
    ),
    "Where contacts come from": 9,
    "List types and their use": 6,
    "List operations": 5,
    "Tag operations": 8,
    "Events": (
        "event_id event_type timestamp version data metadata correlation_id service "
        "contact.created contact.updated contact.added_to_list contact.tagged contact.deleted "
        "contact_id email first_name last_name company phone country city created_at updated_fields updated_at list_id "
        "list_name added_at tag_id tag_name tagged_at deleted_at reason"
    ),
    "References between services": "subscribers campaign_audiences contact_id email first_name last_name",
    "Indexes and queries": 10,
    "Performance recommendations": 6,
    "Import": 10,
    "Export": "filename download_url expires_at",
    "Bulk operations": 2,
    "Access control in controllers": 4,
    "Backup and maintenance": 6,
    "Monitoring": 4,
    "Health checks": "status timestamp database cache queue contacts_count lists_count",
}
"""The parts of that seed: names that their first column has, or how many rows they are at least."""


def test_the_parts_of_the_seed_about_an_organization_are_there() -> None:
    parts = dict(part.split("\n", 1) for part in re.split(r"^### ", OF_ORGANISATION, flags=re.MULTILINE)[1:])
    assert list(parts) == list(ASKED_OF_ORGANISATION)
    for part, asked in ASKED_OF_ORGANISATION.items():
        rows = list(rows_of(parts[part]))
        if isinstance(asked, int):
            assert len(rows) >= asked, part
        else:
            named = {name for row in rows for name in re.findall(r"`([^`]+)`", row.asked)}
            assert set(asked.split()) <= named, part


def test_all_that_a_program_or_an_operator_sees_of_an_organizations_contacts_is_there() -> None:
    """Permissions, roles, collections, events, metrics and works of the plugin; and the subjects of its commands."""
    named = set(re.findall(r"`([^`]+)`", " ".join(row.done for row in rows_of(OF_ORGANISATION))))
    crm = next(plugin for plugin in PLUGINS if plugin.name == "crm")
    declared = (*crm.permissions, *crm.roles, *crm.collections, *crm.metrics)
    assert [each.name for each in declared if each.name not in named] == []
    assert [kind.event.name for kind in crm.events if kind.event.name not in named] == []
    subjects = {command.name.rpartition(".")[0] for command in crm.commands}
    beyond = {"crm.notes", "crm.fields", "crm.duplicates", "crm.identities", "crm.mappings"}
    assert subjects - beyond <= {name.rpartition(".")[0] for name in named}


COLUMNS_OF_NOTIFICATIONS = (
    "id conversation_id message_id recipient_id sender_id notification_type title body is_sent is_read sent_at read_at "
    "device_tokens delivery_status error_message created_at"
)


def test_every_column_of_notifications_has_a_row() -> None:
    part = re.split(r"^### chat_notifications\n", TEXT, flags=re.MULTILINE)[1].partition("### ")[0]
    named = {name for row in rows_of(part) for name in re.findall(r"`([^`]+)`", row.asked)}
    assert set(COLUMNS_OF_NOTIFICATIONS.split()) <= named


@each_row
def test_what_does_it_exists(row: Row) -> None:
    named = re.findall(r"`([^`]+)`", row.done)
    assert [name for name in named if name not in known()] == []
    assert named or row.proof


@each_row
def test_it_is_proved_by_tests_that_exist(row: Row) -> None:
    assert row.tests, "no test proves it"
    for test in row.tests:
        file, _, name = test.partition("::")
        assert name in names_of_tests(file), f"there is no {test}"
    assert re.sub(r"`[^`]+`|[, ]", "", row.proof) == "", "a proof is a test, or several with commas between them"


def test_what_is_different_names_what_exists() -> None:
    """Names with a dot; others there are the seeds' own."""
    for part in re.findall(r"### Different on purpose\n(.*?)(?=\n## |\Z)", TEXT, re.DOTALL):
        for name in re.findall(r"`(\w+(?:\.\w+)+)`", part):
            assert name in known(), name
