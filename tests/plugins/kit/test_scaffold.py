"""A plugin made by `chatnode plugin new` works at once, and is fit to be worked on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatnode import scaffold
from chatnode.hooks.plugin import API_VERSION

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scaffold.make("polls", tmp_path_factory.mktemp("new"))


def run(made: Path, *command: str) -> str:
    path = os.pathsep.join([str(made), str(ROOT), str(ROOT / "plugins")])
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=made, env=os.environ | {"PYTHONPATH": path}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_its_tests_pass(made: Path) -> None:
    assert " passed" in run(made, "pytest", "-q")


@pytest.mark.slow
def test_it_is_linted_and_typed(made: Path) -> None:
    run(made, "ruff", "check", "--no-cache", ".")
    run(made, "ruff", "format", "--no-cache", "--check", ".")
    run(made, "pyright", "--pythonpath", sys.executable)


def test_it_is_reviewed_in_its_directory(made: Path) -> None:
    assert run(made, "chatnode", "plugin", "check", ".") == "ok     polls 0.1.0\n"


def test_nothing_of_the_template_is_left(made: Path) -> None:
    files = [path for path in made.rglob("*") if path.is_file() and "cache" not in str(path)]
    assert {path.name for path in files} >= {"pyproject.toml", "Makefile", "README.md", ".gitignore", "0001_items.sql"}
    for path in files:
        assert "plugname" not in path.read_text(encoding="utf-8").lower() + str(path.relative_to(made))


def test_it_is_made_for_this_version(made: Path) -> None:
    assert f'api="{API_VERSION}"' in (made / "chatnode_polls/__init__.py").read_text(encoding="utf-8")


def test_it_takes_the_chatnode_that_made_it(made: Path) -> None:
    """The tests run in an environment in which chatnode was installed from a checkout."""
    words = (made / "local.mk").read_text(encoding="utf-8").split()
    assert words[:3] == ["CHATNODE", ":=", "--editable"]
    assert 'name = "chatnode"' in (Path(words[3]) / "pyproject.toml").read_text(encoding="utf-8")
