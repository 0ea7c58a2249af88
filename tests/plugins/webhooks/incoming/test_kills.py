"""SIGKILL between a post and its answer: a repeat posts nothing more."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import chatnode_webhooks
import pytest

from chatnode.node import open_node
from chatnode.testing import User
from tests.plugins.webhooks.incoming.program import Program

ROOT = Path(__file__).parents[4]


@contextmanager
def served(data: Path, *, dies: bool) -> Iterator[str]:
    """The URL of a node in a process of its own, which kills itself before its first answer if it `dies`."""
    command = [sys.executable, "-m", "tests.plugins.webhooks.incoming.life", str(data), "dies" if dies else "lives"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip()
        finally:
            child.kill()


@pytest.mark.slow
async def test_a_repeat_after_a_kill_posts_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with open_node(data, only=[chatnode_webhooks]) as node:
        ann, bob = [await User.new(node, handle) for handle in ("ann", "bob")]
        group = await ann.group(bob)
        ci = await Program.of("", ann, group)
    key = {"Idempotency-Key": "deploy 7"}
    for _ in range(2):
        with served(data, dies=True) as url, pytest.raises((OSError, http.client.HTTPException)):
            await Program(url, ci.added).posts("deployed", key)
    with served(data, dies=False) as url:
        answer = await Program(url, ci.added).posts("deployed", key)
        assert (answer.status, answer.text) == (200, "ok")
    async with open_node(data, only=[chatnode_webhooks]) as node:
        assert await (await User.of(node, "bob")).reads(group) == ["deployed"]
