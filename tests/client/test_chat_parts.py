"""The terminal client's parts without a terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnode.cli.chat.desk import Desk
from chatnode.cli.chat.lines import Lines
from chatnode.cli.chat.login import parse_link
from chatnode.cli.chat.printable import one_line, printable
from chatnode.cli.chat.style import Style
from chatnode.cli.chat.tokens import Tokens, state_directory
from chatnode.model.conversations import InboxEntry
from chatnode.model.messages import Message
from chatnode.model.people import PersonRef

ANN, BOB = PersonRef("a" * 32, "ann"), PersonRef("b" * 32, "bob")


def message(seq: int, sender: PersonRef, text: str, *, mentions: list[str] | None = None) -> Message:
    return Message(f"{seq:032x}", "c", seq, seq + 10, sender, f"cid-{seq}", text, "2026-11-21T10:17:06.042Z", mentions)


def entry(conversation: str, title: str) -> InboxEntry:
    return InboxEntry(conversation, "group", title, "private", "member", 0, 1, 0, 0, 0, 0, 2, 1)


@given(st.text())
def test_nothing_printable_steers(text: str) -> None:
    shown = printable(text)
    assert {unicodedata.category(character) for character in shown.replace("\n", "")} & {
        "Cc",
        "Cs",
        "Zl",
        "Zp",
    } == set()
    assert not {unicodedata.bidirectional(character) for character in shown} & {
        "LRO",
        "RLO",
        "LRE",
        "RLE",
        "RLI",
        "LRI",
    }


@given(st.text(), st.integers(1, 80))
def test_one_line_is_one_line(text: str, most: int) -> None:
    assert "\n" not in one_line(text, most)
    assert len(one_line(text, most)) <= most


def test_ordinary_text_is_left_as_it_is() -> None:
    for text in ("naïve café", "👩‍👩‍👧", "שלום", "a\nb", "日本語"):
        assert printable(text) == text


def test_a_mention_is_marked_and_lookalikes_are_not() -> None:
    lines = Lines(Style(colour=True), ANN)
    shown = lines.message(message(1, BOB, "@ann @annabel x@ann @Ann."), None)
    assert "\x1b[1;30;43m" not in shown  # the node did not count it as a mention
    shown = lines.message(message(1, BOB, "@ann @annabel x@ann @Ann.", mentions=[ANN.id]), None)
    assert shown.count("\x1b[1;30;43m") == 2


def test_without_colour_nothing_is_added() -> None:
    shown = Lines(Style(colour=False), ANN).message(message(1, ANN, "one\ntwo"), None)
    first, second = shown.split("\n")
    assert first.endswith(" ann  one")
    assert second == "      two ✓"


def test_desk_finds_by_title_beginning_and_number() -> None:
    desk = Desk(ANN.id)
    desk.load([entry("1", "Boats"), entry("2", "Boat trips"), entry("3", "bob")])
    desk.number(["3", "1"])
    assert desk.numbered("1") == "3"
    assert [desk.numbered(text) for text in ("0", "3", "x", "²")] == [None] * 4
    found = [desk.find(text) for text in ("boats", "BOAT T", "boat", "2", "zebra")]
    assert [each and each.conversation for each in found] == ["1", "2", None, "2", None]


def test_desk_counts_as_the_node_does() -> None:
    desk = Desk(ANN.id)
    desk.load([entry("c", "Boats")])
    desk.posted(message(1, BOB, "one", mentions=[ANN.id]))
    desk.posted(message(2, BOB, "two"))
    desk.posted(message(2, BOB, "two"))
    now = desk.get("c")
    assert now is not None
    assert (now.unread, now.mentions, now.head) == (2, 1, 2)
    assert desk.unread_elsewhere(None) == 1
    desk.read("c", 2)
    desk.read("c", 1)
    now = desk.get("c")
    assert now is not None
    assert (now.unread, now.mentions, now.read_seq) == (0, 0, 2)


def test_invite_links() -> None:
    assert parse_link("http://127.0.0.1:8008/#invite=C_-1") == ("http://127.0.0.1:8008", "C_-1")
    assert parse_link("https://chat.example.org/here/#setup=x") == ("https://chat.example.org/here", "x")
    for link in ("http://127.0.0.1:8008/", "#invite=x", "ftp://h/#invite=x", "http://h/#other=x"):
        with pytest.raises(click.UsageError):
            parse_link(link)


def test_tokens_stay_in_their_directory(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, "http://127.0.0.1:8008/")
    assert tokens.last_used() is None
    for handle in ("..", ".", "../../x", "a/b", "ann"):
        tokens.save(handle, f"token of {handle}")
        assert tokens.load(handle) == f"token of {handle}"
        assert tokens.last_used() is not None
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent.parent for path in files} == {tmp_path / "tokens"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert Tokens(tmp_path, "http://127.0.0.1:8008").load("ANN") == "token of ann"
    assert Tokens(tmp_path, "HTTP://127.0.0.1:08008/").load("ann") == "token of ann"
    assert Tokens(tmp_path, "http://127.0.0.1:8009").load("ann") is None
    tokens.forget("ann")
    tokens.forget("ann")
    assert tokens.load("ann") is None


def test_state_directory_follows_xdg() -> None:
    assert state_directory({"XDG_STATE_HOME": "/state"}) == Path("/state/chatnode")
    assert state_directory({"XDG_STATE_HOME": "state"}) == state_directory({}) == Path.home() / ".local/state/chatnode"
