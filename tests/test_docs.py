"""The documentation says what the code does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from chatnode.dispatch.table import CommandTable
from chatnode.errors import STATUS
from chatnode.model.ephemeral import EPHEMERAL
from chatnode.model.events import EVENTS
from chatnode.protocol.codec import wire_name
from chatnode.reference import commands as reference
from chatnode.services import COMMANDS
from chatnode.transport import socket

ROOT = Path(__file__).parent.parent
PROTOCOL = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_reference_of_commands_is_the_command_table() -> None:
    assert (ROOT / "docs/commands.md").read_text(encoding="utf-8") == reference.render(CommandTable(COMMANDS)), (
        "run make docs"
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_says_what_it_does(command: object) -> None:
    first, *_ = command.description.split("\n\n")
    assert len(first) > 10
    assert first.endswith(".")


@pytest.mark.parametrize("name", EVENTS | EPHEMERAL)
def test_every_event_is_described_with_its_fields(name: str) -> None:
    row = re.search(rf"^\| `{re.escape(name)}` \| (.*?) \|", PROTOCOL, re.MULTILINE)
    assert row is not None
    described = re.findall(r"`(\w+)`", row[1])
    assert described == [wire_name(field) for field in (EVENTS | EPHEMERAL)[name].__annotations__ if field != "name"]


@pytest.mark.parametrize(("code", "status"), STATUS.items())
def test_every_error_code_is_described(code: str, status: int) -> None:
    assert f"| `{code}` | {status} |" in PROTOCOL


def test_every_close_code_is_described() -> None:
    codes = [value for name, value in vars(socket).items() if re.fullmatch(r"(STOP|RESUME)_[A-Z_]+", name)]
    assert codes
    for code in codes:
        assert f"| {code} |" in PROTOCOL


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_documents_point_to_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_architecture_names_only_files_that_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    package = ROOT / "chatnode"
    for name in re.findall(r"`([\w/]+(?:/|\.py|\.md|\.toml))`", text):
        places = (ROOT / name, package / name, *package.glob(f"*/{name}"), *ROOT.glob(f"plugins/*/{name}"))
        assert any(place.exists() for place in places), f"there is no {name}"


def test_every_layer_is_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for entry in (ROOT / "chatnode").iterdir():
        if entry.name.startswith("__") or entry.name in ("web", "py.typed"):
            continue
        name = f"chatnode/{entry.name}/" if entry.is_dir() else f"chatnode/{entry.name}"
        assert name in text, f"{name} has no row"


def test_the_readme_has_its_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("serve", "test"):
        assert f"$ make {target}\n" in readme
        assert f"\n{target}:" in makefile


def test_a_data_directory_may_have_any_name(tmp_path: Path) -> None:
    """`make serve DATA=…` with a command that says what it was given instead of a node."""
    command = tmp_path / "bin" / "chatnode"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\nprintf "%s|" "$CHATNODE_DATA" "$@"\n')
    command.chmod(0o755)
    (tmp_path / "bin" / ".installed").touch()
    for name in ("data", "my data", "it's", 'say "x"', "a;b", "-x"):
        made = subprocess.run(
            ["make", "--silent", "-C", str(ROOT), "serve", f"BIN={command.parent}", f"DATA={name}"],
            stdout=subprocess.PIPE, check=True, text=True,
        )  # fmt: skip
        assert made.stdout == f"{name}|serve|"
