"""The test kit for plugins: a node in the test's own trio run, users who chat, and a review of the declaration.

It is a pytest plugin; load it in `tests/conftest.py`:

    pytest_plugins = ["chatnode.testing"]

Tests need pytest and pytest-trio (`pip install chatnode[testing]`), and `trio_mode = true` in pytest's settings. Tests
are dialogues:

    async def test_bob_hears_what_ann_says(ann: LiveUser, bob: LiveUser) -> None:
        talk = await ann.direct(bob)
        await ann.does("messages.post", conversation=talk, cid="1", text="hello")
        assert (await bob.hears("message.posted"))["message"]["text"] == "hello"

See `docs/plugins/tutorial.md`. PYTEST_DONT_REWRITE: it may be imported before pytest loads it.
"""

from __future__ import annotations

from chatnode.client import connect
from chatnode.node import Node, open_node
from chatnode.testing.checking import check_plugin
from chatnode.testing.fixtures import (
    ann,
    bob,
    client,
    config,
    eve,
    inline_node,
    node,
    only_plugins,
    person,
    plugins,
    url,
)
from chatnode.testing.people import LiveSession, LiveUser, MakePerson, User, configured, refused
from chatnode.testing.reaching import Answer, catch_up, fetch, run_work

__all__ = [
    "Answer",
    "LiveSession",
    "LiveUser",
    "MakePerson",
    "Node",
    "User",
    "ann",
    "bob",
    "catch_up",
    "check_plugin",
    "client",
    "config",
    "configured",
    "connect",
    "eve",
    "fetch",
    "inline_node",
    "node",
    "only_plugins",
    "open_node",
    "person",
    "plugins",
    "refused",
    "run_work",
    "url",
]
