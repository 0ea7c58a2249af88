"""`docs/plugins/tutorial.md`, followed to the letter: every file is written, every command is run, in their order.

A block is told by the words after its language: a file's path is a file to write, `appended` one to add to, `diff` a
part of one to replace; `console` is what is typed and what comes (… stands for anything), `background` what goes on
running.
"""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from .wheels import PATIENCE, ROOT, Environment

pytestmark = pytest.mark.slow
TUTORIAL = (ROOT / "docs/plugins/tutorial.md").read_text(encoding="utf-8")
PORT = "8008"


@attrs.frozen
class Block:
    language: str
    words: list[str]
    text: str


def blocks() -> list[Block]:
    found = re.findall(r"^```(\w+) ?(.*?)\n(.*?)^```$", TUTORIAL, re.DOTALL | re.MULTILINE)
    return [Block(language, words.split(), text) for language, words, text in found]


class Shell:
    """One shell for the whole tutorial, as variables and the directory stay."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash"], cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, command: str) -> str:
        """What the command prints; it must succeed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\nstatus=$?; echo; echo the end $status\n")
        self._process.stdin.flush()
        said = ""
        while (end := re.search(r"\nthe end (\d+)\n", said)) is None:
            line = self._process.stdout.readline()
            assert line, f"the shell ended at {command}: {said}"
            said += line
        said = said[: end.start()]
        assert end[1] == "0", f"{command} fails:\n{said}"
        return said

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Background:
    """What goes on running in another terminal, and when it last said that it listens."""

    def __init__(self, command: str, directory: Path, environment: dict[str, str]) -> None:
        self.said = ""
        self.listening = threading.Condition()
        self._listens = 0.0
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=directory, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said += line
            if "listening on" in line:
                with self.listening:
                    self._listens = time.monotonic()
                    self.listening.notify_all()

    def wait_listening(self, since: float) -> None:
        """Until it has said so since then."""
        with self.listening:
            assert self.listening.wait_for(lambda: self._listens > since, PATIENCE), self.said

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def write(directory: Path, block: Block) -> None:
    """Write a file, or change it."""
    file = directory / block.words[0]
    if block.language != "diff":
        before = file.read_text(encoding="utf-8") + "\n\n" if "appended" in block.words else ""
        file.write_text(before + block.text, encoding="utf-8")
        return
    lines = block.text.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file} does not have this once:\n{old}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def dialogues(text: str) -> Iterator[tuple[str, str]]:
    """Each command, and what is shown to come of it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def assert_comes(shown: str, said: str, command: str) -> None:
    pattern = "".join(r"(?s:.*?)" if piece == "…" else re.escape(piece) for piece in re.split("(…)", shown.strip()))
    assert re.search(pattern, said), f"{command} says\n{said}\nand not\n{shown}"


def test_the_tutorial_works(wheels: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", wheels)
    environment.run("pip", "install", "--quiet", "chatnode")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    variables = environment.variables | {
        "CHATNODE_SERVER__BIND": f"127.0.0.1:{port}", "CHATNODE_URL": f"http://127.0.0.1:{port}",
        "CHATNODE_LIMITS__REQUESTS_PER_MINUTE": "0",
    }  # fmt: skip
    directory, project = tmp_path, tmp_path / "chatnode-polls"
    shell, background = Shell(directory, variables), None
    changed = 0.0
    try:
        for block in blocks():
            text = block.text.replace(PORT, port)
            if block.language != "console":
                write(project, block)
                changed = time.monotonic() if block.words[0] != "vote.py" else changed
            elif block.words == ["background"]:
                ((command, shown),) = dialogues(text)
                activated = {**variables, "PATH": f"{project}/.venv/bin:{variables['PATH']}"}
                background = Background(command, project, activated)
                background.wait_listening(0.0)
                assert_comes(shown, background.said, command)
            else:
                if background is not None and changed:
                    background.wait_listening(changed)
                for command, shown in dialogues(text):
                    assert_comes(shown, shell.run(command), command)
    finally:
        shell.close()
        if background is not None:
            background.close()
