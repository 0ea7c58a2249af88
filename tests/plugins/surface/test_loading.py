"""What is loaded, and what is refused with which words. Whatever is wrong with one plugin, the others run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.api import (
    API_VERSION,
    CHAT,
    Collection,
    Consumer,
    Context,
    Event,
    EventKind,
    Field,
    Limit,
    Nothing,
    Page,
    Permission,
    Route,
    Step,
    Table,
    Task,
    command,
    hookimpl,
    hookspec,
    kinds,
    setting,
)
from chatnode.config import Config, Plugins
from chatnode.node import open_node
from chatnode.testing import User, check_plugin
from tests.plugins.surface.making import declare, made, node_with, states


@attrs.frozen
class Settings:
    """The settings of a plugin of a test."""

    polite: int = setting(1, "Says please; 0 does not.", minimum=0)
    per_minute: int = setting(5, "Greetings of one person.", minimum=0)
    style: str = setting("plain", "How it looks.", choices=("plain", "fancy"))


def a_command(name: str, **terms: Any) -> Any:
    @command(name, **{"permission": CHAT, **terms})
    async def handler(ctx: Context, asked: Nothing) -> Nothing:
        """Does nothing."""
        return Nothing()

    return handler


class Waved(Event):
    name = "wave.seen"


def an_event(name: str) -> EventKind:
    return EventKind(type("Made", (Event,), {"name": name}), lambda reader, row: None)


async def nothing(*arguments: Any) -> Any:
    """Of a route, a page, a consumer."""


def a_collection(**changed: Any) -> Collection:
    given = {
        "name": "waves", "about": "Waves.", "source": "people item", "visible": "item.key = :me",
        "fields": (Field("handle", kinds.String(), "item.handle"),), "key": ("handle",), "order": "handle",
        "permission": CHAT,
    }  # fmt: skip
    return Collection(**given | changed)  # type: ignore[arg-type]


def settings_of(**fields: Any) -> type[Any]:
    return attrs.make_class("Settings", fields, frozen=True)


#: What is declared → what is said of it.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": "Hello World"}, "the name 'Hello World' must consist of a-z and 0-9"),
    "name of the node's tables": ({"name": "message"}, "the name message is a prefix of the node's own tables"),
    "name of the node's indexes": (
        {"name": "audit"},
        "the name audit is a prefix of the node's own tables and indexes",
    ),
    "api: no version": ({"api": "one"}, f"api is 'one'; expected a version such as {API_VERSION}"),
    "api: a later one": (
        {"api": "2.99"},
        f"version 2.99 of chatnode.api, this is {API_VERSION}; install a newer chatnode",
    ),
    "api: another major": ({"api": "0.3"}, "install a newer version of the plugin"),
    "api: a number": ({"api": 2}, "api is 2; expected a string"),
    "one command for a list": (
        {"commands": a_command("demo.wave")},
        "commands is not a list or tuple; for one Command write (Command(…),)",
    ),
    "a class for its kind": ({"events": (Waved,)}, "events has Waved; expected EventKind"),
    "event without a name": (
        {"ephemeral": (type("Nameless", (Event,), {}),)},
        "the event class Nameless has no name, such as demo.changed",
    ),
    "event that is none": ({"ephemeral": (int,)}, "<class 'int'> is not a class of events; derive it from Event"),
    "every as a text": (
        {"tasks": (Task("cook", nothing, every="1h"),)},  # type: ignore[arg-type]
        "`every` of the task cook is '1h'; expected seconds (0 means never), or a function of the settings",
    ),
    "every that never comes": (
        {"tasks": (Task("cook", nothing, every=-1),)},
        "`every` of the task cook is -1; expected seconds (0 means never), or a function of the settings",
    ),
    "command line without click": (
        {"cli": nothing},
        "expected a click command or group: decorate it with @click.command()",
    ),
    "a kind's class for the kind": (
        {"collections": (a_collection(fields=(Field("handle", kinds.String, "item.handle"),)),)},  # type: ignore[arg-type]
        "expected an instance, such as kinds.String()",
    ),
    "settings of no class": ({"settings": Settings()}, "expected a class decorated with attrs.frozen"),
    "setting without setting()": (
        {"settings": settings_of(size=attrs.field(default=5))},
        "the setting size is not declared with setting(default, help)",
    ),
    "default of no kind": (
        {"settings": settings_of(sizes=setting([], "Sizes."))},
        "the setting sizes has the default []; expected a string, a number, true or false, a tuple, a dict,",
    ),
    "default out of bounds": (
        {"settings": settings_of(size=setting(0, "A size.", minimum=1))},
        "the setting size has the default 0; the minimum is 1",
    ),
    "default of no choice": (
        {"settings": settings_of(size=setting("M", "A size.", choices=("S", "L")))},
        "the setting size has the default 'M', which is not one of S, L",
    ),
    "default of a table out of bounds": (
        {"settings": settings_of(box=setting(settings_of(size=setting(9, "A size.", maximum=5))(), "A box."))},
        "the setting box.size has the default 9; the maximum is 5",
    ),
    "kinds as one text": (
        {"consumers": (Consumer("reads", nothing, kinds="message.posted"),)},  # type: ignore[arg-type]
        "`kinds` of the consumer reads is a string; expected names, such as ('message.posted',)",
    ),
    "roles as one text": (
        {"permissions": (Permission("demo.use", "use it", roles="member"),)},  # type: ignore[arg-type]
        "`roles` of the permission demo.use is a string; expected names, such as ('member',)",
    ),
    "people as one text": (
        {"tables": (Table("demo_t", people="person"),)},  # type: ignore[arg-type]
        "`people` of the table demo_t is a string; expected names, such as ('person',)",
    ),
    "own event that is misspelt": (
        {"events": (an_event("demo.waved"),), "consumers": (Consumer("reads", nothing, frozenset({"demo.wavd"})),)},
        "the consumer reads wants events demo.wavd, which the plugin does not declare",
    ),
    "command without prefix": ({"commands": (a_command("hello.wave"),)}, "does not begin with demo."),
    "command twice": (
        {"commands": (a_command("demo.wave"), a_command("demo.wave"))},
        "the command demo.wave is declared twice",
    ),
    "permission of nobody": (
        {"commands": (a_command("demo.wave", permission="demo.use"),)},
        "the command demo.wave needs the permission demo.use, which neither the node nor demo declares",
    ),
    "limit of nobody": (
        {"commands": (a_command("demo.wave", limit="waves"),)},
        "the command demo.wave has the limit waves, which neither the node nor the plugin declares",
    ),
    "limit without its setting": (
        {"settings": Settings, "limits": (Limit("waves", "waves", "waves_per_minute"),)},
        "the limit waves is read from the setting waves_per_minute, which does not exist",
    ),
    "limit that is no number": (
        {"settings": Settings, "limits": (Limit("waves", "waves", "style"),)},
        "the limit waves is read from the setting style, which is not an integer",
    ),
    "address with a name twice": (
        {"routes": (Route("<of>/<of>", nothing, CHAT),)},
        "the address '<of>/<of>' uses the same name twice",
    ),
    "methods as one text": (
        {"routes": (Route("feed", nothing, CHAT, methods="GET"),)},  # type: ignore[arg-type]
        "the route feed has methods other than DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
    ),
    "two routes for one method": (
        {"routes": (Route("<of>", nothing, CHAT), Route("<what>", nothing, CHAT, methods=("PUT", "HEAD")))},
        "the address '<what>' is declared twice",
    ),
    "route with a limit of nobody": (
        {"routes": (Route("feed", nothing, CHAT, limit="waves"),)},
        "the route feed has the limit waves, which neither the node nor the plugin declares",
    ),
    "limit of the node's": (
        {"settings": Settings, "limits": (Limit("posts", "posts", "per_minute"),)},
        "the limit posts already exists: the node or another plugin declares it; choose another name",
    ),
    "permission without prefix": ({"permissions": (Permission("use", "use it"),)}, "does not begin with demo."),
    "event of the node's": (
        {"events": (an_event("message.posted"),)},
        "the event message.posted already exists: the node or another plugin declares it; choose another name",
    ),
    "order of a collection": (
        {"collections": (a_collection(order="-nosuch"),)},
        "the collection waves has no field 'nosuch', which its key or order names",
    ),
    "key of a collection": ({"collections": (a_collection(key=("nosuch",)),)}, "has no field 'nosuch'"),
    "source of a collection": (
        {"collections": (a_collection(source="demo_waves"),)},
        "the collection waves cannot be read: no such table: demo_waves",
    ),
    "what is visible of a collection": (
        {"collections": (a_collection(visible="item.nosuch = :me"),)},
        "the collection waves cannot be read: no such column: item.nosuch",
    ),
    "condition of a consumer": (
        {"consumers": (Consumer("reads", nothing, where="log.nosuch = 1"),)},
        "`where` of the consumer reads cannot be read: no such column: log.nosuch",
    ),
    "collection of the node's": (
        {"collections": (Collection("messages", "x", "people item", "1", (), (), "", CHAT),)},
        "the collection messages already exists",
    ),
    "collection for a permission of nobody": (
        {
            "collections": (
                Collection(
                    "waves",
                    "x",
                    "people item",
                    "1",
                    (Field("handle", kinds.String(), "item.handle"),),
                    ("handle",),
                    "handle",
                    "demo.use",
                ),
            )
        },
        "the collection waves needs the permission demo.use, which neither the node nor demo declares",
    ),
    "consumer with a strange name": ({"consumers": (Consumer("so so", nothing),)}, "must be named with a-z, 0-9 and _"),
    "route": ({"routes": (Route("../secrets", nothing, None),)}, "the address '../secrets' must consist of"),
    "page and route at one address": (
        {"routes": (Route("x", nothing, None),), "pages": (Page("x", "X", nothing),)},
        "the address 'x' is declared twice",
    ),
    "table of the node's": (
        {"steps": (Step("1", "CREATE TABLE people_more (person INTEGER);"),)},
        "a step may create and change only what has a name that begins with demo_, not people_more",
    ),
    "a change of the node's tables": (
        {"steps": (Step("1", "ALTER TABLE people ADD COLUMN mood TEXT;"),)},
        "begins with demo_, not people",
    ),
    "rows of the node's tables": ({"steps": (Step("1", "DELETE FROM messages;"),)}, "begins with demo_, not messages"),
    "index without the prefix": (
        {"steps": (Step("1", "CREATE TABLE demo_x (a); CREATE INDEX x_of_a ON demo_x (a);"),)},
        "begins with demo_, not x_of_a",
    ),
    "step twice": (
        {"steps": (Step("1", "CREATE TABLE demo_x (a);"), Step("1", "CREATE TABLE demo_y (a);"))},
        "the step 1 is declared twice",
    ),
    "no SQL": ({"steps": (Step("1", "CREATE TABEL demo_x (a);"),)}, "migration demo/1 failed: near"),
    "table that refers to people, not declared": (
        {"steps": (Step("1", "CREATE TABLE demo_x (who INTEGER REFERENCES people (key));"),)},
        "demo_x.who refers to people, which no Table declares",
    ),
    "table that refers to messages, not declared": (
        {
            "steps": (Step("1", "CREATE TABLE demo_x (m INTEGER REFERENCES messages (key), who INTEGER);"),),
            "tables": (Table("demo_x", people=("who",)),),
        },
        "demo_x.m refers to messages, which no Table declares",
    ),
    "table that nobody makes": (
        {"tables": (Table("demo_x"),)},
        "the table demo_x, which does not exist: no step creates it",
    ),
    "table with another's name": ({"tables": (Table("people"),)}, "whose name does not begin with demo_"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_declaration_that_is_at_fault_is_refused_with_its_place(tmp_path: Path, what: str) -> None:
    declared, said = REFUSED[what]
    name = declared.get("name", "demo")
    values = {key: value for key, value in declared.items() if key != "name"}
    async with node_with(tmp_path, made(name, **values), made("good", commands=(a_command("good.wave"),))) as node:
        assert said in states(node)[name]
        assert states(node)["good"] == "running"
        assert await node.call("good.wave") == {}
        await User.new(node, "ann")


async def test_what_is_no_plugin_is_said_so(tmp_path: Path) -> None:
    class Raises:
        @staticmethod
        def chatnode_plugin() -> Any:
            return declare("raises")

    class GivesNothing:
        @staticmethod
        def chatnode_plugin() -> Any:
            return declare("nothing")

    async with node_with(tmp_path, Raises(), GivesNothing()) as node:
        assert states(node) == {
            "raises": "it has no function chatnode_plugin marked with hookimpl",
            "nothing": "it has no function chatnode_plugin marked with hookimpl",
        }


async def test_a_plugin_that_cannot_be_asked_for_its_declaration_is_broken_and_the_node_runs(tmp_path: Path) -> None:
    class Nothing:
        @staticmethod
        @hookimpl
        def chatnode_plugin() -> Any: ...

    class Raises:
        @staticmethod
        @hookimpl
        def chatnode_plugin() -> Any:
            raise ImportError("no such thing")

    async with node_with(tmp_path, Nothing(), Raises()) as node:
        assert states(node) == {
            "Nothing": "its chatnode_plugin returns NoneType instead of a Plugin",
            "Raises": "ImportError: no such thing",
        }
        await User.new(node, "ann")
    with pytest.raises(AssertionError, match="its chatnode_plugin returns NoneType instead of a Plugin"):
        check_plugin(Nothing())


def test_a_handler_without_annotations_says_which_it_needs() -> None:
    async def wave(ctx, asked):  # type: ignore[no-untyped-def]
        """Wave."""

    with pytest.raises(TypeError, match=r"wave must be annotated: \(ctx: Context, asked: Request\) -> Reply"):
        command("demo.wave", permission=None)(wave)


def test_a_role_that_nobody_has_is_told_to_the_author() -> None:
    plugin = made("demo", permissions=(Permission("demo.use", "use it", roles=("membr",)),))
    with pytest.raises(AssertionError, match=r"the permission demo\.use is for the role membr; roles are admin, "):
        check_plugin(plugin)


# ---- hooks


async def test_a_misspelt_hook_is_not_left_uncalled(tmp_path: Path) -> None:
    async def check_comand(ctx: Any) -> None: ...

    async with node_with(tmp_path, made("demo", check_comand)) as node:
        assert states(node) == {"demo": "there is no hook check_comand; did you mean check_command?"}


async def test_a_hook_of_a_plugin_that_is_not_there_may_be_optional(tmp_path: Path) -> None:
    @hookimpl(optionalhook=True)
    async def paint(ctx: Any) -> str:
        return "red"

    class Painting:
        @hookspec
        async def paint(self, ctx: Any) -> str:  # pyright: ignore[reportReturnType]
            """What to paint with."""

    def add_hookspecs(add: Callable[[object], None]) -> None:
        add(Painting)

    async with node_with(tmp_path / "1", made("demo", paint)) as node:
        assert states(node) == {"demo": "running"}
    async with node_with(tmp_path / "2", made("demo", paint), made("painter", add_hookspecs)) as node:
        assert await node.plugins.loaded["painter"].context.ask("paint") == ["red"]


async def test_a_hook_of_the_other_colour_is_refused(tmp_path: Path) -> None:
    def check_command(ctx: Any) -> None: ...

    async def in_transaction(tx: Any) -> None: ...

    async with node_with(tmp_path, made("one", check_command), made("two", in_transaction)) as node:
        assert states(node) == {
            "one": "check_command must be async def, not def",
            "two": "in_transaction must be def, not async def",
        }


async def test_a_command_whose_handler_is_not_async_is_refused(tmp_path: Path) -> None:
    def wave(ctx: Context, asked: Nothing) -> Nothing:
        return Nothing()

    plain: Any = wave
    async with node_with(tmp_path, made("demo", commands=(command("demo.wave", permission=None)(plain),))) as node:
        assert states(node) == {"demo": "the command demo.wave must be async def, not def"}


async def test_an_argument_that_a_hook_has_not_is_refused(tmp_path: Path) -> None:
    async def check_command(ctx: Any, person: str) -> None: ...

    async with node_with(tmp_path, made("demo", check_command)) as node:
        assert "person" in states(node)["demo"]


# ---- settings


async def test_settings_are_read_and_checked(tmp_path: Path) -> None:
    plugin = made("demo", settings=Settings)
    async with node_with(tmp_path, plugin, config=Config(of_plugins={"demo": {"polite": 0}})) as node:
        assert node.core.settings(Settings).polite == 0
    for entries, said in (
        ({"polit": 1}, "no setting plugins.demo.polit; [plugins.demo] has polite, per_minute, style"),
        ({"polite": "very"}, "plugins.demo.polite is 'very'; expected an integer"),
        ({"polite": -1}, "the minimum is 0"),
        ({"style": "loud"}, "plugins.demo.style is 'loud'; expected one of plain, fancy"),
    ):
        async with node_with(tmp_path, plugin, config=Config(of_plugins={"demo": entries})) as node:
            assert said in states(node)["demo"]


async def test_settings_of_what_is_not_installed_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = Config(plugins=Plugins(disabled=("demo", "dem")), of_plugins={"dmeo": {"polite": 1}})
    async with node_with(tmp_path, made("demo"), config=config) as node:
        assert states(node) == {"demo": "disabled"}
    assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == [
        "settings name the plugin dmeo, which is not installed",
        "plugins.disabled names dem, which is not installed",
    ]


# ---- disabled, back again, older


async def test_a_disabled_plugin_adds_nothing_and_keeps_its_data(tmp_path: Path) -> None:
    step = Step("1", "CREATE TABLE demo_x (a TEXT);")
    plugin = made("demo", steps=(step,), commands=(a_command("demo.wave"),))
    async with node_with(tmp_path, plugin) as node:
        await node.core.db.write(lambda tx: tx.execute("INSERT INTO demo_x VALUES ('kept')"))
    async with node_with(tmp_path, plugin, config=Config(plugins=Plugins(disabled=("demo",)))) as node:
        assert states(node) == {"demo": "disabled"}
        assert "demo.wave" not in {each.name for each in node.table}
    async with node_with(tmp_path, plugin) as node:
        assert await node.core.db.read(lambda reader: reader.execute("SELECT a FROM demo_x").fetchall()) == [("kept",)]


async def test_a_step_that_was_changed_after_it_was_applied_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = "the plugin demo: the step 1 was changed after it was applied here, which has no effect"
    for sql in ("CREATE TABLE demo_x (a);", "-- in words\nCREATE TABLE\n demo_x (a);"):
        async with node_with(tmp_path, made("demo", steps=(Step("1", sql),))) as node:
            assert states(node) == {"demo": "running"}
    assert told not in caplog.text
    edited = made("demo", steps=(Step("1", "CREATE TABLE demo_x (a, b);"), Step("2", "CREATE TABLE demo_y (a);")))
    async with node_with(tmp_path, edited) as node:
        assert states(node) == {"demo": "running"}
    assert caplog.text.count(told) == 1
    async with node_with(tmp_path, config=Config()) as node:
        await node.call("plugins.drop", plugin="demo", confirm="demo")
    caplog.clear()
    async with node_with(tmp_path, edited) as node:
        assert states(node) == {"demo": "running"}
    assert told not in caplog.text


async def test_tables_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    one, two = Step("1", "CREATE TABLE demo_x (a TEXT);"), Step("2", "ALTER TABLE demo_x ADD COLUMN b TEXT;")
    async with node_with(tmp_path, made("demo", steps=(one, two))) as node:
        assert states(node) == {"demo": "running"}
    async with node_with(tmp_path, made("demo", steps=(one,))) as node:
        assert "its tables were written by a newer version (with 2)" in states(node)["demo"]
        assert "a step that was applied is never renamed" in states(node)["demo"]
    async with node_with(tmp_path, made("demo", steps=(one, two))) as node:
        assert states(node) == {"demo": "running"}


async def test_a_step_of_an_upgrade_that_fails_leaves_the_plugin_broken_and_a_copy_from_before(tmp_path: Path) -> None:
    one, bad = Step("1", "CREATE TABLE demo_x (a TEXT);"), Step("2", "ALTER TABLE demo_y ADD COLUMN b TEXT;")
    async with node_with(tmp_path, made("demo", steps=(one,))):
        pass
    async with node_with(tmp_path, made("demo", steps=(one, bad), version="2.0")) as node:
        assert "migration demo/2 failed: no such table: demo_y" in states(node)["demo"]
    assert [each.name for each in (tmp_path / "data" / "backups").iterdir()] == ["before-demo-2.0.sqlite3"]


async def test_an_upgrade_of_many_plugins_keeps_one_copy_from_before_them_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a copy for each, those of the last three replaced the one of the database as it was."""

    def plugins(*numbers: int) -> list[Any]:
        names = ("alpha", "beta", "gamma", "delta")
        return [
            made(name, steps=[Step(str(each), f"CREATE TABLE {name}_{each} (a TEXT);") for each in numbers])
            for name in names
        ]

    async with node_with(tmp_path, *plugins(1)):
        pass
    caplog.set_level("INFO", "chatnode.plugins")
    async with node_with(tmp_path, *plugins(1, 2)) as node:
        assert set(states(node).values()) == {"running"}
    (kept,) = (tmp_path / "data" / "backups").iterdir()
    with closing(sqlite3.connect(kept)) as copy:
        steps = copy.execute("""SELECT DISTINCT name FROM migrations WHERE "set" <> 'core'""").fetchall()
    assert steps == [("1",)]
    assert f"the old database is kept as {kept}" in caplog.text
    assert "applied migration gamma/2" in caplog.text


