"""`chatnode plugin`, and the commands that plugins bring: what people type, and what they see."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import trio

from chatnode.testing import LiveUser, open_node
from tests.client.terminal import terminal
from tests.commands import PLUGINS
from tests.plugins.kit.site import HELLO, Site

from .command import Done, Serving, chatnode, command_line, environment, run

BROKEN = "raise RuntimeError('it was written in a hurry')"
_numbers = count(1)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Plugins are found here, also by processes that are started."""
    site = Site(tmp_path / "site")
    site.path.mkdir()
    monkeypatch.syspath_prepend(site.path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site.path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    yield site
    for name in [name for name in sys.modules if name.startswith("installed_")]:
        del sys.modules[name]


def ok(done: Done) -> str:
    assert done.status == 0, done.err
    return done.out


def failed(done: Done) -> str:
    assert done.status == 1, done.out
    return done.err


# ---- which there are


def test_a_plugins_bots_are_listed_with_it(data: Path, site: Site) -> None:
    site.add("hello")

    async def make_bot() -> None:
        async with open_node(data) as node:
            await node.plugins.loaded["hello"].context.bot("helper")

    trio.run(make_bot)
    lines = ok(chatnode(data, "plugin", "list")).splitlines()
    assert lines[lines.index("hello            1.5        running    Says hello.") + 1].strip() == "bots: helper"


@pytest.mark.parametrize("served", [False, True])
def test_every_plugin_is_listed_also_a_broken_one(data: Path, site: Site, served: bool) -> None:
    site.add("hello")
    site.add("hasty", BROKEN)
    serving = Serving(data) if served else None
    try:
        lines = ok(chatnode(data, "plugin", "list")).splitlines()
        assert "hello            1.5        running    Says hello." in lines
        place = lines.index("hasty            1.5        broken")
        assert lines[place + 1].split(maxsplit=1) == ["RuntimeError:", "it was written in a hurry"]
        listed = {each["name"]: each for each in json.loads(ok(run(data, "plugin", "list", "--json")))}
        assert {"contacts", "reactions"} < set(listed)
        assert listed["hello"] == {
            "name": "hello", "version": "1.5", "state": "running", "about": "Says hello.",
            "distribution": "chatnode-hello", "failures": 0, "held_thread": 0,
        }  # fmt: skip
        assert listed["hasty"]["reason"] == "RuntimeError: it was written in a hurry"
    finally:
        if serving is not None:
            serving.kill()


def test_a_command_line_that_is_no_click_command_is_named(data: Path, site: Site) -> None:
    site.add("hasty", HELLO.replace("cli=cli", "cli=print"))
    assert "expected a click command or group" in failed(chatnode(data, "hasty"))


def test_other_commands_name_a_broken_plugin_in_a_line_and_go_on(data: Path, site: Site) -> None:
    site.add("hasty", BROKEN)
    done = chatnode(data, "user", "add", "ann", "--no-password")
    assert done.status == 0
    assert done.err == "chatnode: the plugin hasty is not running: RuntimeError: it was written in a hurry\n"


@pytest.mark.parametrize("source", [HELLO, BROKEN], ids=["sound", "broken"])
def test_a_plugin_is_disabled_and_enabled_from_the_next_start_on(data: Path, site: Site, source: str) -> None:
    site.add("hello", source)
    assert ok(chatnode(data, "plugin", "disable", "hello")) == (
        "hello will not run after the next restart; its data is kept\n"
    )
    assert "hello            1.5        disabled\n" in ok(chatnode(data, "plugin", "list"))
    assert ok(chatnode(data, "plugin", "enable", "hello")) == "hello will run after the next restart\n"
    assert "disabled" not in ok(chatnode(data, "plugin", "list"))


def test_what_the_next_start_changes_is_listed_while_the_node_serves(data: Path) -> None:
    serving = Serving(data)
    try:
        for command, told in (("disable", ["disabled after the next restart"]), ("enable", [])):
            ok(chatnode(data, "plugin", command, "reactions"))
            listed = ok(chatnode(data, "plugin", "list")).partition("\nreactions ")[2].splitlines()
            assert "running" in listed[0]
            assert [line.strip() for line in listed[1:] if line.startswith(" ")] == told
    finally:
        serving.kill()


def test_who_disables_what_is_not_there_is_told(data: Path) -> None:
    assert "no plugin hallo is installed" in failed(chatnode(data, "plugin", "disable", "hallo"))


# ---- what it offers


def test_the_reference_of_a_plugin_is_made_from_what_it_declares(data: Path, site: Site) -> None:
    site.add("hello")
    said = ok(chatnode(data, "plugin", "docs", "hello"))
    for line in (
        "# hello 1.5",
        "### `hello.greet`",
        "Say a word.",
        "- needs the permission `chat`; *reads*",
        "- gives `text` text",
        "- `word = 'hello'`: What it says",
        "- `chatnode hello`: Greet from the command line",
    ):
        assert f"{line}\n" in said
    assert "# reactions " in ok(chatnode(data, "plugin", "docs"))


def test_the_reference_says_what_stands_within_what_is_given(data: Path) -> None:
    said = ok(chatnode(data, "plugin", "docs", "reactions"))
    assert "list of chatnode_reactions.Counted\n" in said
    assert "\n**chatnode_reactions.Counted**: `emoji` text, " in said
    assert "\n**PersonRef**" not in said  # docs/commands.md has the node's own


def test_the_reference_has_what_other_plugins_may_use(data: Path, site: Site) -> None:
    """Its requirements, the hooks that it offers, and its durable work."""
    site.add("hello", HELLO.replace("cli=cli", 'requires=("crm", "notifications")'))
    assert "\nRequires crm, notifications.\n" in ok(chatnode(data, "plugin", "docs", "hello"))
    said = ok(chatnode(data, "plugin", "docs", "notifications"))
    hooks = said.partition("\n## Hooks for plugins that require it\n")[2]
    assert "\nasync def should_notify(ctx: Context, note: Proposal) -> Notify | Quiet | Hold | None: ...\n" in hooks
    assert "An implementation that fails is left out and reported.\n" in hooks
    assert 'Return `note.quiet("why")` to leave' in hooks
    assert "\n- `crm.export`: Export of contacts; " in ok(chatnode(data, "plugin", "docs", "crm"))


def test_the_reference_of_a_broken_one_is_why(data: Path, site: Site) -> None:
    site.add("hasty", BROKEN)
    wrong = failed(chatnode(data, "plugin", "docs", "hasty"))
    assert wrong == "chatnode: the plugin hasty is broken: RuntimeError: it was written in a hurry\n"
    assert "no plugin hallo is installed; installed are " in failed(chatnode(data, "plugin", "docs", "hallo"))
    done = chatnode(data, "plugin", "docs")
    assert (done.status, done.err) == (0, wrong)
    assert re.findall("^# .+", done.out, re.MULTILINE) == [f"# {each.name} {each.version}" for each in PLUGINS]


def test_a_plugin_is_checked_by_name(data: Path, site: Site) -> None:
    site.add("hello")
    site.add("mute", HELLO.replace('"""Say a word."""', ""))
    assert ok(chatnode(data, "plugin", "check", "hello", "reactions", "contacts")).startswith("ok     hello 1.5\n")
    done = chatnode(data, "plugin", "check", "mute", "hello")
    assert (done.status, done.out.splitlines()) == (
        1,
        [
            "FAILED mute 1.5",
            "       the command mute.greet has no description: give its handler a docstring",
            "ok     hello 1.5",
        ],
    )


def test_call_lists_the_commands_of_plugins_and_names_a_broken_one(data: Path, site: Site) -> None:
    site.add("hello")
    site.add("hasty", BROKEN)
    done = chatnode(data, "call")
    assert "hello.greet                      Say a word.\n" in ok(done)
    assert "people.get " in done.out
    assert done.err == "chatnode: the plugin hasty is broken: RuntimeError: it was written in a hurry\n"
    assert json.loads(ok(chatnode(data, "call", "hello.greet"))) == {"text": "hello"}


# ---- commands of their own


def test_a_plugins_own_command_runs_commands_as_the_operator(data: Path, site: Site) -> None:
    site.add("hello")
    assert ok(chatnode(data, "hello", "greet", "--loud")) == "HELLO\n"
    assert "Greet from the command line." in ok(chatnode(data, "hello", "--help"))
    serving = Serving(data, PLUGINS__HELLO__WORD="good day")
    try:
        assert ok(chatnode(data, "hello", "greet")) == "good day\n"
    finally:
        serving.kill()


def test_what_is_broken_or_has_no_command_says_so_when_it_is_run(data: Path, site: Site) -> None:
    site.add("hasty", BROKEN)
    assert "the plugin hasty is broken" in failed(chatnode(data, "hasty", "whatever", "--that", "is"))
    assert "the plugin reactions has no commands" in failed(chatnode(data, "reactions", "add"))
    assert chatnode(data, "hallo").status == 2


def test_the_help_names_plugins_and_a_plugin_is_not_imported_unless_it_is_asked_for(data: Path, site: Site) -> None:
    site.add("hello", "print('imported')")
    site.add("hasty", BROKEN)
    said = ok(chatnode(data, "--help"))
    assert re.search(r"^  hello +chatnode-hello 1\.5$", said, re.MULTILINE)
    assert re.search(r"^  hasty +chatnode-hasty 1\.5$", said, re.MULTILINE)
    assert {"installed_hello", "installed_hasty"} & sys.modules.keys() == set()
    assert "imported" not in said + ok(chatnode(data, "migrate"))
    assert "imported" in chatnode(data, "hello").out


# ---- taking them away


async def _react(data: Path) -> None:
    async with open_node(data) as node:
        ann = await LiveUser.new(node, "ann")
        await ann.does("reactions.add", message=await ann.says(await ann.group(), "hello"), emoji="👍")


def test_what_comes_with_chatnode_is_disabled_and_then_dropped(data: Path, tmp_path: Path) -> None:
    trio.run(_react, data)
    assert "`chatnode plugin disable reactions`" in failed(chatnode(data, "plugin", "uninstall", "reactions"))
    ok(chatnode(data, "plugin", "disable", "reactions"))
    assert "comes with chatnode and cannot be uninstalled" in failed(chatnode(data, "plugin", "uninstall", "reactions"))
    dump = tmp_path / "reactions.jsonl"
    said = ok(chatnode(data, "plugin", "uninstall", "reactions", "--drop", "--export", str(dump)))
    assert said.splitlines() == [f"wrote 2 rows to {dump}", "dropped reactions_counted, reactions_given"]
    rows = [json.loads(line) for line in dump.read_text().splitlines()]
    assert [(row["table"], row["emoji"]) for row in rows] == [("reactions_counted", "👍"), ("reactions_given", "👍")]
    assert "reactions        0.1.0      disabled" in ok(chatnode(data, "plugin", "list"))
    ok(chatnode(data, "plugin", "enable", "reactions"))
    assert "reactions        0.1.0      running" in ok(chatnode(data, "plugin", "list"))


def test_nothing_is_uninstalled_under_a_node_that_serves(data: Path, site: Site) -> None:
    site.add("hello")
    serving = Serving(data)
    try:
        wrong = failed(chatnode(data, "plugin", "uninstall", "hello", "--drop"))
        assert "hello is in use by the node on" in wrong
    finally:
        serving.kill()
    assert "no plugin hallo is installed" in failed(chatnode(data, "plugin", "uninstall", "hallo", "--drop"))


KEEPING = HELLO.replace(
    'version="1.5"', 'version="1.5", steps=[Step("0001", "CREATE TABLE NAME_words (word TEXT);")]'
).replace("import CHAT", "import CHAT, Step")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "delete", "told"),
    [
        ("y", "y", ["wrote 0 rows to ", "dropped hello_words"]),
        ("n", "n", ["kept hello_words"]),
    ],
)
async def test_on_a_terminal_it_asks_what_to_do_with_what_is_stored(
    data: Path, site: Site, tmp_path: Path, file: str, delete: str, told: list[str]
) -> None:
    """Of a plugin that somebody has taken away already."""
    site.add("hello", KEEPING)
    listing = await trio.to_thread.run_sync(run, data, "plugin", "list")
    assert "hello            1.5        running" in ok(listing)
    gone = environment(PYTHONDONTWRITEBYTECODE=1)
    gone["PYTHONPATH"] = gone["PYTHONPATH"].partition(os.pathsep)[2]
    async with terminal(command_line(data, "plugin", "uninstall", "hello"), gone) as user:
        await user.see("hello has data: hello_words")
        await user.see("Export it to a file first? [y/N]:")
        await user.type(file)
        if file == "y":
            await user.see("File [hello.jsonl]:")
            await user.type(str(tmp_path / "words.jsonl"))
        await user.see("Delete it permanently? [y/N]:")
        await user.type(delete)
        for line in told:
            await user.see(line)
        assert await user.wait_end() == 0
    assert (tmp_path / "words.jsonl").exists() == (file == "y")


