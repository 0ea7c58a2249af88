"""What people type, what they see, and with which status it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio

from chatnode import __version__
from chatnode.cli import opening
from chatnode.cli.opening import operator
from chatnode.services import COMMANDS
from chatnode.storage.engine.directory import DataDirectory

from .command import PATIENCE, Done, Serving, chatnode, command_line, environment, run

SECRET = "the password of a test"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\n")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A node that serves, for all tests here that need no other."""
    serving = Serving(tmp_path_factory.mktemp("serving") / "data")
    yield serving
    serving.kill()


@pytest.fixture(params=["serving", "alone"])
def anywhere(request: pytest.FixtureRequest) -> Path:
    """A directory whose node serves, and one that nobody holds: to the command they are the same."""
    if request.param == "serving":
        return request.getfixturevalue("serving").data
    return request.getfixturevalue("data")


def ok(done: Done) -> str:
    """What was printed by a command that did what it was told."""
    assert done.status == 0, done
    assert "Traceback" not in done.err
    return done.out


def call(data: Path, command: str, *fields: str) -> Any:
    return json.loads(ok(chatnode(data, "call", command, *fields)))


# ---- accounts and tokens


def test_an_account_a_token_and_a_call(anywhere: Path) -> None:
    printed = ok(chatnode(anywhere, "user", "add", "Ann", "--name", "Ann Lee", "--password-stdin", stdin=SECRET + "\n"))
    handle, id = printed.split()
    assert handle == "ann"
    assert call(anywhere, "people.get", "person=ann") == {"person": {"id": id, "handle": "ann", "name": "Ann Lee"}}
    assert TOKEN.fullmatch(ok(chatnode(anywhere, "token", "create", "ann")))
    signed_in = call(anywhere, "sessions.create", "handle=ann", f"password={SECRET}")
    assert signed_in["person"]["id"] == id

    taken = chatnode(anywhere, "user", "add", "ann", "--no-password")
    assert (taken.status, taken.out) == (1, "")
    assert taken.err == "chatnode: the handle ann is taken (handle) [conflict]\n"


def test_passwords_are_no_arguments_and_are_never_shown(data: Path) -> None:
    outputs = [
        chatnode(data, "user", "add", "bea", "--password-stdin", stdin=SECRET + "\n"),
        chatnode(data, "user", "add", "bea", "--password-stdin", stdin=SECRET + "\n"),  # refused
        chatnode(data, "user", "password", "bea", "--password-stdin", stdin=SECRET + "\n"),
        chatnode(data, "user", "password", "nobody", "--password-stdin", stdin=SECRET + "\n"),
    ]
    assert [done.status for done in outputs] == [0, 1, 0, 1]
    assert not any(SECRET in done.out + done.err for done in outputs)
    for arguments in (("user", "add", "cy", "--password", SECRET), ("user", "password", "bea", SECRET)):
        assert chatnode(data, *arguments).status == 2
    short = chatnode(data, "user", "add", "dee", "--password-stdin", stdin="short\n")
    assert (short.status, "at least 10 characters" in short.err) == (1, True)
    without = chatnode(data, "user", "add", "dee")
    assert (without.status, "--password-stdin" in without.err) == (2, True)


def test_a_new_password_signs_out_and_a_role_is_given(anywhere: Path) -> None:
    ok(chatnode(anywhere, "user", "add", "eli", "--admin", "--no-password"))
    ok(chatnode(anywhere, "token", "create", "eli"))
    printed = ok(chatnode(anywhere, "user", "password", "eli", "--password-stdin", stdin=SECRET + "\n"))
    assert printed == "password set, 1 session signed out\n"
    ok(chatnode(anywhere, "user", "add", "fay", "--no-password"))
    assert ok(chatnode(anywhere, "user", "role", "fay", "admin")) == "fay now has the role admin\n"
    wrong = chatnode(anywhere, "user", "role", "fay", "emperor")
    assert (wrong.status, wrong.err) == (1, "chatnode: no such role: emperor (role) [not_found]\n")


def test_links_for_others_can_be_opened(anywhere: Path) -> None:
    """They are complete addresses, whether the node serves at the moment or not."""
    invite = ok(chatnode(anywhere, "invite", "--uses", "3", "--days", "2"))
    assert re.fullmatch(r"https?://[^/\s]+/#invite=[A-Za-z0-9_-]{43}\n", invite), invite
    listed = call(anywhere, "invites.list")["invites"]
    assert listed[-1]["uses_left"] == 3


