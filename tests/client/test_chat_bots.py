"""`chatnode chat` with slash commands of the node, buttons, private answers and notifications on the desktop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from chatnode.client import Client, Pushed, connect
from chatnode.config import Plugins
from chatnode.model.actions import Action
from chatnode.model.bots import OfferedCommand, PrivateNotice
from chatnode.model.events import SlashInvoked
from chatnode.model.messages import Message
from chatnode.model.people import PersonRef
from chatnode.terminal.buttons import ShownButtons, button_line
from chatnode.terminal.lines import Lines
from chatnode.terminal.notifier import Notifier
from chatnode.terminal.offers import Offers
from chatnode.terminal.prompt import Words
from chatnode.terminal.style import Style
from chatnode.testing import configured

from .conftest import CONFIG, Served, served, until_live
from .terminal import Terminal
from .test_chat import EVIL, TAMED, Chat
from .test_chat import chat as chat

ANN, CI = PersonRef("a" * 32, "ann"), PersonRef("c" * 32, "ci")
DEPLOY = {"name": "deploy", "about": "Deploy a branch", "usage": "BRANCH"}
SCRIPT = """#!/bin/sh
for each in "$@"; do printf '%s\\0' "$each" >> "$NOTIFIED.part"; done
printf '\\n' >> "$NOTIFIED.part"
cp "$NOTIFIED.part" "$NOTIFIED"
"""


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Served]:
    """Without the plugin for notifications, the terminal itself decides what the desktop tells."""
    config = attrs.evolve(CONFIG, plugins=Plugins(disabled=("notifications",)))
    async with served(tmp_path / "data", config) as running:
        yield running


@asynccontextmanager
async def bot_of(node: Served, owner: Client, room: str) -> AsyncIterator[Client]:
    """A bot in the room, at a client of its own."""
    await node.node.call("people.create", handle="ci", bot=True)
    await owner.add_member(room, "ci")
    async with connect(node.url, await node.token("ci")) as bot:
        await bot.call("bots.commands.set", commands=[DEPLOY])
        yield bot


async def next_item(client: Client, name: str) -> Pushed:
    with trio.fail_after(30):
        async for item in client.events():
            if isinstance(item, Pushed) and item.name == name:
                return item
    raise AssertionError("the events ended")


async def next_of(client: Client, name: str) -> dict[str, Any]:
    return (await next_item(client, name)).fields


@pytest.mark.limit(240)
async def test_a_user_deploys_from_the_terminal(node: Served, chat: Chat, ann: Client) -> None:
    await node.token("bob")
    room = await ann.create_group("ops", ["bob"])
    async with bot_of(node, ann, room) as bot:
        async with chat.at_terminal(node.url, "--token", await node.token("bob"), "#ops") as screen:
            await screen.see("no messages yet")
            await screen.type("/help")  # once it is answered, it is known what the conversation offers
            await screen.see("Deploy a branch (ci)")
            await screen.press("/dep\t")
            await screen.see("loy")  # the rest of the word; what was typed may be on the screen already
            await screen.type("main")
            await screen.see("asked ci")
            heard = await next_of(bot, "slash.invoked")
            assert (heard["command"], heard["text"]) == ("deploy", "main")
            asked = {"invocation": heard["invocation"]}
            await bot.call("slash.reply", **asked, text=f"on it {EVIL}")
            await screen.see(f"ci, only to you: on it {TAMED}")

            ask = {"id": "yes", "label": "Go", "confirm": "Sure?"}
            actions = [ask, {"id": "no", "label": "Stop"}]
            await bot.call("slash.reply", **asked, text="Deploy main?", visible="all", actions=actions)
            await screen.see("ci  Deploy main?")
            await screen.see("[1 Go] [2 Stop]")
            await screen.type("/press 3")
            await screen.see("no button 3 is on the screen")
            await screen.type("/press " + "9" * 5_000)
            await screen.see("/press N, the number")
            await screen.type("/press 1")
            await screen.see("Sure? — /press 1 yes")
            await screen.type("/press 1 yes")
            await screen.see("sent to ci")
            pressed = await next_of(bot, "action.invoked")
            assert (pressed["action"], pressed["person"]["handle"]) == ("yes", "bob")
            await bot.call("messages.edit", message=pressed["message"], text="Deployed main.", actions=[])
            await screen.see("was edited:")
            await screen.see("Deployed main.")
            await screen.type("/press 2")
            await screen.see("does not have this button")

            await bot.call("bots.commands.set", commands=[DEPLOY, {"name": "abort", "about": "Stop"}])
            await screen.type("/abort")  # learnt since the conversation was opened
            await screen.see("asked ci")
            await screen.type("/nonsense")
            await screen.see("unknown command /nonsense")
        assert "\x1b]0;owned" not in screen.raw


async def test_a_bot_that_was_away_goes_on_by_its_cursor(node: Served, ann: Client) -> None:
    room = await ann.create_group("ops")
    async with bot_of(node, ann, room) as bot:
        await ann.run_slash(room, "/deploy one")
        heard = await next_item(bot, "slash.invoked")

    await ann.run_slash(room, "/deploy two")
    async with connect(node.url, await node.token("ci"), cursor=heard.cursor) as bot:
        missed = [item for item in await until_live(bot) if isinstance(item, Pushed) and item.name == "slash.invoked"]
    assert (heard.fields["text"], [each.fields["text"] for each in missed]) == ("one", ["two"])
    assert isinstance(missed[0].event, SlashInvoked)


# ---- notifications


@attrs.define
class Desktop:
    """A directory with a `notify-send` that writes down what it is called with."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}:/usr/bin:/bin", "NOTIFIED": str(self.folder / "notified")}

    async def notified(self, count: int) -> list[list[str]]:
        """The arguments of each call, once there are so many."""
        written = self.folder / "notified"
        with trio.fail_after(30):
            while not written.exists() or len(calls := written.read_text().split("\n")) <= count:  # noqa: ASYNC110
                await trio.sleep(0.02)
        return [call.split("\0")[:-1] for call in calls[:-1]]


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "notify-send"
    program.write_text(SCRIPT)
    program.chmod(0o755)
    return Desktop(folder)