async def test_a_permission_is_given_to_roles_when_it_is_new_and_stays_as_administrators_want_it(
    tmp_path: Path,
) -> None:
    plugin = made("demo", permissions=(Permission("demo.use", "use it"),))
    async with node_with(tmp_path, plugin) as node:
        assert {role for role, may in node.core.roles.items() if "demo.use" in may} == {"member", "moderator", "admin"}
        await node.call("roles.set", role="member", permissions=["chat"])
    async with node_with(tmp_path, plugin) as node:
        assert {role for role, may in node.core.roles.items() if "demo.use" in may} == {"moderator", "admin"}
        known = {each["permission"]: each["meaning"] for each in (await node.call("roles.list"))["permissions"]}
        assert known["demo.use"] == "use it"


# ---- two nodes in one process


async def test_two_nodes_in_one_process_do_not_see_each_others_plugins(tmp_path: Path) -> None:
    calls: list[str] = []

    def noting(node: str) -> Any:
        async def check_command(ctx: Context, name: str) -> Any:
            from chatnode.api import Allow

            calls.append(f"{node}: {name}")
            return Allow()

        return check_command

    left = made("left", noting("left"), commands=(a_command("left.wave"),), settings=Settings)
    right = made("right", noting("right"), commands=(a_command("right.wave"),))
    async with node_with(tmp_path / "1", left) as one, node_with(tmp_path / "2", right) as two:
        assert (states(one), states(two)) == ({"left": "running"}, {"right": "running"})
        assert {each.name for each in one.table} - {each.name for each in two.table} == {"left.wave"}
        await one.call("left.wave")
        await two.call("right.wave")
        assert calls == ["left: left.wave", "right: right.wave"]
        assert Settings in one.core.of_plugins
        assert Settings not in two.core.of_plugins