def test_the_link_for_the_first_administrator(data: Path) -> None:
    link = ok(chatnode(data, "setup"))
    assert re.search(r"/#setup=[A-Za-z0-9_-]{43}\n$", link)
    code = link.strip().rpartition("=")[2]
    call(data, "invites.accept", f"code={code}", "handle=root", f"password={SECRET}")
    again = chatnode(data, "setup")
    assert (again.status, again.err) == (1, "chatnode: this node already has an administrator [gone]\n")


# ---- any command


def test_every_command_is_listed(nowhere: Path) -> None:
    listed = ok(chatnode(nowhere, "call")).splitlines()
    names = [line.split()[0] for line in listed]
    assert names[: len(COMMANDS)] == [command.name for command in COMMANDS]
    assert "reactions.add" in names[len(COMMANDS) :]
    assert not nowhere.exists()
    assert ok(chatnode(nowhere, "--version")) == f"chatnode, version {__version__}\n"


def test_fields_are_texts_or_json(anywhere: Path) -> None:
    for handle in ("x.one", "x.two"):
        ok(chatnode(anywhere, "user", "add", handle, "--no-password"))
    found = call(anywhere, "people.list", "prefix=x.", "limit:=1")
    assert [each["handle"] for each in found["people"]] == ["x.one"]
    for fields, part in (
        (["limit=1"], "limit must be an integer (limit) [invalid]"),
        (["surprise=1"], "surprise is not a field of this command (surprise) [invalid]"),
        (["limit:=x"], "the value is not JSON"),
        (["limit"], "neither NAME=TEXT nor NAME:=JSON"),
        (["=x"], "neither NAME=TEXT nor NAME:=JSON"),
    ):
        done = chatnode(anywhere, "call", "people.list", *fields)
        assert (done.status in (1, 2), part in done.err) == (True, True), done
    unknown = chatnode(anywhere, "call", "no.such.command")
    assert (unknown.status, "[unknown_command]" in unknown.err) == (1, True)


def test_a_call_with_a_token_is_its_persons(serving: Serving) -> None:
    ok(chatnode(serving.data, "user", "add", "gus", "--no-password"))
    token = ok(chatnode(serving.data, "token", "create", "gus")).strip()
    by = ("call", "--url", serving.url, "--token")
    me = json.loads(ok(chatnode(serving.data, *by, token, "people.me")))
    assert (me["person"]["handle"], me["role"]) == ("gus", "member")
    refused = chatnode(serving.data, *by, token, "node.check")
    assert (refused.status, "[forbidden]" in refused.err) == (1, True)
    wrong = chatnode(serving.data, *by, "wrong", "people.me")
    assert (wrong.status, "[unauthenticated]" in wrong.err) == (1, True)
    assert f"{serving.url}: the token is unknown" in wrong.err  # another node than meant may run there
    assert "use --url or CHATNODE_URL" in wrong.err
    operator_ = chatnode(serving.data, "call", "people.me")
    assert (operator_.status, "[forbidden]" in operator_.err) == (1, True)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    away = chatnode(serving.data, "call", "--url", f"http://127.0.0.1:{port}", "--token", token, "people.me")
    assert (away.status, "is the node running?; use --url" in away.err) == (1, True)


def test_commands_of_users_go_to_the_node_on_the_data_directory(serving: Serving, tmp_path: Path) -> None:
    ok(chatnode(serving.data, "user", "add", "wilma", "--no-password"))
    ok(chatnode(serving.data, "user", "add", "wim", "--no-password"))
    token = ok(chatnode(serving.data, "token", "create", "wilma")).strip()
    me = json.loads(ok(chatnode(serving.data, "call", "--token", token, "people.me")))
    assert me["person"]["handle"] == "wilma"
    ok(run(serving.data, "chat", "--token", token, "wim", stdin="hello\n"))
    found = json.loads(ok(chatnode(serving.data, "call", "search.messages", "query=hello", "--token", token)))
    assert [each["message"]["text"] for each in found["results"]] == ["hello"]
    (tmp_path / "notes.txt").write_text("notes")
    file = ok(run(serving.data, "upload", "--token", token, str(tmp_path / "notes.txt"))).strip()
    elsewhere = command_line(tmp_path / "none", "download", "--token", token, file, str(tmp_path / "copy.txt"))
    at_end = [*elsewhere, "--data", str(serving.data)]
    subprocess.run(at_end, env=environment(), timeout=PATIENCE, check=True, capture_output=True)
    assert (tmp_path / "copy.txt").read_text() == "notes"


