"""Dialogues between users of the plugin."""

from __future__ import annotations

import pytest
from chatnode.testing import LiveUser, MakePerson, Node, catch_up, check_plugin, configured, fetch, refused

import chatnode_plugname


async def test_who_takes_part_hears_what_is_added(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    talk = await ann.direct(bob)
    added = (await ann.does("plugname.add", conversation=talk, text="bread"))["item"]
    assert (added["by"]["handle"], added["text"]) == ("ann", "bread")
    await bob.hears("plugname.added", conversation=talk, item=added)
    assert await bob.does("plugname.list", conversation=talk) == {"items": [added]}
    assert eve.heard("plugname.added") == []


async def test_who_does_not_take_part_learns_nothing(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    talk = await ann.direct(bob)
    for name, fields in (("plugname.add", {"text": "bread"}), ("plugname.list", {})):
        with refused("not_found", "conversation"):
            await eve.does(name, conversation=talk, **fields)


@pytest.mark.parametrize("config", [configured(plugins={"plugname": {"most": 1}})])
async def test_one_person_adds_only_so_many(ann: LiveUser, bob: LiveUser) -> None:
    talk = await ann.direct(bob)
    await ann.does("plugname.add", conversation=talk, text="bread")
    with refused("too_large"):
        await ann.does("plugname.add", conversation=talk, text="butter")
    await bob.does("plugname.add", conversation=talk, text="butter")


async def test_the_page_shows_what_the_consumer_counted(
    node: Node, url: str, person: MakePerson, ann: LiveUser, bob: LiveUser
) -> None:
    talk = await ann.direct(bob)
    for text in ("bread", "butter"):
        await ann.does("plugname.add", conversation=talk, text=text)
    await catch_up(node)
    root = await person("root", admin=True)
    page = await fetch(f"{url}/plugins/plugname/totals", await root.token())
    assert "<td>ann</td><td>2</td>" in page.text
    assert (await fetch(f"{url}/plugins/plugname/totals", await bob.token())).status == 403


async def test_what_somebody_added_goes_with_them(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    talk = await ann.direct(bob)
    await ann.does("plugname.add", conversation=talk, text="bread")
    await node.call("people.erase", person="ann", handle="ann")
    assert await bob.does("plugname.list", conversation=talk) == {"items": []}


def test_the_declaration_is_sound() -> None:
    check_plugin(chatnode_plugname)