def test_without_a_terminal_it_must_be_said(data: Path, site: Site) -> None:
    site.add("hello", KEEPING)
    ok(chatnode(data, "plugin", "list"))
    done = chatnode(data, "plugin", "uninstall", "hello")
    assert done.status == 2
    assert "hello has data (hello_words); choose --drop or --keep-data" in done.err


def test_what_pip_leaves_is_not_called_uninstalled_and_keeps_its_data(data: Path, site: Site) -> None:
    site.add("hello", KEEPING)  # it says nowhere which files it has: pip does not touch it, and does not fail
    ok(chatnode(data, "plugin", "list"))
    assert "pip did not uninstall chatnode-hello" in failed(chatnode(data, "plugin", "uninstall", "hello", "--drop"))
    assert "hello            1.5        running" in ok(chatnode(data, "plugin", "list"))


def test_installing_says_when_pip_is_not_there_or_fails(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "pip install failed" in failed(chatnode(data, "plugin", "install", "./no-such-directory/"))
    monkeypatch.setattr("chatnode.cli.packages.find_spec", lambda name: None)
    assert "this Python has no pip; run `python -m ensurepip`" in failed(chatnode(data, "plugin", "install", "x"))
    assert chatnode(data, "plugin", "install", "--", "-r").status == 2


# ---- a new one


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("Polls", "use a-z and 0-9"),
        ("my-polls", "use a-z and 0-9"),
        ("9", "a-z and 0-9"),
        ("chatnode", "a reserved name"),
        ("log", "a reserved name"),
        ("site", "a reserved name"),
        ("core", "a reserved name"),
        ("audit", "a reserved name"),
        ("reactions", "a plugin that comes with chatnode"),
    ],
)
def test_a_new_plugin_has_a_name_of_its_own(data: Path, tmp_path: Path, name: str, wrong: str) -> None:
    assert wrong in failed(chatnode(data, "plugin", "new", name, "--directory", str(tmp_path)))


def test_nothing_is_replaced_by_a_new_plugin(data: Path, tmp_path: Path) -> None:
    (tmp_path / "chatnode-polls").mkdir()
    assert "already exists" in failed(chatnode(data, "plugin", "new", "polls", "--directory", str(tmp_path)))
    assert list((tmp_path / "chatnode-polls").iterdir()) == []
