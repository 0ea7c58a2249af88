"""Dialogues between users of the plugin."""

from __future__ import annotations

import pytest
from chatnode.testing import LiveUser, MakePerson, Node, catch_up, check_plugin, configured, fetch, refused

import chatnode_plugname


async def test_members_receive_added_items(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    talk = await ann.direct(bob)
    added = (await ann.does("plugname.add", conversation=talk, text="bread"))["item"]
    assert (added["by"]["handle"], added["text"]) == ("ann", "bread")
    await bob.hears("plugname.added", conversation=talk, item=added)
    assert await bob.does("plugname.list", conversation=talk) == {"items": [added]}
    assert eve.heard("plugname.added") == []


async def test_outsiders_are_refused(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    talk = await ann.direct(bob)
    for name, fields in (("plugname.add", {"text": "bread"}), ("plugname.list", {})):
        with refused("not_found", "conversation"):
            await eve.does(name, conversation=talk, **fields)


@pytest.mark.parametrize("config", [configured(plugins={"plugname": {"max_items": 1}})])
async def test_limit_per_user(ann: LiveUser, bob: LiveUser) -> None:
    talk = await ann.direct(bob)
    await ann.does("plugname.add", conversation=talk, text="bread")
    with refused("too_large"):
        await ann.does("plugname.add", conversation=talk, text="butter")
    await bob.does("plugname.add", conversation=talk, text="butter")


async def test_page_shows_counted_items(node: Node, url: str, person: MakePerson, ann: LiveUser, bob: LiveUser) -> None:
    talk = await ann.direct(bob)
    for text in ("bread", "butter"):
        await ann.does("plugname.add", conversation=talk, text=text)
    await catch_up(node)
    root = await person("root", admin=True)
    page = await fetch(f"{url}/plugins/plugname/totals", await root.token())
    assert "<td>ann</td><td>2</td>" in page.text
    assert (await fetch(f"{url}/plugins/plugname/totals", await bob.token())).status == 403


async def test_erasing_a_user_removes_their_items(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    talk = await ann.direct(bob)
    await ann.does("plugname.add", conversation=talk, text="bread")
    await node.call("people.erase", person="ann", handle="ann")
    assert await bob.does("plugname.list", conversation=talk) == {"items": []}


def test_plugin_declaration() -> None:
    check_plugin(chatnode_plugname)
