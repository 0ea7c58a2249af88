"""The classes of typed calls are what the command table says."""

from __future__ import annotations

import keyword
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatnode.dispatch.table import Command
from chatnode.embed import _calls
from chatnode.embed.generate import render
from chatnode.protocol import codec
from chatnode.services import COMMANDS
from tests.test_matrix import FIELDS, Target


def test_the_classes_are_those_of_the_command_table() -> None:
    path = Path(_calls.__file__)
    assert path.read_text(encoding="utf-8") == render(COMMANDS), "run make docs"


def test_importing_them_imports_nothing_of_the_node() -> None:
    code = "import sys; from chatnode.embed._calls import AsyncCalls, BlockingCalls; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"trio", "attr", "cattrs", "orjson", "sqlite3", "chatnode.model"}.isdisjoint(done.stdout.split())


def attribute_of(calls: Any, name: str) -> Any:
    for part in name.split("."):
        calls = getattr(calls, f"{part}_" if keyword.iskeyword(part) else part)
    return calls


def arguments(fields: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}_" if keyword.iskeyword(name) else name: value for name, value in fields.items()}


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.name in FIELDS], ids=lambda each: each.name)
async def test_a_call_runs_its_command_with_fields_that_it_takes(command: Command[Any, Any]) -> None:
    wanted = FIELDS[command.name](Target("0" * 32, "1" * 32))
    ran: list[tuple[str, dict[str, Any]]] = []

    def run(name: str, fields: dict[str, Any]) -> str:
        ran.append((name, fields))
        return "the result"

    async def run_async(name: str, fields: dict[str, Any]) -> str:
        return run(name, fields)

    results = [
        attribute_of(_calls.BlockingCalls(run), command.name)(**arguments(wanted)),
        await attribute_of(_calls.AsyncCalls(run_async), command.name)(**arguments(wanted)),
    ]
    assert results == ["the result"] * 2
    assert ran[0] == ran[1]
    name, fields = ran[0]
    assert name == command.name
    assert codec.structure(fields, command.takes) == codec.structure(wanted, command.takes), "defaults are the same"


def test_what_is_left_out_is_not_sent_and_a_cid_is_made() -> None:
    def run(name: str, fields: dict[str, Any]) -> Any:
        return fields

    sent: Any = _calls.BlockingCalls(run).messages.post(conversation="0" * 32, text="hello")
    assert len(sent.pop("cid")) == 36
    assert sent == {"conversation": "0" * 32, "text": "hello", "kind": "text"}


PROGRAM = """
from chatnode.embed._calls import AsyncCalls, BlockingCalls
import plugins

async def main(calls: AsyncCalls, more: plugins.AsyncCalls) -> int:
    posted = await calls.messages.post(conversation="c", text="hello")
    await more.reactions.add(message=posted.message, emoji="+1")
    return posted.seq

def blocking(calls: BlockingCalls) -> str:
    room = calls.conversations.find_or_create(context=("order", "7"), members=("ann", "shop"))
    return room.conversation
"""


@pytest.mark.slow
def test_the_calls_of_plugins_are_typed_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chatnode", "plugin", "docs", "--python"], capture_output=True, text=True, check=True
    )
    (tmp_path / "plugins.py").write_text(done.stdout, encoding="utf-8")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(PROGRAM.replace('text="hello"', "text=1"), encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}', encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "-p", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    faults = [line for line in checked.stdout.splitlines() if "error:" in line]
    assert len(faults) == 1, checked.stdout
    assert "wrong.py" in faults[0]
    assert '"text"' in faults[0]