async def test_two_plugins_do_not_share_a_class_of_settings(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("one", settings=Settings), made("two", settings=Settings)) as node:
        assert states(node) == {
            "one": "running", "two": "its settings class Settings belongs to another plugin; declare its own",
        }  # fmt: skip


async def test_an_event_with_a_field_of_the_frame_is_refused(tmp_path: Path) -> None:
    """With an `id` of its own, clients would take it for the reply to a command."""

    @attrs.define
    class Waved(Event):
        name = "demo.waved"
        id: str

    async with node_with(tmp_path, made("demo", ephemeral=(Waved,))) as node:
        assert states(node) == {"demo": "the event demo.waved has the field id, which the protocol reserves"}


def bring(folder: Path, distribution: str, metadata: str | None = None, plugin: str = "hello") -> str:
    """A distribution in a folder of its own, as pip leaves it; without metadata, as a cut installation leaves it."""
    place = folder / distribution / f"{distribution}-1.0.dist-info"
    place.mkdir(parents=True)
    (place / "entry_points.txt").write_text(f"[chatnode]\n{plugin} = no_such_module\n")
    if metadata is not None:
        (place / "METADATA").write_text(metadata)
    return str(place.parent)


async def test_a_plugin_that_two_distributions_bring_is_broken_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("alpha", "beta"):
        monkeypatch.syspath_prepend(bring(tmp_path, name, f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"))
    monkeypatch.syspath_prepend(bring(tmp_path, "cut", plugin="rest"))
    async with open_node(tmp_path / "data", Config()) as node:
        assert states(node)["hello"] == (
            "several installed distributions provide it: alpha and beta; uninstall all but one"
        )
        assert "no_such_module" in states(node)["rest"]
        told = {each["name"]: each["version"] for each in (await node.call("plugins.list"))["plugins"]}
        assert (told["hello"], told["rest"]) == ("", "")
