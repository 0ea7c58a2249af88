"""Which plugins a program's node has: what it is given, besides the installed ones or instead of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatnode.config import Config
from chatnode.errors import StartError
from chatnode.node import open_node
from tests.commands import PLUGINS
from tests.plugins.surface.making import made, states

INSTALLED = {each.name: "running" for each in PLUGINS}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, INSTALLED),
        ({"plugins": [made("mine")]}, {**INSTALLED, "mine": "running"}),
        ({"only": [made("mine")]}, {"mine": "running"}),
        ({"only": []}, {}),
        ({"only": [made("one")], "plugins": [made("two")]}, {"one": "running", "two": "running"}),
    ],
)
async def test_plugins_are_added_or_replace_the_installed_ones(tmp_path: Path, chosen: Any, expected: Any) -> None:
    async with open_node(tmp_path, Config(), **chosen) as node:
        assert states(node) == expected


async def test_one_that_is_given_runs_in_place_of_an_installed_one_of_its_name(tmp_path: Path) -> None:
    async with open_node(tmp_path, Config(), plugins=[made("reactions")]) as node:
        (found,) = [each for each in node.plugins.statuses() if each.name == "reactions"]
        assert (found.state, found.about) == ("running", "A plugin of a test.")


@pytest.mark.parametrize("where", ["plugins", "only"])
async def test_two_of_one_name_are_refused(tmp_path: Path, where: Any) -> None:
    with pytest.raises(StartError, match="two plugins have the name mine"):
        async with open_node(tmp_path, Config(), **{where: [made("mine"), made("mine")]}):
            raise AssertionError("the node should not open")
