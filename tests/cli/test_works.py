"""`chatnode work`: looking at durable work and steering it, on a running node or without one."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import trio

from chatnode.node import open_node
from chatnode.testing import User
from tests.works import stored_work

from .command import Serving, chatnode


@pytest.fixture
def works(tmp_path: Path) -> tuple[Path, str, str]:
    """A data directory with a work of ann's and one of nobody, which wait."""

    async def main() -> tuple[Path, str, str]:
        async with open_node(tmp_path / "data", only=()) as node:
            ann = await User.new(node, "ann")
            return tmp_path / "data", await stored_work(node, ann, "Import"), await stored_work(node)

    return trio.run(main)


def test_works_are_listed_and_steered_without_a_node(works: tuple[Path, str, str]) -> None:
    data, anns, other = works
    first, second = chatnode(data, "work", "list").out.splitlines()
    assert first.split() == [other, "waiting", "counting.count", "Count"]
    assert second.split() == [anns, "waiting", "counting.count", "Import", "@ann"]
    assert chatnode(data, "work", "pause", anns).out == "Import is paused\n"
    assert chatnode(data, "work", "list", "--status", "paused").out.split()[0] == anns
    assert chatnode(data, "work", "resume", anns).out == "Import is waiting\n"
    assert chatnode(data, "work", "cancel", anns).out == "Import is cancelled\n"
    done = chatnode(data, "work", "cancel", "0" * 32)
    assert (done.status, done.err) == (1, "chatnode: no such work item (work) [not_found]\n")


def test_a_work_is_shown_and_its_end_is_the_status(works: tuple[Path, str, str]) -> None:
    data, anns, _ = works
    shown = chatnode(data, "work", "show", anns)
    found = orjson.loads(shown.out)
    assert (shown.status, found["work"], found["status"]) == (0, anns, "waiting")
    chatnode(data, "work", "cancel", anns)
    assert chatnode(data, "work", "show", anns).status == 1
    watched = chatnode(data, "work", "show", anns, "--watch")
    assert watched.status == 1
    assert "no node is running there" in watched.err


def test_a_work_is_watched_until_it_waits_no_more(works: tuple[Path, str, str]) -> None:
    data, anns, _ = works
    node = Serving(data)
    try:
        chatnode(data, "work", "pause", anns)
        watched = chatnode(data, "work", "show", anns, "--watch")
        assert (watched.status, orjson.loads(watched.out)["status"]) == (0, "paused")
        assert node.stop().status == 0
    finally:
        node.kill()