# ---- check


def test_a_sound_node_passes(anywhere: Path) -> None:
    ok(chatnode(anywhere, "user", "add", "ida", "--no-password"))
    lines = ok(chatnode(anywhere, "check")).splitlines()
    assert lines
    assert all(line.startswith("ok ") for line in lines)


def test_a_wrong_counter_is_found_and_named(data: Path) -> None:
    make_conversation(data)
    with sqlite3.connect(data / "chatnode.sqlite3") as database:
        database.execute("UPDATE conversations SET head = 7")
    database.close()
    done = chatnode(data, "check")
    assert done.status == 1
    assert "FAILED heads\n" in done.out
    assert re.search(r"conversation [0-9a-f]{32} says its newest message is 7, it is 0", done.out)
    assert "ok     integrity\n" in done.out


@pytest.mark.parametrize("table", ["messages", "log", "people"])
def test_a_damaged_page_is_found_and_named(data: Path, table: str) -> None:
    make_conversation(data)
    path = data / "chatnode.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xde\xad" * (size // 2))
    done = chatnode(data, "check")
    assert done.status == 1
    assert done.out.startswith("FAILED integrity\n"), done


def test_a_file_that_is_no_database_is_named(data: Path) -> None:
    make_conversation(data)
    (data / "chatnode.sqlite3").write_bytes(b"not a database" * 1_000)
    done = chatnode(data, "check")
    assert done.status == 1
    assert "chatnode.sqlite3" in done.err
    assert "not a database" in done.err


def make_conversation(data: Path) -> None:
    """A node with a few rows in every table that matters."""
    ok(chatnode(data, "user", "add", "ann", "--no-password"))
    given = call(data, "import.conversation", "source=irc", "key=#x", "title=#x")
    assert len(given["conversation"]) == 32


# ---- import


def zulip_archive(folder: Path, last: int) -> Path:
    """Two streams with messages up to number `last`."""

    def post(number: int, author: str) -> dict[str, object]:
        fields = {"id": number, "sender_full_name": author, "timestamp": 1_600_000_000 + number}
        return {**fields, "content": f"<p>message {number}</p>"}

    odd, even = range(1, last + 1, 2), range(2, last + 1, 2)
    for name, numbers in (("7-garden/roses.json", odd), ("9-kitchen/tea.json", even)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([post(number, "Ada" if number % 3 else "Grace") for number in numbers]))
    return folder


def test_zulip_once_twice_and_grown(anywhere: Path, tmp_path: Path) -> None:
    ok(chatnode(anywhere, "user", "add", "kim", "--no-password"))
    archive = tmp_path / "archive"
    for last, line in (
        (5, "imported 5, already present 0, failed 0"),
        (5, "imported 0, already present 5, failed 0"),
        (8, "imported 3, already present 5, failed 0"),
    ):
        printed = ok(chatnode(anywhere, "import", "zulip", str(zulip_archive(archive, last))))
        assert printed.splitlines()[-1] == line
    assert "failed" not in chatnode(anywhere, "check").out.lower()


def test_irc_once_and_twice(anywhere: Path, tmp_path: Path) -> None:
    log = tmp_path / "irc.libera.#garden.weechatlog"
    lines = ("00\tada\thello", "01\t@grace\thello ada", "02\t*\tada waves")
    log.write_text("".join(f"2020-01-01 10:00:{line}\n" for line in lines))
    for line in ("imported 3, already present 0, failed 0", "imported 0, already present 3, failed 0"):
        assert ok(chatnode(anywhere, "import", "irc", str(log), "--timezone", "Europe/Berlin")).splitlines()[-1] == line


def test_what_cannot_be_imported_is_told_with_its_place(data: Path, tmp_path: Path) -> None:
    archive = zulip_archive(tmp_path / "archive", 3)
    (archive / "7-garden" / "bad.json").write_text('[{"id": 9}]')
    done = chatnode(data, "import", "zulip", str(archive))
    assert done.status == 1
    assert done.out.splitlines()[-1] == "imported 3, already present 0, failed 1"
    assert "7-garden/bad.json: item 1" in done.err
    nothing = chatnode(data, "import", "zulip", str(tmp_path / "nowhere"))
    assert (nothing.status, "does not exist" in nothing.err) == (2, True)


def test_without_joining_nobody_takes_part(data: Path, tmp_path: Path) -> None:
    ok(chatnode(data, "user", "add", "ann", "--no-password"))
    ok(chatnode(data, "import", "zulip", "--no-join", str(zulip_archive(tmp_path / "archive", 2))))
    statistics = call(data, "node.statistics")
    assert (statistics["conversations"], statistics["messages"], statistics["people"]) == (2, 2, 2)
    with sqlite3.connect(data / "chatnode.sqlite3") as database:
        assert database.execute(
            "SELECT count(*) FROM members JOIN people ON people.key = person WHERE handle = 'ann'"
        ).fetchone() == (0,)
    database.close()


def test_a_time_zone_that_is_none_is_named(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.weechatlog"
    log.write_text("2020-01-01 10:00:00\tada\thello\n")
    done = chatnode(data, "import", "irc", "--timezone", "Mars/Olympus", str(log))
    assert done.status in (1, 2)
    assert "Mars/Olympus" in done.err


# ---- one owner


def test_a_second_node_on_the_same_directory_is_refused(serving: Serving) -> None:
    done = run(serving.data, "serve", "--bind", "127.0.0.1:0")
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        f"chatnode: {serving.data}: in use by another chatnode (process {serving.process.pid}); "
        "stop it, or use another data directory\n"
    )
    assert serving.process.poll() is None
    assert call(serving.data, "node.info")["name"] == "chatnode"


def test_a_directory_that_somebody_holds_without_serving_is_left_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_START_SECONDS", 0.1)
    holder = DataDirectory(data)
    holder.claim()
    done = chatnode(data, "user", "add", "ann", "--no-password")
    assert done.status == 1
    assert f"in use by another chatnode (process {os.getpid()})" in done.err
    holder.release()
    ok(chatnode(data, "user", "add", "ann", "--no-password"))


async def test_a_command_waits_for_another_that_was_quicker(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = DataDirectory(data)
    release = DataDirectory.release

    def and_another_comes(self: DataDirectory) -> None:
        monkeypatch.undo()
        release(self)
        other.claim()

    async def let_go() -> None:
        await trio.sleep(0.2)
        other.release()

    monkeypatch.setattr(DataDirectory, "release", and_another_comes)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go)
        async with operator(data) as ask:
            assert (await ask("node.info"))["name"] == "chatnode"
    other.release()


@pytest.mark.slow
def test_commands_side_by_side_all_do_their_work(data: Path) -> None:
    ok(chatnode(data, "user", "add", "ann", "--no-password"))
    line = command_line(data, "token", "create", "ann")
    both = [subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment()) for _ in range(3)]
    tokens = {process.communicate(timeout=PATIENCE)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0, 0]
    assert len(tokens) == 3
    assert all(TOKEN.fullmatch(token) for token in tokens)


