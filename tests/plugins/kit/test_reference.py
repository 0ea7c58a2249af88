"""`docs/plugins/reference.md` says what the code does."""

from __future__ import annotations

import ast
import inspect
import re
import sqlite3
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode import api, config, testing
from chatnode.hooks import specs
from chatnode.model.events import EVENTS
from chatnode.protocol.codec import wire_name
from chatnode.reference import api as api_reference
from chatnode.reference.events import SUBJECTS
from chatnode.services import COMMANDS
from chatnode.storage.filters import kinds
from chatnode.testing import Node
from chatnode.testing import reference as kit_reference

HERE = Path(__file__).resolve().parent
REFERENCE = (HERE.parents[2] / "docs/plugins/reference.md").read_text(encoding="utf-8")
EVERY_NAME = REFERENCE.partition("## Every name")[2]
HOOKS = [name for name, function in vars(specs).items() if hasattr(function, f"{specs.PROJECT}_spec")]


def section(title: str) -> str:
    """What stands below a heading."""
    found = re.search(rf"^### `{title}`\n(.*?)(?=^##|^<!-- end)", REFERENCE, re.DOTALL | re.MULTILINE)
    assert found is not None, f"there is nothing about {title}"
    return found[1]


def test_its_made_parts_are_as_the_code_is() -> None:
    assert kit_reference.fill(api_reference.fill(REFERENCE)) == REFERENCE, "run make docs"


def test_every_name_of_the_test_kit_is_there_with_a_word_on_it() -> None:
    kit = REFERENCE.partition("<!-- made: test kit -->")[2].partition("<!-- end -->")[0]
    for name in testing.__all__:
        if name in ("User", "LiveUser", "Answer"):
            assert f"### `{name}`\n" in kit
        else:
            assert re.search(rf"^- `(?:async def |def )?{name}\b[^`]*`: \S", kit, re.MULTILINE), name


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_there_with_arguments_colour_order_budget_and_failure(hook: str) -> None:
    function, about = getattr(specs, hook), section(hook)
    colour = "async def" if inspect.iscoroutinefunction(function) else "def"
    shown = re.search(r"```python\n((?:async )?def) (\w+)\((.*)\) -> ", about)
    assert shown is not None
    assert (shown[1], shown[2]) == (colour, hook)
    assert re.findall(r"(\w+): ", shown[3]) == list(inspect.signature(function).parameters)
    if (terms := specs.TERMS.get(hook)) is not None:
        assert "for one plugin after the other" in about
        assert ("no wrapper" in about) == (colour == "async def")
        assert f"`plugins.{terms.budget}`" in about
        assert hasattr(config.Plugins(), terms.budget)
        assert ("refuses the operation" in about) == (terms.failure == "refuse")
        assert ("is left out" in about) == (terms.failure == "go on")
    else:
        assert hook in ("chatnode_plugin", "add_hookspecs")


