"""The kit for those who write plugins, used as they use it."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from chatnode.api import Event, EventKind, Metric, Permission, Step, Table, Task, command, setting
from chatnode.config import Config
from chatnode.dispatch.caller import Caller
from chatnode.errors import StartError
from chatnode.model.commands.shared import Nothing
from chatnode.testing import LiveUser, MakePerson, Node, check_plugin, configured, connect, refused
from tests.commands import PLUGINS

from .waves import STEP, TABLE, Wave, Waved, make_waved, wave, waves


@pytest.fixture
def plugins() -> list[Any]:
    return [waves()]


# ---- dialogues


async def test_who_is_waved_to_hears_it(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    await ann.does("waves.wave", person="bob")
    heard = await bob.hears("waves.waved")
    assert heard["by"]["handle"] == "ann"
    assert eve.heard("waves.waved") == []


async def test_each_event_is_heard_once_and_in_its_order(ann: LiveUser, bob: LiveUser) -> None:
    talk = await ann.direct(bob)
    first, second = await ann.says(talk, "one"), await ann.says(talk, "two")
    assert (await bob.hears("message.posted", conversation=talk))["message"]["message"] == first
    assert (await bob.hears("message.posted"))["message"]["message"] == second
    assert [message["text"] for message in await bob.sees(talk)] == ["one", "two"]


async def test_what_is_heard_later_is_waited_for(ann: LiveUser, bob: LiveUser, nursery: trio.Nursery) -> None:
    nursery.start_soon(ann.direct, bob)
    assert (await bob.hears("member.joined"))["person"]["handle"] == "bob"


async def test_who_hears_something_else_is_told_what(
    ann: LiveUser, bob: LiveUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnode.testing.people.PATIENCE", 0)
    await ann.does("waves.wave", person="bob")
    with pytest.raises(AssertionError, match=r"bob does not hear waves\.lost, but .*waves\.waved"):
        await bob.hears("waves.lost")
    with pytest.raises(AssertionError, match=r"bob hears waves.waved with .*'extra': None.*, not with .*'much'"):
        await bob.hears("waves.waved", extra="much")


async def test_a_refusal_is_expected_by_its_code_and_place(ann: LiveUser) -> None:
    with refused("not_found"):
        await ann.does("waves.wave", person="nobody")
    with refused("invalid", "person") as caught:
        await ann.does("waves.wave", person=1)
    assert "string" in caught.value.message
    with pytest.raises(AssertionError, match=r"refused with .*not_found.*, not with .*forbidden"), refused("forbidden"):
        await ann.does("waves.wave", person="nobody")


async def test_users_say_and_see_in_one_word_each(ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    room = await ann.group(bob, title="plans")
    posted = await ann.posts(room, "hello")
    assert (posted["seq"], await bob.says(room, "hi") != posted["message"]) == (1, True)
    assert await bob.reads(room) == ["hello", "hi"]
    assert (await ann.entry(room))["unread"] == 1
    assert await bob.members(room) == {"ann": "owner", "bob": "member"}
    with pytest.raises(LookupError, match="eve does not have"):
        await eve.entry(room)


async def test_a_user_has_the_role_of_the_moment(ann: LiveUser, node: Node) -> None:
    with refused("forbidden"):
        await ann.does("node.statistics")
    await node.call("people.role", person="ann", role="admin")
    assert (await ann.does("node.statistics"))["people"] == 1
    again = await LiveUser.of(node, "ann")
    await ann.says(await ann.direct(ann), "to myself")
    assert (await again.hears("message.posted"))["message"]["text"] == "to myself"


async def test_people_are_made_as_needed(person: MakePerson, client: LiveUser, node: Node) -> None:
    root = await person("root", admin=True)
    assert (await root.does("people.get", person=client.id))["person"]["handle"] == "somebody"
    group = await root.group(client, title="all of us")
    assert (await client.does("conversations.get", conversation=group))["conversation"]["title"] == "all of us"
    assert {each.name for each in node.plugins.statuses()} == {*(each.name for each in PLUGINS), "waves"}


async def test_it_goes_over_a_real_connection_too(ann: LiveUser, bob: LiveUser, url: str) -> None:
    async with connect(url, await ann.token(), events=False) as connected:
        await connected.call("waves.wave", person="bob")
    await bob.hears("waves.waved")


async def test_the_clock_of_an_inline_node_is_mocked(inline_node: Node, autojump_clock: MockClock) -> None:
    ann = await LiveUser.new(inline_node, "ann")
    bob = await LiveUser.new(inline_node, "bob")
    began = trio.current_time()
    await trio.sleep(86_400)
    await ann.does("waves.wave", person="bob")
    await bob.hears("waves.waved")
    assert 86_400 <= trio.current_time() - began < 86_401


@pytest.mark.parametrize("config", [configured(plugins={"waves": {"most": 7}}, limits={"page_items": 9})])
async def test_settings_are_given_as_the_file_has_them(node: Node, config: Config) -> None:
    assert node.plugins.loaded["waves"].settings.most == 7
    assert node.core.config.limits.page_items == 9
    with pytest.raises(StartError, match=r"limits\.page_items is 'many'"):
        configured(limits={"page_items": "many"})


# ---- the review of a declaration


def test_a_sound_plugin_passes() -> None:
    check_plugin(waves())


@command("waves.wave", permission="chat")
async def _silent(ctx: Caller, asked: Wave) -> Nothing:
    return Nothing()


@attrs.define
class _Silent(Event):
    name = "waves.waved"


@attrs.frozen
class _Bare:
    most: int = setting(3, "")


_NO_INDEX = Step(STEP.name, STEP.sql.partition(";")[0] + ";")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"about": " "}, "it has no description: set Plugin.about"),
        ({"commands": [_silent]}, "the command waves.wave has no description"),
        ({"events": [EventKind(_Silent, make_waved)]}, "give _Silent a docstring"),
        ({"settings": _Bare}, "the setting most has no help"),
        ({"permissions": [Permission("waves.wave", "")]}, "the permission waves.wave has no description"),
        ({"metrics": [Metric("waves", "")]}, "the metric waves has no description"),
        (
            {"events": [EventKind(Waved, lambda row: None)]},  # type: ignore[arg-type]
            "`make` of the event waves.waved must take (reader, row); it takes (row)",
        ),
        (
            {"tasks": [Task("tidy", _silent.handler, every=60.0)]},  # type: ignore[arg-type]
            "the task tidy must take (ctx); it takes (ctx: ",
        ),
        ({"steps": [_NO_INDEX]}, "waves_waves.person has no index"),
        ({"steps": [_NO_INDEX]}, "the export of waves_waves reads every row"),
        (
            {"tables": [attrs.evolve(TABLE, message="message")]},
            "the table waves_waves is declared with the column message, which does not exist",
        ),
        ({"tables": []}, "it is not running: waves_waves.person refers to people, which no Table declares"),
        ({"tables": [attrs.evolve(TABLE, export="SELECT 1")]}, "does not take :person, :after, :limit"),
        (
            {"tables": [attrs.evolve(TABLE, export="SELECT at, :after, :limit, :person FROM waves_wave")]},
            "the export of the table waves_waves cannot be read: no such table: waves_wave",
        ),
        ({"permissions": []}, "it is not running: the command waves.wave needs the permission waves.wave"),
        ({"api": "9.0"}, "it needs version 9.0 of chatnode.api"),
        ({"commands": [wave, wave]}, "the command waves.wave is declared twice"),
    ],
)
def test_a_faulty_one_is_told_what_is_wrong(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(AssertionError, match="the plugin waves has problems:") as caught:
        check_plugin(waves(**changes))
    assert fault in str(caught.value)


def test_a_table_is_found_by_whatever_name_a_query_gives_it() -> None:
    for alias in ("w", "AS w"):
        export = f"SELECT w.key, w.at FROM waves_waves {alias} WHERE w.person = :person AND w.key > :after LIMIT :limit"
        tables = [Table("waves_waves", people=("person",), export=export)]
        check_plugin(waves(tables=tables))
        with pytest.raises(AssertionError, match="reads every row"):
            check_plugin(waves(tables=tables, steps=[_NO_INDEX]))
