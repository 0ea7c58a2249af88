"""People who greet each other."""

from __future__ import annotations

import chatnode_hello
import pytest

from chatnode.testing import LiveUser, check_plugin, configured, refused


async def test_people_are_greeted(ann: LiveUser, bob: LiveUser) -> None:
    assert (await ann.does("hello.greet", person="bob"))["text"] == "hello, bob!"
    with refused("not_found"):
        await ann.does("hello.greet", person="nobody")


@pytest.mark.parametrize("config", [configured(plugins={"hello": {"word": "Good morning"}})])
async def test_messages_that_greet_are_marked(ann: LiveUser, bob: LiveUser) -> None:
    talk = await ann.direct(bob)
    for text in ("good morning, all", "good night"):
        await ann.says(talk, text)
    assert (await bob.hears("message.posted"))["message"]["metadata"] == {"hello.greets": "yes"}
    assert "metadata" not in (await bob.hears("message.posted"))["message"]


def test_plugin_declaration() -> None:
    check_plugin(chatnode_hello)