@asynccontextmanager
async def notified_at(chat: Chat, node: Served, handle: str, desktop: Desktop) -> AsyncIterator[Terminal]:
    chat.more = desktop.environment
    async with chat.at_terminal(node.url, "--token", await node.token(handle), "--notify") as screen:
        await screen.see("connected")

        yield screen


async def test_the_desktop_tells_of_what_is_for_the_user(
    node: Served, chat: Chat, ann: Client, desktop: Desktop
) -> None:
    await node.token("bob")
    group = await ann.create_group("tea", ["bob"])
    async with notified_at(chat, node, "bob", desktop) as screen:
        await ann.post(group, "nothing for bob")
        await screen.see("nothing for bob")
        await ann.post(group, "@bob: $(touch /tmp/x) `id` <b>bold</b>")
        await ann.post(await ann.direct("bob"), f"--help {EVIL}")
        await screen.see("--help")
        found = await desktop.notified(2)
    assert found == [
        ["--app-name=chatnode", "--", "ann in tea", "@bob: $(touch /tmp/x) `id` &lt;b&gt;bold&lt;/b&gt;"],
        ["--app-name=chatnode", "--", "ann", f"--help {TAMED}"],
    ]


async def registered(node: Served) -> None:
    """Wait until the terminal has asked the node to notify it."""
    sql = "SELECT 1 FROM notifications_registrations WHERE transport = 'desktop'"
    with trio.fail_after(30):
        while not await node.node.core.db.read(lambda reader: reader.execute(sql).fetchall()):  # noqa: ASYNC110
            await trio.sleep(0.02)


async def test_with_the_plugin_the_desktop_tells_what_the_node_decides(
    tmp_path: Path, chat: Chat, desktop: Desktop
) -> None:
    """Not what the user has muted, though it mentions them; and what is sent by an operator."""
    at_once = dict.fromkeys(("settle_seconds", "online_delay_seconds", "idle_delay_seconds"), 0)
    unlimited = dict.fromkeys(("posts_per_minute", "changes_per_minute", "requests_per_minute"), 0)
    config = configured(limits=unlimited, plugins={"notifications": at_once})
    async with served(tmp_path / "data", config) as node, connect(node.url, await node.token("ann")) as ann:
        await node.token("bob")
        tea, work = await ann.create_group("tea", ["bob"]), await ann.create_group("work", ["bob"])
        async with connect(node.url, await node.token("bob")) as bob:
            await bob.call("conversations.settings", conversation=work, notify="none")
        async with notified_at(chat, node, "bob", desktop):
            await registered(node)
            await ann.post(work, "@bob: quiet")
            await ann.post(tea, f"@bob: <b>it</b> rains {EVIL}")
            await desktop.notified(1)
            await node.node.call("notifications.send", person="bob", title="Backup", body="It is done.")
            found = await desktop.notified(2)
    assert found == [
        ["--app-name=chatnode", "--", "ann · tea", f"@bob: &lt;b&gt;it&lt;/b&gt; rains {TAMED}"],
        ["--app-name=chatnode", "--", "Backup", "It is done."],
    ]


