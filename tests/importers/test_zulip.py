"""Zulip archives: every construct of a message, every kind of archive, every kind of damage."""

from __future__ import annotations

import contextlib
import io
import json
import lzma
import os
import re
import tarfile
import time
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from chatnode.importers import ImportedMessage, Problem, Source, ZulipArchive, archive, zulip
from chatnode.importers.archive import Unreadable
from chatnode.importers.zulip_markdown import markdown
from tests import needs

BASE = 1_600_000_000
"""A time in seconds that the samples count from."""


def post(id: int, content: str = "<p>hello</p>", *, at: int | None = None, author: str = "Ada") -> dict[str, object]:
    timestamp = BASE + id if at is None else at
    return {"content": content, "id": id, "sender_full_name": author, "timestamp": timestamp}


def tree(folder: Path, files: dict[str, object]) -> Path:
    """Write files: bytes as they are, everything else as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def tar(path: Path, files: dict[str, object], mode: str = "w:xz") -> Path:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def split(source: Source) -> tuple[list[ImportedMessage], list[Problem]]:
    items = list(source)
    messages = [item for item in items if isinstance(item, ImportedMessage)]
    return messages, [item for item in items if isinstance(item, Problem)]


def only_problem(source: Source) -> Problem:
    messages, problems = split(source)
    assert messages == []
    assert len(problems) == 1
    return problems[0]


GOOD: dict[str, object] = {
    "zulip/7-garden/roses.json": [post(1), post(3, author="Bob")],
    "zulip/7-garden/tulips.20.26.20more.json": [post(2, author="Cy")],
    "zulip/9-green.20house/.E2.9C.94.20done.json": [post(4)],
}


# ------------------------------------------------------------------------------------------------ archives


def test_a_stream_is_a_conversation_and_a_topic_a_thread(tmp_path: Path) -> None:
    source = ZulipArchive(tree(tmp_path, GOOD))
    messages, problems = split(source)

    assert problems == []
    assert source.kind == "zulip"
    assert source.total == 4
    assert [(c.key, c.title) for c in source.conversations()] == [("7", "garden"), ("9", "green house")]
    assert [(m.conversation, m.key, m.author, m.metadata["topic"]) for m in messages] == [
        ("7", "zulip:1", "Ada", "roses"),
        ("7", "zulip:2", "Cy", "tulips & more"),
        ("7", "zulip:3", "Bob", "roses"),
        ("9", "zulip:4", "Ada", "✔ done"),
    ]
    assert [m.reply_to for m in messages] == [None, None, "zulip:1", None]
    assert [m.at for m in messages] == [(BASE + n) * 1000 for n in (1, 2, 3, 4)]


def test_messages_of_one_second_are_in_the_order_of_their_ids(tmp_path: Path) -> None:
    late, early = [post(5, at=BASE)], [post(4, at=BASE), post(6, at=BASE - 1)]
    messages, _ = split(ZulipArchive(tree(tmp_path, {"1-a/x.json": late, "1-a/y.json": early})))
    assert [m.key for m in messages] == ["zulip:6", "zulip:4", "zulip:5"]


@pytest.mark.parametrize("kind", ["tar", "xz", "gz", "bz2", "zip"])
def test_every_kind_of_archive_gives_what_the_directory_gives(tmp_path: Path, kind: str) -> None:
    directory = ZulipArchive(tree(tmp_path / "tree", GOOD))
    path = tmp_path / "archive"  # no suffix: the content tells
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in GOOD.items():
                file.writestr(name, json.dumps(content))
    else:
        tar(path, GOOD, "w:" if kind == "tar" else f"w:{kind}")

    packed = ZulipArchive(path)
    assert list(packed) == list(directory)
    assert packed.conversations() == directory.conversations()
    assert packed.total == directory.total == 4
    assert list(packed) == list(packed)  # as often as wished


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_a_zip_file_that_have_one_name_are_all_read(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as file:
        for posts in ([post(1), post(2)], [post(3)]):
            file.writestr("1-a/t.json", json.dumps(posts))
    messages, problems = split(ZulipArchive(path))
    assert ([m.key for m in messages], problems) == (["zulip:1", "zulip:2", "zulip:3"], [])


def test_a_stream_whose_files_are_scattered_over_the_archive_is_still_in_order(tmp_path: Path) -> None:
    files = {f"{n % 2}1-s/t{n}.json": [post(9 - n)] for n in range(8)}
    messages, problems = split(ZulipArchive(tar(tmp_path / "a", files)))
    assert problems == []
    assert [m.key for m in messages if m.conversation == "01"] == [f"zulip:{n}" for n in (3, 5, 7, 9)]


def test_a_renamed_stream_is_one_conversation(tmp_path: Path) -> None:
    source = ZulipArchive(tree(tmp_path, {"7-new/t.json": [post(2)], "7-old/t.json": [post(1)]}))
    messages, _ = split(source)
    assert [c.key for c in source.conversations()] == ["7"]
    assert [(m.key, m.reply_to) for m in messages] == [("zulip:1", None), ("zulip:2", "zulip:1")]


@pytest.mark.parametrize(
    ("file", "topic"),
    [
        ("a.20b", "a b"),
        ("v1.2E2.20notes", "v1.2 notes"),
        ("April.2022)", "April 22)"),
        ("caf.C3.A9", "café"),
        ("no.escape", "no.escape"),
        ("lower.ba", "lower.ba"),
        ("broken.FF", "broken.FF"),
        ("line.0Abreak", "line\\nbreak"),
        ("", "general chat"),
    ],
)
def test_names_of_topics(tmp_path: Path, file: str, topic: str) -> None:
    messages, _ = split(ZulipArchive(tree(tmp_path, {f"1-a/{file}.json": [post(1)]})))
    assert [m.metadata for m in messages] == [{"topic": topic}]


@pytest.mark.parametrize(
    ("names", "title", "topics"),
    [
        (["7-a/b/t.json"], "a/b", ["t"]),
        (["7-a/b/t.json", "7-a/b/u.json"], "a/b", ["t", "u"]),
        (["7-a/b/c/t.json", "7-a/b/d/t.json"], "a/b", ["c/t", "d/t"]),
        (["7-a/t.json", "7-a/x/y.json"], "a", ["t", "x/y"]),
        (["archive/7-a.20.26/b.2Fc/t.2Fu.json"], "a &/b/c", ["t/u"]),
        (["1-old/7-a/t.json"], "a", ["t"]),
    ],
)
def test_names_with_a_slash(tmp_path: Path, names: list[str], title: str, topics: list[str]) -> None:
    """Whatever is in the names, the stream is that of the nearest folder with a number; nothing is dropped."""
    source = ZulipArchive(tree(tmp_path, {name: [post(number)] for number, name in enumerate(names, 1)}))
    messages, problems = split(source)
    assert problems == []
    assert [(c.key, c.title) for c in source.conversations()] == [("7", title)]
    assert [m.metadata["topic"] for m in messages] == topics
    assert source.total == len(names)


def test_a_json_file_that_is_in_no_stream_is_said(tmp_path: Path) -> None:
    messages, problems = split(ZulipArchive(tree(tmp_path, GOOD | {"zulip/index.json": b"{", "x/garden/t.json": []})))
    assert len(messages) == 4
    assert [(p.place, "skipped" in p.message) for p in problems] == [
        ("x/garden/t.json", True), ("zulip/index.json", True),
    ]  # fmt: skip


def test_servers_that_are_named_are_sources_of_their_own(tmp_path: Path) -> None:
    assert ZulipArchive(tmp_path).name == "zulip"
    assert ZulipArchive(tmp_path, server="Lean Prover").name == "zulip.lean-prover"
    with pytest.raises(ValueError, match="needs letters"):
        ZulipArchive(tmp_path, server="!")


def test_drafts_are_not_converted(tmp_path: Path) -> None:
    source = ZulipArchive(tree(tmp_path, GOOD))
    drafts = [each for each in source.drafts() if isinstance(each, ImportedMessage)]
    assert {each.text for each in drafts} == {"<p>hello</p>"}
    assert [(each.key, each.thread) for each in drafts][:3] == [
        ("zulip:1", "roses"), ("zulip:2", "tulips & more"), ("zulip:3", "roses"),
    ]  # fmt: skip


def test_a_file_that_is_cut_gives_what_is_before_the_cut(tmp_path: Path) -> None:
    cut = json.dumps([post(1), post(2), post(3)]).encode()[:-30]
    messages, problems = split(ZulipArchive(tree(tmp_path, {"1-a/t.json": cut})))
    assert [m.key for m in messages] == ["zulip:1", "zulip:2"]
    assert [(p.place, "after item 2" in p.message) for p in problems] == [("1-a/t.json", True)]


@pytest.mark.parametrize("content", [b"[] x", b"[1,]", b"[{}{}]", b"[", b"[1 2]", b"]", b"\xef\xbb\xbf[", b'"text"'])
def test_what_is_no_list(tmp_path: Path, content: bytes) -> None:
    _, problems = split(ZulipArchive(tree(tmp_path, {"1-a/t.json": content})))
    assert any("JSON" in p.message or "not a list" in p.message for p in problems), problems


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    extra: dict[str, object] = {
        "README.md": b"#",
        "7-x/notes.txt": b"",
        ".git/7-x/t.json": b"",
        "__MACOSX/zulip/7-garden/._roses.json": b"\x00\x05\x16\x07",
        "zulip/7-garden/._roses.json": b"\x00\x05\x16\x07",
    }
    messages, problems = split(ZulipArchive(tree(tmp_path, GOOD | extra)))
    assert (len(messages), problems) == (4, [])


# -------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b'[{"id": 1', "not JSON"),
        (b"\xff\xfe\xfa", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "not a list"),
        (b"null", "not a list"),
    ],
)
def test_a_bad_file_leaves_the_others(tmp_path: Path, content: bytes, message: str) -> None:
    messages, problems = split(ZulipArchive(tree(tmp_path, GOOD | {"zulip/7-garden/bad.json": content})))
    assert len(messages) == 4
    assert [problem.place for problem in problems] == ["zulip/7-garden/bad.json"]
    assert message in problems[0].message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"content": None}, "`content` is not text"),
        ({"sender_full_name": 3}, "`sender_full_name` is not text"),
        ({"sender_full_name": " "}, "`sender_full_name` is empty"),
        ({"id": "5"}, "`id` is not a whole number"),
        ({"id": True}, "`id` is not a whole number"),
        ({"id": 0}, "`id` is out of range"),
        ({"id": 10**30}, "`id` is out of range"),
        ({"timestamp": "now"}, "`timestamp` is not a whole number"),
        ({"timestamp": float("nan")}, "`timestamp` is not a whole number"),
        ({"timestamp": -1}, "`timestamp` is not in seconds"),
        ({"timestamp": BASE * 1000}, "`timestamp` is not in seconds"),
        ({"timestamp": 10**4000}, "`timestamp` is not in seconds"),
        ({"content": ""}, "no text"),
        ({"content": "<p>\n</p>"}, "no text"),
        ({"content": "<![x"}, "cannot be parsed"),
        ({"content": "<div>" * 5_000}, "nested too deeply"),
        ({"content": "x" * 400_001}, "longer than"),
    ],
)
def test_a_bad_message_leaves_the_others(tmp_path: Path, change: dict[str, object], message: str) -> None:
    items = [post(1) | change, post(8), post(9)]
    messages, problems = split(ZulipArchive(tree(tmp_path, {"1-a/t.json": items})))
    assert [(m.key, m.reply_to) for m in messages] == [("zulip:8", None), ("zulip:9", "zulip:8")]
    assert [problem.place for problem in problems] == ["1-a/t.json: item 1"]
    assert message in problems[0].message


@pytest.mark.parametrize("name", ["content", "id", "sender_full_name", "timestamp"])
def test_a_missing_field(tmp_path: Path, name: str) -> None:
    item = {key: value for key, value in post(1).items() if key != name}
    problem = only_problem(ZulipArchive(tree(tmp_path, {"1-a/t.json": [item]})))
    assert f"`{name}` is missing" in problem.message


def test_an_item_that_is_no_object(tmp_path: Path) -> None:
    assert "not an object" in only_problem(ZulipArchive(tree(tmp_path, {"1-a/t.json": [[]]}))).message


def test_a_message_that_is_there_twice_comes_once(tmp_path: Path) -> None:
    messages, problems = split(ZulipArchive(tree(tmp_path, {"1-a/t.json": [post(1)], "1-a/u.json": [post(1)]})))
    assert len(messages) == 1
    assert [(p.place, "appears twice" in p.message) for p in problems] == [("1-a/u.json: item 1", True)]


def test_characters_that_cannot_be_stored(tmp_path: Path) -> None:
    item = json.dumps([post(1, "<p>a\0b\ud800c</p>", author="A\udfff")]).encode()
    messages, _ = split(ZulipArchive(tree(tmp_path, {"1-a/t.json": item})))
    assert [(m.text, m.author) for m in messages] == [("a\ufffdb\ufffdc", "A\ufffd")]


def test_names_that_lead_outside_and_links_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        for name in ("../7-x/t.json", "/7-x/t.json", "a/../../7-x/t.json", "7-x\\..\\t.json"):
            file.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("7-x/link.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
    messages, problems = split(ZulipArchive(path))
    assert messages == []
    assert [("outside" in p.message, "link" in p.message) for p in problems[:5]] == [(True, False)] * 4 + [
        (False, True)
    ]
    assert "no folder" in problems[5].message


def test_links_in_a_directory_are_not_followed(tmp_path: Path) -> None:
    secret = tree(tmp_path / "elsewhere", {"7-y/t.json": [post(1)]})
    folder = tree(tmp_path / "tree", {"7-x/t.json": [post(2)]})
    (folder / "7-x" / "u.json").symlink_to(secret / "7-y" / "t.json")
    (folder / "7-y").symlink_to(secret / "7-y")
    messages, problems = split(ZulipArchive(folder))
    assert [m.key for m in messages] == ["zulip:2"]
    assert [p.place for p in problems] == ["7-x/u.json"]


def test_names_cannot_move_a_cursor(tmp_path: Path) -> None:
    problem = only_problem(ZulipArchive(tar(tmp_path / "a", {"1-a/\x1b[2J.json": b""})))
    assert problem.place == "1-a/\\x1b[2J.json"


def test_a_truncated_archive_gives_what_is_before_the_cut(tmp_path: Path) -> None:
    files = {f"1-a/t{n}.json": [post(n + 1, f"<p>{os.urandom(3000).hex()}</p>")] for n in range(20)}
    whole = tar(tmp_path / "whole", files).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    messages, problems = split(ZulipArchive(tmp_path / "cut"))
    assert 0 < len(messages) < 20
    assert "damaged after file" in problems[0].message


def test_a_tar_file_that_was_cut_between_two_files(tmp_path: Path) -> None:
    data = tar(tmp_path / "whole", GOOD, "w:").read_bytes()
    (tmp_path / "cut").write_bytes(data[: 2 * 1024])
    messages, problems = split(ZulipArchive(tmp_path / "cut"))
    assert [m.key for m in messages] == ["zulip:1", "zulip:2", "zulip:3"]
    assert [("no end mark" in p.message) for p in problems] == [True]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a directory"),
        (b"\x89PNG\r\n\x1a\n" + bytes(2000), "not a directory"),
        (b"PK\x03\x04 but no zip file", "not a zip file"),
        (lzma.compress(b"only text"), "not a directory"),
        (lzma.compress(os.urandom(5000))[:100], "ended before"),
    ],
    ids=["empty", "an image", "no zip", "no archive", "cut off"],
)
def test_a_file_of_the_wrong_kind(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    source = ZulipArchive(path)
    assert message in only_problem(source).message
    assert (source.conversations(), source.total) == ([], None)


def test_a_directory_without_streams_and_a_missing_one(tmp_path: Path) -> None:
    assert "no folder <stream id>-<stream>" in only_problem(ZulipArchive(tmp_path)).message
    assert "no such file" in only_problem(ZulipArchive(tmp_path / "absent")).message


@pytest.mark.parametrize("pack", ["tar", "zip", "directory"])
def test_a_file_that_inflates_too_far_is_left_out(tmp_path: Path, pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = GOOD | {"zulip/7-garden/bomb.json": b" " * 1_000_000}
    path = tmp_path / "archive"
    if pack == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in files.items():
                file.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
    elif pack == "tar":
        tar(path, files)
    else:
        tree(path, files)
    monkeypatch.setattr(archive, "FILE_LIMIT", 100_000)
    messages, problems = split(ZulipArchive(path))
    assert len(messages) == 4
    assert [(p.place, "larger than" in p.message) for p in problems] == [("zulip/7-garden/bomb.json", True)]


def test_a_header_cannot_claim_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tar.xz"
    with tarfile.open(path, "w:xz") as file:
        file.addfile(tarfile.TarInfo("1-a/t.json"))
        file.addfile(tarfile.TarInfo("n" * 500_000))  # a long name is a file of its own
    monkeypatch.setattr(archive, "FILE_LIMIT", 100_000)
    _, problems = split(ZulipArchive(path))
    assert "impossible size" in problems[0].message


def test_limits_of_an_archive_and_of_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tar(tmp_path / "a", {f"1-a/t{n}.json": [post(n + 1)] for n in range(9)})
    monkeypatch.setattr(zulip, "STREAM_LIMIT", 200)
    messages, problems = split(ZulipArchive(path))
    assert (len(messages), len(problems)) == (2, 7)
    assert "stream is larger" in problems[0].message
    monkeypatch.setattr(archive, "FILES_LIMIT", 1)
    messages, problems = split(ZulipArchive(path))
    assert (len(messages), len(problems)) == (1, 1)
    assert "more than 1 files" in problems[0].message


# ---------------------------------------------------------------------------------------- HTML to Markdown

USER = '<span class="user-mention" data-user-id="1">@Ada Lovelace</span>'
SILENT = '<span class="user-mention silent" data-user-id="1">Ada Lovelace</span>'
KATEX = (
    '<span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>x</mi></mrow>'
    '<annotation encoding="application/x-tex">x_1 &lt; y\n</annotation></semantics></math></span>'
    '<span class="katex-html">x1&lt;y</span></span>'
)
CODE = (
    '<div class="codehilite" data-code-language="Lean"><pre><span></span><code><span class="kd">def</span> '
    '<span class="n">f_x</span> <span class="o">:=</span> 1\n\n  <span class="c">-- &lt;b&gt; *</span>\n'
    "</code></pre></div>"
)
UPLOAD = '<a href="/user_uploads/1/ab/cat.png">cat.png</a>'
PREVIEW = (
    '<div class="message_inline_image"><a href="/user_uploads/1/ab/cat.png" title="cat.png">'
    '<img src="/t.png"></a></div>'
)

CONSTRUCTS = {
    "text": ("<p>Grüße &amp; 2*3*4 &lt;b&gt; snake_case_name</p>", "Grüße & 2*3*4 <b> snake_case_name"),
    "paragraphs": ("<p>a  b</p>\n<p></p>\n<p>c</p>", "a b\n\nc"),
    "no markup": ("example.org/page.html", "example.org/page.html"),
    "looks like XML": ('<?xml version="1.0"?><p>a</p>', 'xml version="1.0"?\n\na'),
    "line break": ("<p>a <br>\nb<br/>c</p>", "a\nb\nc"),
    "emphasis": ("<p><strong>a</strong> <em>b</em> <del>c</del></p>", "**a** *b* ~~c~~"),
    "inline code": ("<p><code>a*b_c</code> and <code>a`b</code></p>", "`a*b_c` and `` a`b ``"),
    "heading": (f"<h2>Call with {SILENT}</h2>\n<p>x</p>", "## Call with Ada Lovelace\n\nx"),
    "rule": ("<p>a</p>\n<hr>\n<p>b</p>", "a\n\n---\n\nb"),
    "code block": (f"<p>see</p>\n{CODE}<p>x</p>", "see\n\n```lean\ndef f_x := 1\n\n  -- <b> *\n```\n\nx"),
    "code without language": ('<div class="codehilite"><pre><span></span>a\n</pre></div>', "```\na\n```"),
    "plain text code": ('<div data-code-language="Text only"><pre>a</pre></div>', "```\na\n```"),
    "two words of language": (
        '<div data-code-language="Bash Session"><pre>$</pre></div>',
        "```bash-session\n$\n```",
    ),
    "code with a fence": ("<pre>```\nx\n```</pre>", "````\n```\nx\n```\n````"),
    "empty code": ("<p>a</p><pre>\n</pre>", "a"),
    "formula": (f"<p>If {KATEX}, then</p>", "If $$x_1 < y$$, then"),
    "display formula": (
        f'<p>so</p><p><span class="katex-display">{KATEX}</span></p>',
        "so\n\n```math\nx_1 < y\n```",
    ),
    "formula in a heading": (f'<h1><span class="katex-display">{KATEX}</span></h1>', "# $$x_1 < y$$"),
    "broken formula": ('<p><span class="tex-error">$$\\Q$$</span></p>', "$$\\Q$$"),
    "mention": (f"<p>{USER}, see {SILENT}</p>", "@Ada Lovelace, see Ada Lovelace"),
    "group": ('<p><span class="user-group-mention" data-user-group-id="2">@staff</span></p>', "@staff"),
    "emoji": ('<p>a <span class="emoji emoji-1f44d" title="thumbs up">:+1:</span></p>', "a 👍"),
    "emoji of many": (
        '<p><span class="emoji emoji-1f926-200d-2642">:man_facepalming:</span></p>',
        "🤦\u200d♂",
    ),
    "emoji out of range": ('<p><span class="emoji emoji-d800">:odd:</span></p>', ":odd:"),
    "own emoji": ('<p><img alt=":lean:" class="emoji" src="https://x/y.png" title="lean"></p>', ":lean:"),
    "time": (
        '<p>at <time datetime="2024-02-29T16:00:00Z">2024-02-29T11:00:00-05:00</time>.</p>',
        "at 2024-02-29 16:00 UTC.",
    ),
    "no time": ('<p><time datetime="0001-01-01T00:00:00+23:00">soon</time></p>', "soon"),
    "link": (
        '<p>a <a href="https://x.org/a_b" title="t">the *page*</a></p>',
        "a [the *page*](https://x.org/a_b)",
    ),
    "bare link": ('<p>(<a href="https://x.org/a_b">https://x.org/a_b</a>)</p>', "(https://x.org/a_b)"),
    "link without scheme": ('<p><a href="http://x.org">x.org</a></p>', "http://x.org"),
    "mail": ('<p><a href="mailto:a@x.org">a@x.org</a></p>', "a@x.org"),
    "brackets": ('<p><a href="https://x.org/a_(b">[x</a></p>', "[\\[x](https://x.org/a_%28b)"),
    "relative link": (
        '<p><a class="stream" href="/#narrow/stream/7">#garden</a></p>',
        "[#garden](/#narrow/stream/7)",
    ),
    "image": ('<p><img src="/a.png" alt="a cat"></p>', "![a cat](/a.png)"),
    "upload and preview": (
        f"<p>{UPLOAD}</p>\n{PREVIEW}<p>b</p>",
        "[cat.png](/user_uploads/1/ab/cat.png)\n\nb",
    ),
    "preview alone": (PREVIEW, "[cat.png](/user_uploads/1/ab/cat.png)"),
    "two previews": (PREVIEW + PREVIEW, "[cat.png](/user_uploads/1/ab/cat.png)"),
    "tweet": (
        '<p><a href="https://t/1">https://t/1</a></p>'
        '<div class="inline-preview-twitter"><div class="twitter-tweet">'
        '<a href="https://t/1"><img src="x"></a><p>Long text</p></div></div>',
        "https://t/1",
    ),
    "video": ('<p><video preload="metadata" src="/v/clip.mp4"></video></p>', "[clip.mp4](/v/clip.mp4)"),
    "audio": ('<p><audio controls src="/v/1" title="song"></audio></p>', "[song](/v/1)"),
    "quote": (
        f'<p>{SILENT} <a href="#narrow/near/5">said</a>:</p>\n'
        "<blockquote>\n<p>a<br>\nb</p>\n<p>c</p>\n</blockquote>\n<p>d</p>",
        "Ada Lovelace [said](#narrow/near/5):\n\n> a\n> b\n>\n> c\n\nd",
    ),
    "nested quote": ("<blockquote><blockquote><p>a</p></blockquote><p>b</p></blockquote>", "> > a\n>\n> b"),
    "code in a quote": ("<blockquote><pre>a\n\nb</pre></blockquote>", "> ```\n> a\n>\n> b\n> ```"),
    "list": (
        "<ul>\n<li>a</li>\n<li>b\n<ul>\n<li>c</li>\n</ul>\n</li>\n</ul>\n<p>d</p>",
        "- a\n- b\n  - c\n\nd",
    ),
    "numbers": ('<ol start="9"><li>a</li><li><p>b</p><p>c</p></li></ol>', "9. a\n10. b\n\n    c"),
    "spoiler": (
        '<div class="spoiler-block"><div class="spoiler-header">\n<p>the <strong>end</strong></p>\n</div>'
        '<div class="spoiler-content" aria-hidden="true">\n<p>a</p>\n<p>b</p>\n</div></div>',
        "**Spoiler: the end**\n\n> a\n>\n> b",
    ),
    "spoiler without title": (
        '<div class="spoiler-block"><div class="spoiler-header">\n</div>'
        '<div class="spoiler-content"><p>a</p></div></div>',
        "**Spoiler**\n\n> a",
    ),
    "table": (
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td><code>x|y</code></td><td>2</td></tr></tbody></table>",
        "| a | b |\n| --- | --- |\n| `x\\|y` | 2 |",
    ),
    "me": ("<p>/me waves</p>", "/me waves"),
    "unknown element": ("<p><blink>a</blink></p>", "a"),
    "script": ("<p>a</p><script>b</script>", "a"),
}


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_markdown(name: str) -> None:
    content, expected = CONSTRUCTS[name]
    assert markdown(content) == expected


@pytest.mark.parametrize(
    "content",
    [
        "<ol>" + "<li>a</li>" * 12_000,
        "<b>" + " " * 300_000 + "a",
        "<p>" + " " * 300_000 + "a</p>",
        '<div class="message_inline_image"><a href="x">' * 8_000,
        "<!--" * 90_000,
        "<b>" + "&" * 300_000,
    ],
    ids=["items", "gap", "plain gap", "previews", "comments", "ampersands"],
)
def test_no_message_takes_the_square_of_its_length(content: str) -> None:
    started = time.process_time()
    with contextlib.suppress(Unreadable):
        markdown(content)
    assert time.process_time() - started < 10


def test_a_gap_in_code_is_kept() -> None:
    assert markdown("<pre>a" + " " * 1000 + "b</pre>") == "```\na" + " " * 1000 + "b\n```"


# ------------------------------------------------------------------------------------------- the real thing


@pytest.fixture(scope="module")
def real() -> Path:
    return needs.real_data("zulip-archive-slice.tar.xz")


@pytest.fixture(scope="module")
def raw(real: Path) -> dict[str, dict[str, object]]:
    """Every message as stored, read without the code under test."""
    posts: dict[str, dict[str, object]] = {}
    with tarfile.open(real) as file:
        for member in file:
            content = file.extractfile(member)
            if content is not None:
                posts |= {f"zulip:{item['id']}": item for item in json.load(content)}
    return posts


@pytest.fixture(scope="module")
def messages(real: Path) -> list[ImportedMessage]:
    started = time.process_time()
    messages, problems = split(ZulipArchive(real))
    assert problems == []
    assert time.process_time() - started < 30  # about 3 s on a small machine
    return messages


@pytest.mark.slow
def test_real_counts(real: Path, raw: dict[str, dict[str, object]], messages: list[ImportedMessage]) -> None:
    source = ZulipArchive(real)
    titles = ["IMO-grand-challenge", "Geographic-locality", "Zulip-meta", "Codewars", "job-postings", "std4"]
    assert [c.title for c in source.conversations()] == titles
    assert source.total == len(messages) == len(raw) == 10_209
    assert len({(m.conversation, m.metadata["topic"]) for m in messages}) == 822
    assert len({m.author for m in messages}) == 853


@pytest.mark.slow
def test_real_keys_and_order(messages: list[ImportedMessage], raw: dict[str, dict[str, object]]) -> None:
    assert {m.key: (m.author, m.at // 1000) for m in messages} == {
        key: (item["sender_full_name"], item["timestamp"]) for key, item in raw.items()
    }
    assert all(re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", m.key) for m in messages)
    orders: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    seen: dict[str, ImportedMessage] = {}
    for message in messages:
        orders[message.conversation].append((message.at, int(message.key.removeprefix("zulip:"))))
        if message.reply_to is not None:
            first = seen[message.reply_to]
            assert (first.conversation, first.metadata) == (message.conversation, message.metadata)
            assert first.reply_to is None
        seen[message.key] = message
    assert all(order == sorted(order) for order in orders.values())
    assert sum(m.reply_to is None for m in messages) == 822


@pytest.mark.slow
def test_real_texts_have_every_word_once(messages: list[ImportedMessage], raw: dict[str, dict[str, object]]) -> None:
    """In messages of text, emphasis, code, quotes, lists and mentions nothing is lost, doubled or added."""
    compared = 0
    for message in messages:
        content = str(raw[message.key]["content"])
        if re.search(r"<(a|div|span|time|ol|img)\b(?! class=\"user)", content):
            continue
        visible = BeautifulSoup(f"<body>{content}</body>", "html.parser").get_text()
        assert re.findall(r"\w", message.text) == re.findall(r"\w", visible), message.key
        compared += 1
    assert compared > 7_000


@pytest.mark.slow
def test_real_texts_have_no_markup_left(messages: list[ImportedMessage], raw: dict[str, dict[str, object]]) -> None:
    for message in messages:
        content = str(raw[message.key]["content"])
        if "&lt;" not in content:  # people do write of tags
            assert not re.search(r"</?(p|div|span|code|br|a|li|img|time|math)\b[^>]*>", message.text), message.key
        if "\\" not in content:
            assert "\\" not in message.text, message.key
        assert "\n\n\n" not in message.text or "\n\n\n" in content, message.key


@pytest.mark.slow
def test_real_plain_messages_come_out_the_same_by_the_long_way(messages: list[ImportedMessage]) -> None:
    for message in messages[::50]:
        paragraphs = message.text.split("\n\n")
        if re.fullmatch(r"[\w ,.?!'\n]+", message.text):
            content = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
            assert markdown(content) == markdown(content + "<b></b>") == message.text