# ---- serving


def test_a_node_serves_and_stops_by_signal(data: Path, tmp_path: Path) -> None:
    settings = tmp_path / "other.toml"
    settings.write_text("[limits]\npage_items = 1\n[logs]\nformat = 'json'\n")
    serving = Serving(data, "--config", str(settings), LIMITS__MESSAGE_CHARS=5)
    try:
        printed = ok(run(data, "user", "add", "ann", "--password-stdin", stdin=SECRET + "\n"))
        ok(chatnode(data, "user", "add", "bob", "--no-password"))
        token = ok(chatnode(data, "token", "create", "ann"))
        assert len(call(data, "people.list")["people"]) == 1  # page_items, from the file
        assert (data / "control.sock").exists()
        stopped = serving.stop(signal.SIGTERM)
    finally:
        serving.kill()
    assert (stopped.status, stopped.out) == (0, serving.line)
    for line in stopped.err.splitlines():
        assert {"at", "level", "part", "message"} <= json.loads(line).keys()
    for secret in (SECRET, token.strip(), printed.split()[1]):
        assert secret not in stopped.err
    assert not (data / "control.sock").exists()
    assert len(call(data, "people.list", "limit:=9")["people"]) == 2  # the directory is free again


def test_a_new_database_is_one_line_in_the_log(tmp_path: Path) -> None:
    data = tmp_path / "new"
    serving = Serving(data)
    try:
        lines = serving.stop().err.splitlines()
    finally:
        serving.kill()
    assert [line.partition(": ")[2] for line in lines if " chatnode.storage: " in line] == [
        f"created the database {data}/chatnode.sqlite3"
    ]


