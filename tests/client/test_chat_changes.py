"""`chatnode chat` at a terminal: names that are not guessed, whole commands, and what changes on the screen."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from chatnode.client import Client, connect
from chatnode.config import Plugins

from .conftest import CONFIG, Served, served
from .test_chat import Chat, at_prompt


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    return Chat(tmp_path / "state")


async def test_what_is_typed_for_a_user_never_goes_to_a_group(node: Served, ann: Client, chat: Chat) -> None:
    token = await node.token("eve")
    async with connect(node.url, await node.token("bob")) as bob:
        trap = await bob.create_group("cleo", ["eve", "ann"])
    refusal = "no such user: cleo; the group of that title is written '#cleo'"
    done = await chat.by_lines(node.url, "--token", token, "cleo", stdin=b"secret\n")
    assert (done.returncode, refusal in done.stderr.decode()) == (1, True)
    async with at_prompt(chat, node, "eve", "cleo") as eve:
        await eve.see(refusal)
        await eve.type("/open #cleo")
        await eve.see("private group, 3 members")
        await eve.press("/open cleo\rsecret\rtoo secret\r/open #cleo\rpublic\r")
        for line in ("secret", "too secret"):
            await eve.see("not sent: open a conversation first")
            await eve.see(f"· {line}")
        await eve.see("eve  public ✓")
        cleo = await node.token("cleo")
        await eve.type("/open cleo")
        await eve.see("direct conversation")
        await eve.type("for cleo")
        await eve.see("for cleo ✓")
    done = await chat.by_lines(node.url, "--token", token, "cleo", stdin=b"by a pipe\n")
    assert done.returncode == 0
    assert [message.text for message in await ann.history(trap)] == ["public"]
    async with connect(node.url, cleo) as client:
        said = await client.history(await client.direct("eve"))
        assert [message.text for message in said] == ["for cleo", "by a pipe"]


async def test_a_number_after_the_command_is_a_handle(node: Served, chat: Chat, ann: Client) -> None:
    await ann.create_group("first of the list")
    await node.token("1")
    async with at_prompt(chat, node, "ann", "1") as screen:
        await screen.see("━━ 1  direct conversation")


async def test_public_groups_alike_are_not_chosen_between(node: Served, chat: Chat, ann: Client) -> None:
    for _ in range(2):
        await ann.create_group("Harbour", visibility="public")
    async with at_prompt(chat, node, "bob") as bob:
        await bob.type("/join harb")
        await bob.see("no such public group")
        await bob.type("/join harbour")
        await bob.see("2 public groups have this title")


async def test_only_whole_words_are_commands(node: Served, chat: Chat, ann: Client) -> None:
    group = await ann.create_group("tea")
    async with at_prompt(chat, node, "ann", "#tea") as screen:
        await screen.see("no messages yet")
        for line in ("/me waves", "/q", "/who-read?", "/ quit", "/usr/bin/python"):
            await screen.type(line)
            word = line[1:].partition(" ")[0]
            await screen.see(f"unknown command /{word}; see /help; //{word} sends it as text")
        await screen.type("//me waves")
        await screen.see("ann  /me waves ✓")
    assert [message.text for message in await ann.history(group)] == ["/me waves"]


async def test_messages_are_changed_and_others_see_it(node: Served, chat: Chat) -> None:
    for handle in ("ann", "bob"):
        await node.token(handle)
    async with at_prompt(chat, node, "ann", "bob") as ann, at_prompt(chat, node, "bob", "ann") as bob:
        await ann.see("no messages yet")
        await ann.type("roses ar red")
        await bob.see("ann  roses ar red")
        await ann.see("roses ar red ✓")
        await ann.type("/edit roses are red")
        for screen, whose in ((ann, "your message"), (bob, "the message of ann")):
            await screen.see(f"· {whose} at")
            await screen.see("was edited:")
            await screen.see("roses are red (edited)")
        await bob.type("/react 🌹")
        for screen in (ann, bob):
            await screen.see("bob reacted 🌹 to “roses are red”")
        await bob.type("/unreact")
        await ann.see("bob removed their reactions from “roses are red”")
        await ann.type("/delete")
        await bob.see("the message of ann at")
        await bob.see("was deleted")
        await ann.see("your message at")
        await ann.see("was deleted")
        await ann.type("/delete")
        await ann.see("no message of yours is on the screen")
        await bob.type("/react 🌹")
        await bob.see("no message by anyone else is on the screen")
        await bob.type("/inbox")
        await bob.see("ann: (deleted)")


async def test_what_was_erased_or_removed_is_said(node: Served, chat: Chat, ann: Client) -> None:
    token = await node.token("bob")
    async with connect(node.url, token) as bob:
        await bob.post(await bob.direct("ann"), "hello")
    async with at_prompt(chat, node, "ann", "bob") as screen:
        await screen.see("bob  hello")
        await node.node.call("people.erase", person="bob", handle="bob")
        await screen.see("this account and its messages were erased")


async def test_search_status_mute_and_block(node: Served, chat: Chat, ann: Client) -> None:
    await node.token("bob")
    group = await ann.create_group("Garden", ["bob"])
    await ann.post(group, "the roses grow")
    async with at_prompt(chat, node, "bob") as bob:
        await bob.type("/search roses")
        await bob.see("ann in #Garden: the roses grow")
        await bob.type("/search tulips")
        await bob.see("nothing found")
        await bob.type("/mute")
        await bob.see("open a conversation first")
        await bob.type("/open garden")
        await bob.see("no such user: garden; the group of that title is written '#garden'")
        await bob.type("/open #garden")
        await bob.see("━━ Garden")
        await bob.type("/mute 8")
        await bob.see("muted until 20")
        await bob.type("/mute soon")
        await bob.see("/mute [HOURS]: a number of hours")
        await bob.type("/dm ann")
        await bob.see("direct conversation")
        await ann.post(group, "not heard")
        await ann.post(await ann.direct("bob"), "heard")
        await bob.see("ann  heard")
        assert "not heard" not in bob.shown
        await bob.type("/inbox")
        await bob.see("(muted) ann: not heard")
        await bob.type("/open #garden")
        await bob.see("ann  not heard")
        await bob.type("/unmute")
        await bob.see("no longer muted")
        await bob.type("/dm ann")
        await bob.see("direct conversation")
        await ann.post(group, "heard again")
        await bob.see("ann in Garden: heard again")
        await bob.type("/status on holiday")
        await bob.see("status set: on holiday")
        assert (await ann.presence(["bob"]))[0].text == "on holiday"
        await bob.type("/status")
        await bob.see("status cleared")
        assert (await ann.presence(["bob"]))[0].text is None
        await bob.type("/block ann")
        await bob.see("you blocked ann")
        await bob.type("/block")
        await bob.see("you block ann")
        await bob.type("/unblock @ann")
        await bob.see("you no longer block ann")


async def test_a_node_without_the_plugin_says_that_it_has_no_reactions(tmp_path: Path, chat: Chat) -> None:
    config = attrs.evolve(CONFIG, plugins=Plugins(disabled=("reactions",)))
    async with served(tmp_path / "other", config) as node:
        await node.token("ann")
        async with connect(node.url, await node.token("bob")) as bob:
            await bob.post(await bob.direct("ann"), "hello")
        async with at_prompt(chat, node, "ann", "bob") as ann:
            await ann.see("bob  hello")
            await ann.type("/react 👍")
            await ann.see("this node has no reactions")
