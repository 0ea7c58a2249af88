"""What is installed from wheels is what the checkout has, and can be added to and taken from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from .wheels import ROOT, Environment, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clean(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with both wheels, and what they need."""
    made = Environment(tmp_path_factory.mktemp("clean") / "venv", wheels)
    made.run("pip", "install", "--quiet", "chatnode[testing]", next(wheels.glob("chatnode_hello-*.whl")))
    return made


def listed(said: str) -> dict[str, Any]:
    return {each["name"]: each for each in json.loads(said)}


def test_the_listing_is_that_of_the_checkout(clean: Environment, tmp_path: Path) -> None:
    run(sys.executable, "-m", "chatnode", "--data", tmp_path / "here", "setup")
    clean.run("chatnode", "--data", tmp_path / "there", "setup", cwd=tmp_path)
    here = listed(run(sys.executable, "-m", "chatnode", "--data", tmp_path / "here", "plugin", "list", "--json"))
    there = listed(clean.run("chatnode", "--data", tmp_path / "there", "plugin", "list", "--json", cwd=tmp_path))
    hello = there.pop("hello")
    assert (hello["state"], hello["version"], hello["distribution"]) == ("running", "1.0", "chatnode-hello")
    assert there == {name: each for name, each in here.items() if each["distribution"] == "chatnode"}
    assert {each["state"] for each in there.values()} == {"running"}


def test_hello_passes_its_tests_there(clean: Environment, tmp_path: Path) -> None:
    tests = ROOT / "examples/plugin_hello/tests"
    options = ("-o", "trio_mode=true", "-p", "no:cacheprovider", f"--rootdir={tests}")
    assert " passed" in clean.run("python", "-B", "-m", "pytest", "-q", *options, tests, cwd=tmp_path)


def test_hello_greets_from_the_command_line(clean: Environment, tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    clean.run("chatnode", *data, "user", "add", "ann", "--no-password", cwd=tmp_path)
    assert clean.run("chatnode", *data, "hello", "greet", "ann", cwd=tmp_path) == "hello, ann!\n"


def test_a_plugin_comes_and_goes(clean: Environment, wheels: Path, tmp_path: Path) -> None:
    """Made, installed, used, exported, uninstalled; what is dropped is gone, what is kept is there again."""

    def chatnode(*arguments: str | Path) -> str:
        return clean.run("chatnode", "--data", tmp_path / "data", *arguments, cwd=tmp_path)

    def items() -> list[dict[str, Any]]:
        return [json.loads(line) for line in dump.read_text().splitlines()]

    chatnode("setup")
    chatnode("plugin", "new", "polls")
    assert chatnode("plugin", "install", "chatnode-polls") == "installed polls 0.1.0\nok     polls 0.1.0\n"
    assert "polls            0.1.0      running" in chatnode("plugin", "list")
    chatnode("call", "people.create", "handle=ann")
    chatnode("plugin", "disable", "polls")
    assert "wrote 0 rows" in chatnode("plugin", "uninstall", "polls", "--keep-data", "--export", tmp_path / "none")
    assert "polls " not in chatnode("plugin", "list")
    back = chatnode("plugin", "install", "chatnode-polls").splitlines()
    assert back[-1] == "polls is disabled here; run `chatnode plugin enable polls`"
    chatnode("plugin", "enable", "polls")
    assert "polls            0.1.0      running" in chatnode("plugin", "list")
    (wheel,) = wheels.glob("chatnode_hello-*.whl")
    assert "raise the version to install a change" in chatnode("plugin", "install", wheel)

    add = (
        "import sys, trio\nfrom chatnode.testing import LiveUser, open_node\n"
        "async def main():\n async with open_node(sys.argv[1]) as node:\n  ann = await LiveUser.new(node, 'bea')\n"
        "  await ann.does('polls.add', conversation=await ann.group(), text='bread')\n"
        "trio.run(main)\n"
    )
    clean.run("python", "-c", add, tmp_path / "data", cwd=tmp_path)
    dump = tmp_path / "polls.jsonl"
    said = chatnode("plugin", "uninstall", "polls", "--drop", "--export", dump).splitlines()
    assert said[0] == f"wrote 1 row to {dump}"
    assert said[-2:] == ["uninstalled chatnode-polls", "dropped polls_items, polls_totals"]
    assert [(each["table"], each["text"]) for each in items()] == [("polls_items", "bread")]
    assert "it has no data here" in run_failing(clean, tmp_path)
    chatnode("plugin", "install", "chatnode-polls")
    assert "polls            0.1.0      running" in chatnode("plugin", "list")


def run_failing(clean: Environment, tmp_path: Path) -> str:
    with pytest.raises(AssertionError) as caught:
        clean.run("chatnode", "--data", tmp_path / "data", "plugin", "uninstall", "polls", "--drop", cwd=tmp_path)
    return str(caught.value)