@pytest.mark.parametrize("wrapper", [[], ["nohup"]], ids=["closes", "closes, with nohup"])
def test_a_terminal_that_closes_stops_the_node_unless_nohup_forbids_it(data: Path, wrapper: list[str]) -> None:
    serving = Serving(data, wrapper=wrapper)
    try:
        if not wrapper:
            assert serving.stop(signal.SIGHUP).status == 0
            return
        serving.process.send_signal(signal.SIGHUP)
        assert call(data, "node.info")
        assert serving.stop().status == 0
    finally:
        serving.kill()


def test_a_node_that_was_killed_leaves_nothing_in_the_way(data: Path) -> None:
    serving = Serving(data)
    ok(chatnode(data, "user", "add", "ann", "--no-password"))
    serving.kill()
    assert (data / "control.sock").exists()
    assert call(data, "people.get", "person=ann")["person"]["handle"] == "ann"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[limits\n", ["config.toml", "line 1"]),
        ("\xff", ["config.toml"]),
        ("[limit]\npage_items = 3\n", ["config.toml", "no section [limit]"]),
        ("[limits]\npages = 3\n", ["config.toml", "no setting limits.pages"]),
        ("[limits]\npage_items = 'many'\n", ["config.toml", "limits.page_items", "'many'", "an integer"]),
        ("limits = 3\n", ["config.toml", "must be a section"]),
    ],
    ids=["not TOML", "not UTF-8", "section", "setting", "type", "no section"],
)
def test_settings_that_cannot_be_are_named(data: Path, text: str, parts: list[str]) -> None:
    data.mkdir(exist_ok=True)
    (data / "config.toml").write_text(text, encoding="latin-1")
    for arguments in (("serve", "--bind", "127.0.0.1:0"), ("user", "add", "ann", "--no-password")):
        done = chatnode(data, *arguments)
        assert (done.status, done.out) == (1, "")
        assert [part for part in parts if part not in done.err] == [], done.err
        assert done.err.count("\n") == 1


def test_settings_of_the_environment_are_named(data: Path) -> None:
    done = run(data, "serve", "--bind", "127.0.0.1:0", LIMIT__PAGE_ITEMS="3")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("chatnode: environment: no section [LIMIT]; sections are server, acme, limits")


def test_an_address_that_is_taken_is_named(data: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(data, "serve", "--bind", address)
    assert (done.status, done.out) == (1, "")
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1].startswith(f"chatnode: cannot listen on {address}")


def test_a_certificate_that_is_none_is_named(data: Path) -> None:
    done = run(data, "serve", "--bind", "127.0.0.1:0", SERVER__TLS_CERTIFICATE="nowhere.pem", SERVER__TLS_KEY="no.pem")
    assert (done.status, done.out) == (1, "")
    assert "Traceback" not in done.err
    assert "nowhere.pem" in done.err.splitlines()[-1]


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> NoReturn:
        raise AssertionError("there is nothing to wait for")

    monkeypatch.setattr("chatnode.cli.opening.trio.sleep", sleep)
    (tmp_path / "file").touch()
    done = chatnode(tmp_path / "file", "check")
    assert done.status == 1
    assert done.err.startswith(f"chatnode: {tmp_path / 'file'}: cannot be used as a data directory")


def test_a_variable_of_a_script_that_is_empty_is_not_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["--data", "", "user", "add", "ann", "--no-password"], ["setup", "--data="]):
        done = subprocess.run(
            [sys.executable, "-m", "chatnode", *arguments], capture_output=True, text=True, env=environment(),
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert (done.returncode, "--data': the path is empty" in done.stderr) == (2, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_looks_into_the_directory(serving: Serving) -> None:
    assert serving.data.stat().st_mode & 0o077 == 0
    assert (serving.data / "control.sock").stat().st_mode & 0o177 == 0
