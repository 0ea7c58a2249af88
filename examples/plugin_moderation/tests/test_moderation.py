"""People who write what they should not, and moderators."""

from __future__ import annotations

from typing import Any

import chatnode_moderation
import pytest
from chatnode_moderation.rules import Rule, fitting

from chatnode.testing import LiveUser, MakePerson, Node, check_plugin, configured, refused

RULES = [
    {"name": "rude", "words": ["fool"], "reason": "please be kind"},
    {"name": "shops", "links": ["shop.example"], "action": "hold"},
]


@pytest.fixture
def config() -> Any:
    """Settings with rules."""
    return configured(plugins={"moderation": {"rules": RULES}})


@pytest.fixture
async def ann(person: MakePerson) -> LiveUser:
    """She has the role that the plugin brings."""
    return await person("ann", role="moderation-reviewer")


async def said(who: LiveUser, talk: str) -> list[str]:
    """The texts of a conversation."""
    return [each["text"] for each in (await who.does("messages.list", conversation=talk))["messages"]]


async def held(who: LiveUser) -> list[dict[str, Any]]:
    """What waits for a moderator."""
    return (await who.does("moderation.list"))["held"]


async def test_a_word_is_refused_in_messages_and_edits(bob: LiveUser, eve: LiveUser) -> None:
    talk = await bob.direct(eve)
    hello = await bob.says(talk, "hello")
    with refused("forbidden", "text") as caught:
        await bob.says(talk, "You FÓOL!")
    assert caught.value.message == "please be kind"
    with refused("forbidden", "text"):
        await bob.does("messages.edit", message=hello, text="fool")
    await bob.says(talk, "foolish is another word")
    assert await said(eve, talk) == ["hello", "foolish is another word"]


async def test_a_link_is_held_until_a_moderator_releases_it(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    talk = await bob.direct(eve)
    link = {"conversation": talk, "cid": "one", "text": "see https://www.shop.example/x", "metadata": {"from": "phone"}}
    for _ in range(2):  # sent again, it is held once
        with refused("forbidden", "text"):
            await bob.does("messages.post", **link)
    told = await ann.hears("moderation.held", conversation=talk, rule="shops")
    assert len(ann.heard("moderation.held")) == 1
    assert eve.heard("moderation.held") == bob.heard("moderation.held") == []
    [waiting] = await held(ann)
    assert (waiting["held"], waiting["text"]) == (told["held"], link["text"])
    assert await said(eve, talk) == []
    await ann.does("moderation.release", held=told["held"])
    posted = (await eve.hears("message.posted"))["message"]
    assert (posted["sender"]["handle"], posted["text"], posted["metadata"]) == ("bob", link["text"], link["metadata"])
    again = await bob.does("messages.post", **link)
    assert (again["message"], again["dup"]) == (posted["message"], True)
    assert await held(ann) == []


async def test_an_edit_is_held_too(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    talk = await bob.direct(eve)
    message = await bob.says(talk, "see here")
    with refused("forbidden", "text"):
        await bob.does("messages.edit", message=message, text="see https://shop.example")
    [waiting] = await held(ann)
    assert waiting["edits"] == message
    assert await said(eve, talk) == ["see here"]
    await ann.does("moderation.release", held=waiting["held"])
    assert await said(eve, talk) == ["see https://shop.example"]


async def test_what_is_discarded_is_gone_and_only_moderators_decide(
    ann: LiveUser, bob: LiveUser, eve: LiveUser
) -> None:
    talk = await bob.direct(eve)
    with refused("forbidden", "text"):
        await bob.says(talk, "https://shop.example")
    [waiting] = await held(ann)
    for name in ("moderation.release", "moderation.discard"):
        with refused("forbidden"):
            await bob.does(name, held=waiting["held"])
    await ann.does("moderation.discard", held=waiting["held"])
    with refused("not_found", "held"):
        await ann.does("moderation.release", held=waiting["held"])
    assert await said(eve, talk) == await held(ann) == []


async def test_what_is_imported_is_not_filtered(node: Node, eve: LiveUser) -> None:
    room = (await node.call("import.conversation", source="irc", key="#old", title="Old"))["conversation"]
    item = {"cid": "1", "author": "bob", "at": 1, "text": "you fool"}
    assert (await node.call("import.messages", conversation=room, source="irc", items=[item]))["imported"] == 1
    await eve.does("conversations.join", conversation=room)
    assert await said(eve, room) == ["you fool"]


def test_a_rule_may_be_of_some_conversations_or_of_any_link() -> None:
    here, anywhere = Rule("here", links=("*",), conversations=("c1",)), Rule("anywhere", words=("spam",))
    assert fitting((here, anywhere), "c1", "http://any.example and spam") == here
    assert fitting((here, anywhere), "c2", "http://any.example and spam") == anywhere
    assert fitting((here, anywhere), "c2", "http://any.example") is None
    assert fitting((Rule("x", links=("shop.example",)),), "c", "https://myshop.example") is None


def test_plugin_declaration() -> None:
    check_plugin(chatnode_moderation)


@pytest.mark.parametrize(
    "link",
    ["https://me@shop.example", "http://me:secret@shop.example/", "https://shop.example./", "HTTPS://SHOP.example:80"],
)
def test_a_link_may_be_written_in_many_ways(link: str) -> None:
    rule = Rule("shops", links=("shop.example",))
    assert fitting((rule,), "c", f"see {link}") is rule
    assert fitting((rule,), "c", "see https://chat.example/@shop.example") is None
