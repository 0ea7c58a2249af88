"""WeeChat logs: who said what and when, keys that stay the same, lines that are not what they should be."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatnode.importers import ImportedMessage, IrcLog, Problem, Source, irc
from tests import needs

SAMPLE = """\
2013-04-30 14:02:06\t-->\tada (~ada@host.example) has joined #garden
2013-04-30 14:02:08\tada\thello
2013-04-30 14:02:09\t--\tMode #garden [+o ada] by ChanServ
2013-04-30 14:02:10\t@ada\thello
2013-04-30 14:03:00\t *\tada waves to Bob
2013-04-30 14:03:01\tBob[m]\t\tindented, then\ta tab
2013-04-30 14:03:02\tbob{M}\tsame person
2013-04-30 14:03:03\t<--\tBob[m] (bob@host.example) has quit (Quit: x has joined #evil)
2013-04-30 14:03:04\t=!=\terror
"""


def log(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def split(source: Source) -> tuple[list[ImportedMessage], list[Problem]]:
    items = list(source)
    messages = [item for item in items if isinstance(item, ImportedMessage)]
    return messages, [item for item in items if isinstance(item, Problem)]


def said(tmp_path: Path, text: str | bytes) -> str:
    """What becomes of one text."""
    raw = text if isinstance(text, bytes) else text.encode()
    messages, problems = split(IrcLog(log(tmp_path / "x.log", b"2013-04-30 14:02:06\tada\t" + raw + b"\n")))
    assert problems == []
    return messages[0].text


def milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()) * 1000


def test_messages_and_what_is_none(tmp_path: Path) -> None:
    source = IrcLog(log(tmp_path / "a.log", SAMPLE))
    messages, problems = split(source)

    assert problems == []
    assert (source.kind, source.total) == ("irc", 5)
    assert [(c.key, c.title) for c in source.conversations()] == [("#garden", "#garden")]
    assert [(m.author, m.text) for m in messages] == [
        ("ada", "hello"),
        ("ada", "hello"),
        ("ada", "/me waves to Bob"),
        ("Bob[m]", "\tindented, then\ta tab"),
        ("Bob[m]", "same person"),
    ]
    assert messages[0].at == milliseconds("2013-04-30T14:02:08")
    assert {(m.conversation, m.reply_to) for m in messages} == {("#garden", None)}
    assert all(re.fullmatch(r"irc:[0-9a-f]{32}", m.key) for m in messages)
    assert list(source) == list(source)


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress, bz2.compress])
def test_compressed_logs(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    plain = IrcLog(log(tmp_path / "a.log", SAMPLE))
    packed = IrcLog(log(tmp_path / "b", pack(SAMPLE.encode())))  # no suffix: the content tells
    assert list(packed) == list(plain)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("irc.libera.#Garden[x].weechatlog.xz", "#Garden[x]"),
        ("irc.libera.ada.weechatlog", "irc.libera.ada"),
        ("talk.log.gz", "talk"),
    ],
)
def test_a_log_without_joins_is_named_by_its_file(tmp_path: Path, name: str, title: str) -> None:
    source = IrcLog(log(tmp_path / name, "2013-04-30 14:02:08\tada\thello\n"))
    assert [(c.key, c.title) for c in source.conversations()] == [(irc.fold(title), title)]


@pytest.mark.parametrize(
    ("name", "source", "key"),
    [
        ("irc.libera.#garden.weechatlog", "irc.libera", "#garden"),
        ("irc.libera.#garden.2013-05.weechatlog", "irc.libera", "#garden"),
        ("irc.libera.#garden.2013-05-31.weechatlog", "irc.libera", "#garden"),
        ("irc.libera.#garden.weechatlog-20130501.gz", "irc.libera", "#garden"),
        ("irc.libera.#garden.weechatlog.2.gz", "irc.libera", "#garden"),
        ("irc.Libera.Chat.#Garden.weechatlog", "irc.libera-chat", "#garden"),
        ("irc.libera.#v1.2.weechatlog", "irc.libera", "#v1.2"),
        ("irc.libera.#fosdem-2013.weechatlog", "irc.libera", "#fosdem-2013"),
        ("irc/libera/#garden/2013-05.weechatlog", "irc.libera", "#garden"),
        ("irc/libera/#garden.weechatlog", "irc.libera", "#garden"),
        ("#garden/2013-05.weechatlog", "irc", "#garden"),
        ("garden.log", "irc", "garden"),
    ],
)
def test_network_and_channel_by_the_place_of_a_log(tmp_path: Path, name: str, source: str, key: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    found = IrcLog(log(path, "2013-05-30 14:02:08\tada\thello\n"))
    assert (found.name, [c.key for c in found.conversations()]) == (source, [key])


def test_network_and_channel_as_they_are_said(tmp_path: Path) -> None:
    path = log(tmp_path / "irc.libera.#garden.weechatlog", SAMPLE)
    found = IrcLog(path, network="OFTC", channel="#Kitchen")
    assert (found.name, found.conversations()[0].key, found.conversations()[0].title) == (
        "irc.oftc", "#kitchen", "#Kitchen",
    )  # fmt: skip
    assert IrcLog(path, network="").name == "irc"
    with pytest.raises(ValueError, match="needs letters"):
        IrcLog(path, network="..")


@pytest.mark.parametrize(
    "line",
    [
        "-->\tada (~ada@host.example) has joined #Garden",
        "<--\tada (~ada@host.example) has left #Garden (bye)",
        "--\tMode #Garden [+o ada] by ChanServ",
        '--\tTopic for #Garden is "roses"',
        '--\tada has changed topic for #Garden from "x" to "y"',
        "--\tChannel #Garden: 7 nicks (1 op, 6 normals)",
    ],
)
def test_a_line_that_names_the_channel(tmp_path: Path, line: str) -> None:
    """So that a month in which nobody joined is of the same channel."""
    content = (
        "2013-05-30 14:00:00\t<--\tbob (x) has quit (Quit: has left #evil)\n"
        "2013-05-30 14:00:00\tada\thas joined #evil\n"
        f"2013-05-30 14:00:01\t{line}\n2013-05-30 14:00:02\t-->\tbob (x) has joined #garden\n"
    )
    assert IrcLog(log(tmp_path / "2013-05.log", content)).conversations()[0].key == "#garden"


def test_nicks_and_channels_are_compared_as_irc_does(tmp_path: Path) -> None:
    assert irc.fold("#Ada[]\\^_Ä") == "#ada{}|~_Ä"
    lines = "".join(f"2013-04-30 14:02:0{n}\t{nick}\tx\n" for n, nick in enumerate(["~&Ada|", "+ADA\\", "%ada|"]))
    messages, _ = split(IrcLog(log(tmp_path / "a.log", lines)))
    assert [m.author for m in messages] == ["Ada|"] * 3


# ---------------------------------------------------------------------------------------------------- keys


def test_identical_lines_have_keys_of_their_own(tmp_path: Path) -> None:
    line = "2013-04-30 14:02:08\tada\thello\n"
    messages, _ = split(IrcLog(log(tmp_path / "a.log", line * 3)))
    assert len({m.key for m in messages}) == 3


def test_keys_do_not_change_when_the_log_grows_or_is_compressed(tmp_path: Path) -> None:
    before = [m.key for m in split(IrcLog(log(tmp_path / "a.log", SAMPLE)))[0]]
    more = SAMPLE + "2013-04-30 14:03:04\tada\tnew\n" + "2013-04-29 10:00:00\tada\tfrom a clock that was set back\n"
    after = [m.key for m in split(IrcLog(log(tmp_path / "b.xz", lzma.compress(more.encode()))))[0]]
    assert after[0] not in before
    assert after[1:-1] == before


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_log_that_was_cut_at_its_beginning_has_the_keys_of_what_is_left(tmp_path: Path, cut: int) -> None:
    """As logrotate does. Also if the cut goes through lines of one second, or takes the first spelling of a nick."""
    whole = (
        "2013-04-30 14:02:08\tAda\thello\n2013-04-30 14:02:08\tada\thello\n2013-04-30 14:02:08\tADA\thello\n"
        "2013-04-30 14:02:08\tbob\thello\n2013-04-30 14:02:09\tada\thello\n2013-04-30 14:02:09\tada\thello\n"
        "2013-04-30 14:03:00\t *\tada waves\n2013-04-30 14:03:00\t *\tada waves\n2013-04-30 14:03:01\tBob\tbye\n"
    )
    before, _ = split(IrcLog(log(tmp_path / "a.log", whole)))
    after, _ = split(IrcLog(log(tmp_path / "b.log", "".join(whole.splitlines(keepends=True)[cut:]))))
    assert {m.key for m in after} <= {m.key for m in before}
    assert len({m.key for m in after}) == 9 - cut
    assert {m.author_key for m in before} == {"ada", "bob"}


@pytest.mark.parametrize("cut", range(1, 6))
def test_also_in_the_hour_that_is_repeated(tmp_path: Path, cut: int) -> None:
    times = ["01:59:00", "02:30:00", "02:59:00", "02:30:00", "02:31:00", "03:00:00"]
    lines = [f"2013-10-27 {time}\tada\thi\n" for time in times]
    before, _ = split(IrcLog(log(tmp_path / "a.log", "".join(lines)), "Europe/Berlin"))
    after, _ = split(IrcLog(log(tmp_path / "b.log", "".join(lines[cut:])), "Europe/Berlin"))
    keys = {m.key for m in before}
    assert len(keys) == 6
    assert len(after) == 6 - cut
    assert all(keys & {m.key, *m.also} for m in after)
    assert all(not m.also for m in before)  # where the log tells which pass it is, nothing is guessed


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: raw.decode().encode("latin-1"),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw.replace(b"\tada\t", b"\t@ADA\t"),
    ],
    ids=["CRLF", "Latin-1", "with a mark", "privileges and case"],
)
def test_the_same_log_in_another_form_has_the_same_keys(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    content = "2013-04-30 14:02:08\tada\tcafé\n2013-04-30 14:02:09\tbob\tgrüße\n".encode()
    one, other = (split(IrcLog(log(tmp_path / n, each)))[0] for n, each in (("a", content), ("b", change(content))))
    assert [m.key for m in one] == [m.key for m in other]


def test_a_sample_has_both_ends(tmp_path: Path) -> None:
    content = "".join(f"2013-04-30 14:{n // 60:02}:{n % 60:02}\tada\tline {n}\n" for n in range(1000))
    source = IrcLog(log(tmp_path / "a.log", content))
    keys = [m.key for m in split(source)[0]]
    assert list(source.conversations()[0].sample) == [*keys[:250], *keys[-250:]]


def test_keys_do_not_depend_on_line_numbers_privileges_or_letter_case(tmp_path: Path) -> None:
    before = [m.key for m in split(IrcLog(log(tmp_path / "a.log", SAMPLE)))[0]]
    changed = SAMPLE.replace("\tada\t", "\t+Ada\t").replace(
        "2013-04-30 14:02:09\t--\tMode #garden [+o ada] by ChanServ\n", ""
    )
    assert [m.key for m in split(IrcLog(log(tmp_path / "b.log", changed)))[0]] == before


def test_keys_are_these(tmp_path: Path) -> None:
    """A change of this value makes every import of a known log an import of everything."""
    messages, _ = split(IrcLog(log(tmp_path / "a.log", SAMPLE)))
    assert messages[0].key == "irc:2f204d846920de8faba0295d571e1a45"


# ---------------------------------------------------------------------------------------------------- time


def test_times_are_local_to_a_zone(tmp_path: Path) -> None:
    path = log(tmp_path / "a.log", "2013-04-30 14:02:08\tada\thello\n")
    here, there = (split(IrcLog(path, zone))[0][0] for zone in (None, "Europe/Berlin"))
    assert here.at - there.at == 2 * 3600 * 1000
    assert here.key == there.key


def test_the_hour_that_summer_time_repeats(tmp_path: Path) -> None:
    times = ["01:59:00", "02:30:00", "02:59:00", "02:30:00", "02:59:00", "03:00:00"]
    content = "".join(f"2013-10-27 {time}\tada\thi\n" for time in times)
    messages, _ = split(IrcLog(log(tmp_path / "a.log", content), "Europe/Berlin"))
    first = milliseconds("2013-10-26T23:59:00")
    assert [(m.at - first) // 60_000 for m in messages] == [0, 31, 60, 91, 120, 121]
    assert len({m.key for m in messages}) == 6


def test_a_clock_that_was_set_back(tmp_path: Path) -> None:
    content = "2013-04-30 14:00:00\tada\tb\n2013-04-30 13:00:00\tada\ta\nnonsense\n2013-04-30 14:00:00\tada\tc\n"
    source = IrcLog(log(tmp_path / "a.log", content))
    messages, problems = split(source)
    assert [m.text for m in messages] == ["a", "b", "c"]
    assert [p.place for p in problems] == ["a.log:3"]
    assert source.total == 3


def test_times_that_name_their_zone(tmp_path: Path) -> None:
    content = "2013-04-30T14:00:00.250Z\tada\ta\n2013-04-30T16:00:01+02:00\tada\tb\n"
    messages, _ = split(IrcLog(log(tmp_path / "a.log", content), "Asia/Tokyo"))
    start = milliseconds("2013-04-30T14:00:00")
    assert [m.at - start for m in messages] == [250, 1000]


@pytest.mark.parametrize("zone", ["Middle/Earth", "", "../../etc/passwd", "\0"])
def test_an_unknown_zone(tmp_path: Path, zone: str) -> None:
    with pytest.raises(ValueError, match="unknown time zone"):
        IrcLog(tmp_path / "a.log", zone)


# ---------------------------------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Grüße 👍  two  spaces ", "Grüße 👍  two  spaces"),
        ("*a* `b` <c> \\d", "*a* `b` <c> \\d"),
        ("\x02bold\x0f \x0304,12red\x03 \x04ff0000hex\x04 \x1di\x1du\x1f", "bold red hex iu"),
        ("\x0312345", "345"),
        ("bell\x07 \x08 \x00 \x7f", "bell␇ ␈ ␀ ␡"),
        ("caf\xe9 \x93x\x94 \x80 \x81".encode("latin-1"), "café “x” € \x81"),
        ("a\u2028b\x0bc", "a\u2028b␋c"),
    ],
)
def test_text(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert said(tmp_path, text) == expected


def test_one_line_that_is_not_utf8_does_not_change_the_others(tmp_path: Path) -> None:
    content = "2013-04-30 14:02:08\tada\té\n".encode() + b"2013-04-30 14:02:09\tada\t\xe9\r\n"
    messages, _ = split(IrcLog(log(tmp_path / "a.log", b"\xef\xbb\xbf" + content)))
    assert [m.text for m in messages] == ["é", "é"]


# -------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("only words", "not a date and time"),
        ("2013-04-30 14:02:08 ada hello", "not a date and time"),
        ("2013-04-30 14:02:08\tada hello", "expected time, tab"),
        ("2013-04-31 14:02:08\tada\thello", "not a date and time"),
        ("1913-04-30 14:02:08\tada\thello", "not a date and time"),
        ("9999-12-31 23:59:59\tada\thello", "not a date and time"),
        ("2013-04-30\tada\thello", "not a date and time"),
        ("\tada\thello", "not a date and time"),
        ("2013-04-30 14:02:08\ttwo words\thello", "is not a nick"),
        ("2013-04-30 14:02:08\t@\thello", "is not a nick"),
        ("2013-04-30 14:02:08\t⇐\tada left", "is not a nick"),
        ("2013-04-30 14:02:08\t *\t", "is not a nick"),
        ("2013-04-30 14:02:08\tada\t", "no text"),
        ("2013-04-30 14:02:08\tada\t \x02\x0f", "no text"),
        ("2013-04-30 14:02:08\tada\t" + "x" * 2_000_000, "longer than"),
    ],
)
def test_a_bad_line_leaves_the_others(tmp_path: Path, line: str, message: str) -> None:
    source = IrcLog(log(tmp_path / "a.log", f"{SAMPLE}{line}\n\n2013-04-30 15:00:00\tada\tend"))
    messages, problems = split(source)
    assert len(messages) == source.total == 6
    assert [p.place for p in problems] == ["a.log:10"]
    assert message in problems[0].message


def test_marks_of_the_logger_are_no_messages(tmp_path: Path) -> None:
    content = "2013-04-30 14:02:08\t****  Beginning of log  ****\n2013-04-30 14:02:08\tada\thello\n"
    messages, problems = split(IrcLog(log(tmp_path / "a.log", content)))
    assert (len(messages), problems) == (1, [])


@pytest.mark.parametrize(("pack", "count"), [(lzma.compress, 1_500), (gzip.compress, 1_500), (bz2.compress, 4_000)])
def test_a_truncated_file_gives_what_is_before_the_cut(
    tmp_path: Path, pack: Callable[[bytes], bytes], count: int
) -> None:
    lines = [f"2013-04-30 14:02:08\tada\t{os.urandom(200).hex()}\n" for _ in range(count)]
    whole = pack("".join(lines).encode())
    source = IrcLog(log(tmp_path / "a", whole[: len(whole) * 3 // 4]))
    messages, problems = split(source)
    assert count / 8 < len(messages) < count * 7 / 8
    assert source.total == len(messages)
    assert [m.text for m in messages] == [line.rstrip().split("\t")[2] for line in lines[: len(messages)]]
    assert [p.place for p in problems] == [f"a:{len(messages) + 1}"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50, "WeeChat log"),
        (b"[12:00] <ada> hello\n" * 1000, "WeeChat log"),
        (lzma.compress(b"")[:20], "WeeChat log"),
        (lzma.compress(b""), "empty"),
    ],
)
def test_a_file_of_the_wrong_kind_is_one_problem(tmp_path: Path, content: bytes, message: str) -> None:
    source = IrcLog(log(tmp_path / "a.log", content))
    messages, problems = split(source)
    assert (messages, len(problems), source.conversations(), source.total) == ([], 1, [], None)
    assert message in problems[0].message


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "absent", "No such file"), (tmp_path, "Is a directory")):
        messages, problems = split(IrcLog(path))
        assert messages == []
        assert [message in problem.message for problem in problems] == [True]


# ------------------------------------------------------------------------------------------- the real thing


@pytest.fixture(scope="module")
def real() -> Path:
    return needs.real_data("irc.weechatlog.xz")


def test_real_log(real: Path) -> None:
    source = IrcLog(real)
    messages, problems = split(source)
    assert problems == []
    assert source.total == len(messages) == len({m.key for m in messages}) == 4_471
    assert [c.title for c in source.conversations()] == ["#laravel"]
    assert [m.at for m in messages] == sorted(m.at for m in messages)
    with lzma.open(real) as file:
        lines = [line.split("\t", 2) for line in file.read().decode().split("\n")[:-1]]
    spoken = [line for line in lines if line[1] not in ("-->", "<--")]
    assert [irc.fold(m.author) for m in messages] == [irc.fold(line[1]) for line in spoken]
    assert [m.text for m in messages] == [line[2].rstrip(" ").replace("\x08", "␈") for line in spoken]


def test_real_log_cut_in_the_middle_has_the_same_keys(real: Path, tmp_path: Path) -> None:
    with lzma.open(real) as file:
        lines = file.read().split(b"\n")
    half = log(tmp_path / "half.log", b"\n".join(lines[:4000]) + b"\n")
    keys = [m.key for m in split(IrcLog(half))[0]]
    assert keys == [m.key for m in split(IrcLog(real))[0]][: len(keys)]
