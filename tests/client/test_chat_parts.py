"""The terminal client's parts without a terminal."""

from __future__ import annotations

import re
import socket
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from chatnode.client import Unreachable
from chatnode.model.conversations import ConversationSettings, InboxEntry
from chatnode.model.messages import Location, Media, Message, Notice
from chatnode.model.people import PersonRef
from chatnode.terminal.desk import Desk
from chatnode.terminal.lines import Lines, attachments, is_muted, summary
from chatnode.terminal.login import log_in, parse_link
from chatnode.terminal.printable import columns, one_line, padded, printable
from chatnode.terminal.prompt import Words
from chatnode.terminal.style import Style
from chatnode.terminal.tokens import Tokens, state_directory

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
    assert columns(one_line(text, most)) <= most


def test_wide_characters_take_two_columns() -> None:
    assert one_line("日本語のタイトル", 9) == "日本語の…"
    assert columns(padded("日本e\u0301", 8)) == 8
    lines = Lines(Style(colour=False), ANN)
    entries = [attrs.evolve(entry("c", title), mentions=1) for title in ("日本語の長いタイトルです" * 3, "boats")]
    listed = lines.inbox(entries, 80)
    assert len({columns(line[: line.index("@1")]) for line in listed}) == 1


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


def test_everyone_and_admins_are_marked_for_whom_they_name_and_code_is_not() -> None:
    lines = Lines(Style(colour=True), ANN)

    def marked(text: str, *mentions: str) -> list[str]:
        shown = lines.message(message(1, BOB, text, mentions=list(mentions)), None)
        return re.findall("\x1b\\[1;30;43m(.*?)\x1b", shown)

    text = "@everyone @all @admins @Ann `@everyone @ann` a@ann"
    assert marked(text) == []
    assert marked(text, "everyone") == ["@everyone", "@all"]
    assert marked(text, ANN.id) == ["@admins", "@Ann"]
    assert marked(text, BOB.id) == []
    assert marked("a\tb\x1b @ann \x1b", ANN.id) == ["@ann"]


def test_everyone_is_told_as_a_mention() -> None:
    lines = Lines(Style(colour=False), ANN)
    said = lines.elsewhere(entry("1", "Boats"), message(1, BOB, "@everyone, fire", mentions=["everyone"]), 80)
    assert said == "  • bob in Boats mentions you: @everyone, fire"


MEDIA = Media("https://files.example.org/1", "pier\x1b.png", "image/png", 12_400, 800, 600)


@pytest.mark.parametrize(
    ("carried", "shown"),
    [
        (
            {"kind": "image", "media": MEDIA},
            "[image] pier␛.png (image/png, 12.1 KiB, 800×600) https://files.example.org/1",
        ),
        (
            {"kind": "file", "media": Media("0" * 32, "plan.pdf", "application/pdf", 900)},
            f"[file] plan.pdf (application/pdf, 900 bytes) {'0' * 32}",
        ),
        ({"kind": "location", "location": Location(52.52, -13.405)}, "[place] 52.52000, -13.40500"),
        ({"kind": "location", "location": Location(0, 0, "Pier 1")}, "[place] Pier 1 (0.00000, 0.00000)"),
        ({"kind": "system", "system": Notice("order.accepted")}, "[notice] order.accepted"),
    ],
)
def test_what_is_not_text_is_shown_in_words(carried: dict[str, Any], shown: str) -> None:
    lines = Lines(Style(colour=False), ANN)
    alone = attrs.evolve(message(1, BOB, ""), **carried)
    assert lines.message(alone, None).endswith(f"  {shown}")
    assert shown in lines.elsewhere(entry("1", "Boats"), alone, 200)
    assert shown in "".join(lines.inbox([attrs.evolve(entry("1", "Boats"), last=alone)], 200))
    assert shown[:50] in lines.message(attrs.evolve(message(2, ANN, "yes"), reply_to=alone.message), alone)
    captioned = attrs.evolve(alone, text="see")
    assert lines.message(captioned, None).split("\n")[-1] == "      see"
    assert summary(captioned).endswith(" see")
    deleted = attrs.evolve(alone, deleted_at="2026-11-21T10:17:06.042Z")
    assert (summary(deleted), attachments(deleted)) == ("(deleted)", [])