def test_every_hook_is_implemented_in_a_test() -> None:
    tests = [path for folder in ("core", "surface") for path in (HERE.parent / folder).glob("*.py")]
    nodes = (node for path in tests for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    implemented = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert set(HOOKS) - implemented == set()


def test_every_class_of_a_declaration_is_there_with_every_field() -> None:
    for name in api_reference.DECLARED:
        about = section(name)
        assert re.findall(r"^- `(\w+): ", about, re.MULTILINE) == [
            field.name for field in attrs.fields(getattr(api, name)) if not field.name.startswith("_")
        ]
    declared = [name for name in dir(api) if inspect.getmodule(getattr(api, name)) is inspect.getmodule(api.Plugin)]
    assert set(declared) - {"steps_in", "API_VERSION"} <= set(api_reference.DECLARED)


def test_every_public_name_is_there_with_a_word_on_it() -> None:
    listed = re.findall(r"^- `(?:def |async def |class )?(\w+)[^`]*`: (.+)$", EVERY_NAME, re.MULTILINE)
    assert sorted(name for name, _ in listed) == sorted(api.__all__)
    # A value has no words of its own: what `inspect` finds is about `str`.
    assert {name for name in api.__all__ if isinstance(getattr(api, name), str)} <= set(api_reference.CONSTANTS)


def test_every_function_is_there_with_the_types_of_what_it_takes_and_gives() -> None:
    for name in api.__all__:
        if not inspect.isfunction(inspect.unwrap(getattr(api, name))):
            continue
        (said,) = re.findall(rf"^- `((?:async )?def {name}\(.*?) ?`: ", EVERY_NAME, re.MULTILINE)
        (function,) = ast.parse(f"{said}: ...").body
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        arguments = function.args
        given = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
        there = {each.arg: each.annotation for each in given if each is not None}
        assert list(there) == list(inspect.signature(getattr(api, name)).parameters), name
        assert None not in there.values(), name
        assert function.returns is not None, name


def test_every_value_and_class_is_there_with_its_type() -> None:
    for name in api.__all__:
        if inspect.isfunction(inspect.unwrap(getattr(api, name))):
            continue
        (said,) = re.findall(rf"^- `((?:class {name}\b|{name}: )[^`]*)`", EVERY_NAME, re.MULTILINE)
        assert said.startswith("class ") or re.fullmatch(rf"{name}: \S.*", said), name
        if name in (*api_reference.DECLARED, *api_reference.WORKED_WITH):
            assert re.search(r"^- `(?:async )?(?:def )?\w+[:(]", section(name), re.MULTILINE), (
                f"{name} has nothing typed"
            )


def test_nothing_is_named_in_a_type_that_a_plugin_cannot_name() -> None:
    of_python = {
        "AbstractAsyncContextManager", "Annotated", "Any", "AsyncIterator", "Awaitable", "Callable", "Cursor",
        "EmailMessage",
        "Iterable", "Iterator", "Literal", "Logger", "LoggerAdapter", "Mapping", "None", "Path", "Sequence", "False",
        "True", "ZoneInfo",
    }  # fmt: skip
    variables = {"C", "F", "R", "S", "T"}
    of_tests = {*testing.__all__, "AsyncGenerator", "Config", "Generator", "ExceptionInfo", "Self"}
    known = {*api.__all__, *of_python, *variables, *of_tests}
    for said in re.findall(r"^- `([^`]+)`|^((?:async )?def .*)$", REFERENCE, re.MULTILINE):
        words = re.sub(r"'[^']*'|\b[a-z]\w*\.\w+", "", said[0] or said[1])
        named = set(re.findall(r"\b(?:[A-Z]|_)\w*", words))
        assert named - known == set(), said


def test_every_kind_of_field_is_there_with_its_operators() -> None:
    every = {
        name: kind
        for name, kind in vars(kinds).items()
        if isinstance(kind, type) and issubclass(kind, kinds.Kind) and kind is not kinds.Kind
    }
    listed = dict(re.findall(r"^- `kinds\.(\w+)\(.*\)`: .*Operators: (.*)\.$", REFERENCE, re.MULTILINE))
    assert set(listed) == set(every)
    needs: dict[str, dict[str, Any]] = {
        "Choice": {"words": ("a",)},
        "Labels": {"row": "item.key", "relation": "SELECT 1 WHERE 1", "find": str},
    }
    for name, operators in listed.items():
        made = every[name](**needs.get(name, {}))
        assert set(re.findall(r"`(\w+)`", operators)) == made.operators, name


def test_every_event_is_there_with_its_fields_and_what_its_subject_is() -> None:
    listed = {
        kind: (event, re.findall(r"`(\w+): ", fields), subject)
        for kind, event, fields, subject in re.findall(
            r"^- `([a-z.]+)`, `(\w+)`: .*? Fields: (.*?)\. `subject`: (.+)\.$", REFERENCE, re.MULTILINE
        )
    }
    assert set(listed) == set(EVENTS)
    for kind, (event, fields, subject) in listed.items():
        assert getattr(api, event) is EVENTS[kind]
        assert fields == [wire_name(field.name) for field in attrs.fields(EVENTS[kind])]
        assert subject == SUBJECTS[kind]


def test_the_events_and_commands_it_names_are_there() -> None:
    reach = REFERENCE.partition("## What plugins can do")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", reach))
    assert named >= {"message.posted", "sessions.create"}
    assert named - set(EVENTS) - {command.name for command in COMMANDS} == set()


async def test_the_tables_of_the_core_have_the_columns(node: Node) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", REFERENCE, re.MULTILINE)
    assert {table for table, _ in rows} >= {"people", "conversations", "members", "messages", "blocks", "presence"}

    def columns(reader: sqlite3.Connection, table: str) -> set[str]:
        return {name for _, name, *_ in reader.execute(f"PRAGMA table_info({table})")}

    for table, said in rows:
        there = await node.core.db.read(lambda reader, table=table: columns(reader, table))
        assert set(re.findall(r"`(\w+)`", said)) <= there, table