async def test_without_the_program_it_says_so_and_goes_on(node: Served, chat: Chat, ann: Client) -> None:
    await node.token("bob")
    chat.more = {"PATH": "/nonexistent"}
    async with chat.at_terminal(node.url, "--token", await node.token("bob"), "--notify", "ann") as screen:
        await screen.see("no notifications: notify-send is not installed")
        await ann.post(await ann.direct("bob"), "hello")
        await screen.see("ann  hello")


async def test_lines_have_no_desktop(node: Served, chat: Chat) -> None:
    done = await chat.by_lines(node.url, "--token", await node.token("bob"), "--notify", "ann")
    assert (done.returncode, b"--notify needs a terminal" in done.stderr) == (2, True)


# ---- the parts


class FakeNode:
    """Stands in for a client: answers calls as given, and keeps what was asked."""

    def __init__(self, *commands: str) -> None:
        self.commands = commands
        self.asked: list[str] = []

    async def slash_commands(self, conversation: str) -> list[OfferedCommand]:
        self.asked.append(conversation)
        return [OfferedCommand(each, "about") for each in self.commands]

    async def call(self, name: str, **fields: Any) -> dict[str, Any]:
        self.asked.append(name)
        return {}


async def test_what_a_node_offers_cannot_type_for_the_user() -> None:
    evil = ("/deploy", "/a\nquit", "/b\x1b[2J", "/deploy now", "rm -rf", "/x@y", "/p:z", "/ ", "")
    offers = Offers(FakeNode(*evil), lambda text: None)  # type: ignore[arg-type]
    await offers.load("c")
    assert [each.command for each in offers.commands] == ["/deploy", "/x@y", "/p:z"]
    offers.clear()
    assert offers.commands == ()


def test_the_terminals_own_words_are_completed_with_those_of_the_node() -> None:
    words = Words(["/delete", "/dm"], tuple, tuple, lambda: ["/deploy@ci", "/dm"])

    def completed(text: str) -> list[str]:
        return [each.text for each in words.get_completions(Document(text), CompleteEvent())]

    assert completed("/de") == ["/delete ", "/deploy@ci "]
    assert completed("/dm") == ["/dm "]


def message(*actions: Action) -> Message:
    return Message("m" * 32, "c", 1, 1, CI, "1", "Deploy?", "2026-11-21T10:17:06.042Z", actions=[*actions] or None)


def test_buttons_keep_their_numbers() -> None:
    shown, go, stop = ShownButtons(), Action("go", "Go"), Action("stop", "St\x1bop")
    assert button_line(message(go, stop), shown) == "[1 Go] [2 St␛op]"
    assert button_line(message(stop), shown) == "[2 St␛op]"
    assert button_line(message(go), None) == "[Go]"
    assert button_line(message(), shown) == ""
    assert shown.get(2) == ("m" * 32, stop)
    assert shown.get(0) is shown.get(3) is None
    assert "[1 Go]" in Lines(Style(colour=False), ANN, None, shown).message(message(go), None)


def test_a_private_answer_says_by_which_bot_and_where() -> None:
    lines = Lines(Style(colour=False), ANN)
    notice = PrivateNotice("n", "c", "one\ntwo\x1b", "2026-11-21T10:17:06.042Z", CI)
    assert lines.private(notice, None) == "  ci, only to you: one\n      two␛"
    of_plugin = attrs.evolve(notice, bot=None, plugin="dice", text="4")
    assert lines.private(of_plugin, "#tea") == "  /dice in #tea, only to you: 4"


async def test_with_the_plugin_the_node_decides() -> None:
    notifier = Notifier(FakeNode(), lambda text: None)  # type: ignore[arg-type]
    notifier.notify_of_event({"title": "early"})  # before the device is registered
    notifier.notify_of_message("ann", "hello")
    notifier.by_node = True
    notifier.notify_of_event({"title": "ann\nin tea", "body": "x" * 1_000})
    notifier.notify_of_event({"notification": "1", "badge": 3})
    titles = [title for title, _ in notifier._waiting]
    assert titles == ["ann in tea", "New messages"]
    assert len(notifier._waiting[0][1]) == 500
