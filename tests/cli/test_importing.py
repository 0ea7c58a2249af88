"""What the command line does between an archive and the node: nothing is converted that is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.cli.importing import MOST_LINES, Tally, _Import
from chatnode.importers import Converter, ImportedMessage, IrcLog, Problem, Source, ZulipArchive, zulip_markdown
from chatnode.node import Node
from chatnode.testing import User


def post(id: int, content: str = "", author: str = "Ada") -> dict[str, Any]:
    text = content or f"<p>message {id}</p>"
    return {"id": id, "content": text, "sender_full_name": author, "timestamp": 1_600_000_000 + id}


def archive(folder: Path, files: dict[str, list[dict[str, Any]]]) -> Path:
    for name, posts in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(posts))
    return folder


async def bring_in(node: Node, source: Source, convert: Callable[[str], str] | None = zulip_markdown.markdown) -> Tally:
    tally = Tally()
    with Converter(convert) as converter:
        await _Import(node.call, source, True, converter, tally).run(lambda count: None)
    return tally


async def shown(who: User) -> dict[str, list[tuple[str, int | None]]]:
    """By conversation: texts, and the seq of the message replied to."""
    found: dict[str, list[tuple[str, int | None]]] = {}
    for each in (await who.call("inbox.list"))["conversations"]:
        messages = (await who.call("messages.list", conversation=each["conversation"]))["messages"]
        seqs = {message["message"]: message["seq"] for message in messages}
        found[each["title"]] = [(message["text"], seqs.get(message.get("reply_to"))) for message in messages]
    return found


async def test_only_what_is_new_is_converted(node: Node, ann: User, tmp_path: Path) -> None:
    converted: list[str] = []

    def convert(text: str) -> str:
        converted.append(text)
        return zulip_markdown.markdown(text)

    for last, expected in ((3, (3, 0)), (3, (0, 3)), (5, (2, 3))):
        source = ZulipArchive(archive(tmp_path, {"7-garden/roses.json": [post(n) for n in range(1, last + 1)]}))
        tally = await bring_in(node, source, convert)
        assert (tally.imported, tally.present, tally.failed) == (*expected, 0)
    assert converted == [f"<p>message {n}</p>" for n in range(1, 6)]
    assert await shown(ann) == {"garden": [("message 1", None), *[(f"message {n}", 1) for n in range(2, 6)]]}


async def test_a_topic_hangs_on_its_first_message_that_is_there(
    node: Node, ann: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = [post(1, "<p></p>"), post(2), post(3)]
    tally = await bring_in(node, ZulipArchive(archive(tmp_path, {"7-garden/roses.json": topic})))
    assert (tally.imported, tally.failed) == (2, 1)
    assert "7-garden/roses.json: item 1: message zulip:1 was skipped: it has no text" in capsys.readouterr().err
    await bring_in(node, ZulipArchive(archive(tmp_path, {"7-garden/roses.json": [*topic, post(4)]})))
    assert await shown(ann) == {"garden": [("message 2", None), ("message 3", 1), ("message 4", 1)]}


async def test_a_message_of_two_streams_is_named_and_is_in_one(
    node: Node, ann: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [post(n) for n in range(1, MOST_LINES + 6)]
    source = ZulipArchive(archive(tmp_path, {"7-garden/a.json": many, "9-kitchen/b.json": [*many, post(99)]}))
    tally = await bring_in(node, source)
    assert str(tally) == "imported 26, already present 25 (25 in another conversation), failed 0"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == MOST_LINES
    assert said[0] == "zulip message zulip:1: is already in 'garden'; not moved"
    texts = await shown(ann)
    assert (len(texts["garden"]), texts["kitchen"]) == (25, [("message 99", None)])


async def test_a_stream_with_nothing_new_for_it_makes_no_conversation(node: Node, ann: User, tmp_path: Path) -> None:
    await bring_in(node, ZulipArchive(archive(tmp_path / "one", {"7-garden/a.json": [post(1)]})))
    await bring_in(node, ZulipArchive(archive(tmp_path / "two", {"9-kitchen/a.json": [post(1)]})))
    assert list(await shown(ann)) == ["garden"]


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("Tab\tName", "Tab Name"),
        ("two\r\nlines\u2028here", "two lines here"),
        ("\x1b[31mred\x7f\x9b", "[31mred"),
        ("\u202etsaE\u2066", "tsaE"),
        ("x" * 300, "x" * 100),
    ],
)
async def test_a_name_that_no_node_takes_is_cleaned(
    node: Node, ann: User, tmp_path: Path, author: str, expected: str
) -> None:
    source = ZulipArchive(archive(tmp_path, {"7-garden/a.json": [post(1), post(2, author=author), post(3)]}))
    for imported in (3, 0):
        assert (await bring_in(node, source)).imported == imported
    names = [each["name"] for each in (await ann.call("people.list"))["people"]]
    assert expected in names


async def test_an_unfit_message_is_reported_with_its_place_and_the_rest_imported(
    node: Node, ann: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Odd(ZulipArchive):
        """Its reader lets an author through whom no node takes."""

        def drafts(self) -> Iterator[ImportedMessage | Problem]:
            for item in super().drafts():
                is_odd = isinstance(item, ImportedMessage) and item.key == "zulip:1"
                yield attrs.evolve(item, author="\u200b") if is_odd else item

    source = Odd(archive(tmp_path, {"7-garden/a.json": [post(1), post(2), post(3)]}))
    for expected in ((2, 0), (0, 2)):
        tally = await bring_in(node, source)
        assert (tally.imported, tally.present, tally.failed) == (*expected, 1)
    assert "7-garden/a.json: item 1: message zulip:1 was skipped: author has" in capsys.readouterr().err
    assert await shown(ann) == {"garden": [("message 2", None), ("message 3", 1)]}


async def test_a_stream_without_a_name_gets_its_number(node: Node, ann: User, tmp_path: Path) -> None:
    files = {"1-a/t.json": [post(1)], "2- /t.json": [post(2)], "3-.E3.85.A4/t.json": [post(3)], "4-d/t.json": [post(4)]}
    await bring_in(node, ZulipArchive(archive(tmp_path, files)))
    assert sorted(await shown(ann)) == ["2", "3", "a", "d"]


async def test_long_names_of_channels_stay_apart(node: Node, ann: User, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(LINES))
    for channel in ("#" + "x" * 250, "#" + "x" * 251):
        for imported in (5, 0):
            tally = await bring_in(node, IrcLog(path, network="libera", channel=channel), None)
            assert (tally.imported, tally.failed) == (imported, 0)


async def test_colours_of_nicks_are_left_out(node: Node, ann: User, tmp_path: Path) -> None:
    path = tmp_path / "irc.libera.#garden.weechatlog"
    path.write_text("2013-04-30 14:02:01\t@\x0304bob\x03\thello\n2013-04-30 14:02:02\tbob\thello\n")
    assert (await bring_in(node, IrcLog(path), None)).failed == 0
    handles = [each["handle"] for each in (await ann.call("people.list"))["people"]]
    assert handles == ["ann", "bob"]


LINES = [f"2013-04-30 14:02:{n:02}\t{nick}\tline {n}\n" for n, nick in enumerate(["Ada", "ada", "bob", "ADA", "bob"])]


async def test_a_log_that_is_rotated_brings_only_what_is_new(node: Node, ann: User, tmp_path: Path) -> None:
    path = tmp_path / "irc.libera.#garden.weechatlog"
    for first, last, expected in ((0, 3, (3, 0)), (1, 4, (1, 2)), (4, 5, (1, 0)), (0, 5, (0, 5))):
        path.write_text("".join(LINES[first:last]))
        tally = await bring_in(node, IrcLog(path), None)
        assert (tally.imported, tally.present, tally.failed) == (*expected, 0)
    assert [text for text, _ in (await shown(ann))["#garden"]] == [f"line {n}" for n in range(5)]
    handles = [each["handle"] for each in (await ann.call("people.list"))["people"]]
    assert handles == ["ada", "ann", "bob"]


async def test_logs_of_two_networks_and_of_one_that_is_not_named(node: Node, ann: User, tmp_path: Path) -> None:
    for name, expected in (
        ("linux/#linux.log", 5),
        ("irc.libera.#linux.weechatlog", 0),  # the same one: now the network is known
        ("irc.oftc.#linux.weechatlog", 0),  # alike to the last line: it was one with the other before
        ("linux/#linux.log.2", 0),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(LINES))
        assert (await bring_in(node, IrcLog(path), None)).imported == expected, name
    assert list(await shown(ann)) == ["#linux"]
    (tmp_path / "irc.oftc.#linux.weechatlog").write_text("2013-05-01 10:00:00\tada\tanother one\n")
    await bring_in(node, IrcLog(tmp_path / "irc.oftc.#linux.weechatlog"), None)
    found = (await ann.call("inbox.list"))["conversations"]
    assert [(each["title"], each["last"]["sender"]["handle"]) for each in found] == [
        ("#linux", "ada-2"),
        ("#linux", "bob"),
    ]