def test_each_file_of_a_message_has_a_line() -> None:
    files = [MEDIA, Media("0" * 32, "plan.pdf", "application/pdf", 900)]
    sent = attrs.evolve(message(1, BOB, "look"), kind="file", media=MEDIA, files=files)
    shown = Lines(Style(colour=False), ANN).message(sent, None).split("\n")
    assert [line.split(" (")[0].strip() for line in shown[-2:]] == ["[file] plan.pdf", "look"]
    assert "[file] pier␛.png (" in shown[-3]


def test_bytes_are_counted_in_units_that_fit() -> None:
    sizes = [0, 1023, 1024, 1024**2 - 1, 1024**2, 5 * 1024**3, 2**53]
    sent = attrs.evolve(message(1, BOB, ""), kind="file")
    shown = attachments(attrs.evolve(sent, files=[attrs.evolve(MEDIA, bytes=size) for size in sizes]))
    assert [re.findall(r", ([0-9.]+ \w+)", each)[0] for each in shown] == [
        "0 bytes", "1023 bytes", "1.0 KiB", "1024.0 KiB", "1.0 MiB", "5.0 GiB", "8192.0 TiB",
    ]  # fmt: skip


def test_lists_are_picked_from_by_number() -> None:
    desk = Desk(ANN.id)
    desk.load([entry("1", "Boats"), entry("2", "Boat trips"), entry("3", "bob")])
    desk.number(["3", "1"])
    assert desk.numbered("1") == "3"
    assert [desk.numbered(text) for text in ("0", "3", "x", "²", "9" * 5_000)] == [None] * 5


def test_a_group_cannot_pass_for_a_user() -> None:
    desk = Desk(ANN.id)
    desk.load(
        [
            entry("1", "bob"),
            attrs.evolve(entry("2", "bob"), kind="direct", peer=BOB),
            entry("3", "#linux"),
            entry("4", "@bob"),
        ]
    )
    assert desk.names() == ("#bob", "@bob", "#linux", "#@bob")
    assert desk.handles() == ("bob",)


def test_completion_offers_beginnings_and_nothing_runs_by_one() -> None:
    words = Words(["/mute", "/members"], lambda: ["@ann", "#Tea party", "#ant"], lambda: ["ann", "bob"])

    def offered(text: str) -> list[str]:
        return [each.text for each in words.get_completions(Document(text), CompleteEvent())]

    assert offered("/m") == ["/members ", "/mute "]
    assert offered("/open an") == ["#ant", "@ann"]
    assert offered("/open #te") == offered("/open tea P") == ["#Tea party"]
    assert offered("/unblock b") == ["bob"]
    assert offered("hello @a") == ["@ann"]


def test_desk_knows_of_changes() -> None:
    desk = Desk(ANN.id)
    desk.load([entry("c", "Boats")])
    desk.posted(message(1, BOB, "@all", mentions=["everyone"]))
    desk.changed(message(1, BOB, "now"))
    desk.changed(attrs.evolve(message(2, BOB, "of another"), conversation="d"))
    desk.set("c", ConversationSettings(notify="none"))
    now = desk.get("c")
    assert now is not None
    assert now.last is not None
    assert (now.mentions, now.last.text, is_muted(now)) == (1, "now", True)


@pytest.mark.parametrize(
    ("settings", "muted"),
    [
        (None, False),
        (ConversationSettings(), False),
        (ConversationSettings(muted_until="2020-01-01T00:00:00Z"), False),
        (ConversationSettings(muted_until="9998-01-01T00:00:00Z"), True),
        (ConversationSettings(notify="mentions"), False),
        (ConversationSettings(notify="none"), True),
    ],
)
def test_muted_is_until_a_time(settings: ConversationSettings | None, muted: bool) -> None:
    assert is_muted(attrs.evolve(entry("1", "Boats"), settings=settings)) is muted


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


def test_nobody_is_asked_for_a_password_for_a_node_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(Unreachable, match="is the node running"):
        log_in(f"http://127.0.0.1:{port}", "ann", None)
    assert capsys.readouterr().err == ""


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
