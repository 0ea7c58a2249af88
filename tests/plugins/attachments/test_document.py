"""`docs/plugins/attachments.md`: its examples are run as they stand, and its settings are the settings."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from chatnode_attachments.settings import AttachmentsSettings

from chatnode.node import Node
from chatnode.testing import LiveUser
from tests import needs

TEXT = (Path(__file__).parents[3] / "docs/plugins/attachments.md").read_text(encoding="utf-8")
_LEARNED = {
    "UPLOAD": re.compile(r"^location: uploads/([0-9a-f]{32})", re.MULTILINE | re.IGNORECASE),
    "LINK": re.compile(r'"link":"([^"]+)"'),
}
"""What a reader takes from an answer, to use it in the next command."""


@attrs.frozen
class Example:
    command: str
    shown: list[str]
    """Lines, each of which must be in the output; … stands for anything."""


def examples() -> Iterator[Example]:
    for block in re.findall(r"^```console\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            yield Example(command, shown)


class Shell:
    """Runs commands with variables that stay."""

    def __init__(self, directory: Path, **variables: str) -> None:
        self._directory = directory
        self._variables = variables

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], cwd=self._directory, env={**os.environ, **self._variables},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)
        for name, pattern in _LEARNED.items():
            if found := pattern.search(done.stdout):
                self._variables[name] = found[1]
        return done.stdout


def is_shown(line: str, output: str) -> bool:
    pattern = ".*".join(map(re.escape, line.split("…")))
    return any(re.fullmatch(pattern, each.strip()) for each in output.splitlines())


@pytest.mark.slow
async def test_the_examples_do_what_is_said(node: Node, url: str, ann: LiveUser, bob: LiveUser, tmp_path: Path) -> None:
    needs.program("curl")
    token, talk = await ann.token(), await ann.direct(bob)
    shell = Shell(tmp_path, NODE=url, TOKEN=token, AUTH=f"Authorization: Bearer {token}", CONVERSATION=talk)
    run = 0
    for example in examples():
        output = await trio.to_thread.run_sync(shell.run, example.command)
        missing = [line for line in example.shown if not is_shown(line, output)]
        assert missing == [], (example.command, output)
        run += 1
    assert run > 8
    assert (await bob.sees(talk))[-1]["text"] == "for you"


@pytest.mark.parametrize("field", attrs.fields(AttachmentsSettings), ids=lambda field: field.name)
def test_settings_are_described(field: Any) -> None:
    assert re.search(rf"^\| `{field.name}` \| \S+ \| {re.escape(field.metadata['help'])} \|$", TEXT, re.MULTILINE)
