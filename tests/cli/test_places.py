"""Where commands work: a directory that is no node's, whose files are whose, and what is said when it cannot be."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from chatnode.cli import (
    _COMMANDS,  # pyright: ignore[reportPrivateUsage]
    cli,
    fail,
)
from chatnode.config import Storage
from chatnode.config_file import load, render
from chatnode.errors import StartError
from chatnode.storage.engine import file_owners
from chatnode.storage.engine.connection import connect_writer

from .command import PATIENCE, Serving, chatnode, command_line, environment

# ---- a wrong directory

READING = [
    ("user", "list"), ("user", "password", "ann", "--password-stdin"), ("user", "sessions", "ann"),
    ("user", "reset", "ann"),
    ("user", "export", "ann", "x"), ("user", "erase", "ann", "--confirm", "ann"), ("user", "role", "ann", "admin"),
    ("user", "deactivate", "ann"), ("user", "reactivate", "ann"), ("token", "create", "ann"),
    ("token", "revoke", "ann", "1"),
    ("check",), ("check", "--repair"),
    ("config", "--check"), ("audit",), ("role", "list"), ("role", "delete", "x"), ("call", "node.info"),
    ("backup",), ("backup", "--rotate"), ("backup", "x.backup"), ("export",), ("export", "x.jsonl"), ("migrate",),
    ("migrate", "--dry-run"), ("plugin", "list"), ("plugin", "uninstall", "reactions", "--drop"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
@pytest.mark.parametrize("there", [False, True])
def test_a_command_that_asks_makes_no_node(
    arguments: tuple[str, ...], there: bool, nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if there:
        nowhere.mkdir()
        (nowhere / "notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    done = chatnode(nowhere, *arguments, stdin="a password that is long\n")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"chatnode: no node here: {nowhere} has no database; use another data directory")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("arguments", [*READING, ("setup",), ("user", "add", "ann", "--no-password")], ids=" ".join)
def test_no_command_takes_an_empty_file_for_a_database(
    arguments: tuple[str, ...], nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nowhere.mkdir()
    (nowhere / "chatnode.sqlite3").touch()
    done = chatnode(nowhere, *arguments, stdin="a password that is long\n")
    assert (done.status, done.out) == (1, "")
    assert "chatnode.sqlite3 has 0 bytes" in done.err
    assert (nowhere / "chatnode.sqlite3").stat().st_size == 0


@pytest.mark.parametrize(
    "remains",
    [
        "plugins/attachments/blobs/ab/abc", "signing.keys", "chatnode.sqlite3-wal",
        "before-restore-20261130T081925Z/chatnode.sqlite3", "backups/chatnode-20261130T081925Z.backup",
    ],
)  # fmt: skip
@pytest.mark.parametrize("empty", [False, True])
def test_no_new_node_takes_the_place_of_one_whose_database_is_lost(remains: str, empty: bool, nowhere: Path) -> None:
    (nowhere / remains).parent.mkdir(parents=True)
    (nowhere / remains).write_text("x")
    if empty:
        (nowhere / "chatnode.sqlite3").touch()
    for arguments in (("serve", "--bind", "127.0.0.1:0"), ("setup",), ("user", "list")):
        done = chatnode(nowhere, *arguments)
        assert (done.status, done.out) == (1, "")
        assert ("has 0 bytes" if empty else f"{remains} of an earlier node: restore a backup") in done.err
    assert (nowhere / remains).read_text() == "x"


def test_a_lost_database_comes_back_by_a_restore(data: Path, tmp_path: Path) -> None:
    assert chatnode(data, "backup", str(tmp_path / "b")).status == 0
    (data / "chatnode.sqlite3").write_bytes(b"")
    assert chatnode(data, "check").status == 1
    assert chatnode(data, "restore", str(tmp_path / "b")).status == 0
    assert chatnode(data, "check").status == 0


def test_a_directory_that_was_only_made_ready_takes_a_new_node(nowhere: Path) -> None:
    (nowhere / "plugins" / "attachments" / "lost+found").mkdir(parents=True)
    (nowhere / "config.toml").touch()
    assert chatnode(nowhere, "setup").status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("setup",), ("user", "add", "ann", "--no-password"), ("invite",), ("role", "set", "night", "chat"),
        ("plugin", "disable", "reactions"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_node_begins_with_commands_that_put_something_in(arguments: tuple[str, ...], nowhere: Path) -> None:
    assert chatnode(nowhere, *arguments).status == 0
    assert chatnode(nowhere, "check").status == 0


def test_the_directory_may_stand_at_any_place(data: Path, tmp_path: Path, nowhere: Path) -> None:
    assert chatnode(data, "user", "add", "ann", "--no-password").status == 0
    for arguments in (
        ("user", "list", "--data", str(data)), ("user", "--data", str(data), "list"),
    ("user", "list", f"--data={data}"),
        ("--data", str(tmp_path), "user", "--data", str(nowhere), "list", "--data", str(data)),
    ):  # fmt: skip
        done = chatnode(nowhere, *arguments)
        assert (done.status, done.out.split()) == (0, ["ann", "ann"]), arguments
    assert chatnode(data, "check", "--data", str(nowhere)).status == 1
    assert chatnode(nowhere, "check", "--data", str(data)).status == 0
    assert chatnode(nowhere, "call", "people.get", "--data", str(data), "person=ann").status == 0


def test_a_plugins_own_command_takes_it_too(data: Path, nowhere: Path) -> None:
    from chatnode.cli import with_data
    from chatnode.cli.extensions import _calling  # pyright: ignore[reportPrivateUsage]

    asked: list[Any] = []

    @click.command("mine")
    @click.pass_obj
    def mine(call: Any) -> None:
        asked.append(call("people.list", prefix="", after="", limit=1)["people"])

    with cli.make_context("chatnode", ["--data", str(nowhere), "x"]) as root:
        command = with_data(mine)
        command.context_settings = {"obj": _calling(root)}
        with command.make_context("mine", ["--data", str(data)], parent=root) as context:
            command.invoke(context)
    assert asked == [[]]


# ---- whose files


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """Run as root, and see what is given to whom."""
    found: dict[str, tuple[int, int]] = {}

    def chown(path: Path, user: int, group: int, *, follow_symlinks: bool) -> None:
        assert not follow_symlinks
        os.lstat(path)
        found[str(path)] = (user, group)

    monkeypatch.setattr(file_owners.os, "geteuid", lambda: 0)
    monkeypatch.setattr(file_owners.os, "chown", chown)
    return found


def test_what_root_makes_belongs_to_the_directorys_owner(
    data: Path, tmp_path: Path, given: dict[str, tuple[int, int]]
) -> None:
    mine = (data.stat().st_uid, data.stat().st_gid)
    before = {data / "plugins", *(data / "plugins").rglob("*")}
    assert chatnode(data, "user", "add", "ann", "--no-password").status == 0
    assert chatnode(data, "backup", "--rotate").status == 0
    backup = tmp_path / "far" / "b"
    backup.parent.mkdir()
    assert chatnode(data, "backup", str(backup)).status == 0
    assert chatnode(data, "restore", str(backup)).status == 0
    assert chatnode(data, "export", str(tmp_path / "x.jsonl")).status == 0
    assert chatnode(tmp_path / "new" / "data", "restore", str(backup)).status == 0
    left = {path for path in tmp_path.rglob("*") if path not in {backup.parent, *before}}
    names = {path.name.removesuffix(".partial") for path in map(Path, given)}
    for path in left:
        if path.name.endswith(("-wal", "-shm")):
            continue  # SQLite itself gives these to the owner of the database
        work = {"chatnode.sqlite3": "restore"}.get(path.name)
        assert path.name in names or work in names, path
    assert set(given.values()) == {mine}


def test_nobody_but_root_gives_files_away(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chown(*_: Any, **__: Any) -> None:
        raise AssertionError("this is for root")

    monkeypatch.setattr(file_owners.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(file_owners.os, "chown", chown)
    file_owners.chown_like_parent(data)


def test_a_lock_is_no_way_to_other_files(data: Path, tmp_path: Path) -> None:
    """The owner of the directory must not make root write through a link in it."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (data / "lock").unlink(missing_ok=True)
    (data / "lock").symlink_to(victim)
    (data / "backup.lock").symlink_to(victim)
    assert chatnode(data, "check").status == 1
    assert chatnode(data, "backup").status == 1
    assert victim.read_text() == "precious"


# ---- what cannot be


def test_a_database_that_may_not_be_written_names_the_owner(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = data / "chatnode.sqlite3"

    def access(path: Path, mode: int, **_: Any) -> bool:
        return path != database

    def fail(*_: Any, **__: Any) -> Any:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(file_owners.os, "access", access)
    monkeypatch.setattr("chatnode.storage.upkeep.upgrading.initialize", fail)
    done = chatnode(data, "user", "list")
    assert done.status == 1
    assert f"{database} is not writable: its permissions are 0600, chmod u+rw it" in done.err
    monkeypatch.setattr(file_owners.os, "geteuid", lambda: 54_321)
    assert "and is not writable by user 54321: run as " in chatnode(data, "user", "list").err
    assert "(attempt to write a readonly database)" in done.err
    assert len(done.err.splitlines()) == 1


def test_where_the_control_socket_cannot_be_made_is_said(data: Path) -> None:
    (data / "control.sock").mkdir()
    done = chatnode(data, "serve", "--bind", "127.0.0.1:0")
    assert (done.status, done.err.splitlines()[-1]) == (
        1, f"chatnode: {data / 'control.sock'}: cannot be made: Is a directory"
    )  # fmt: skip


def test_a_database_that_cannot_be_copied_is_named(data: Path, tmp_path: Path) -> None:
    (data / "chatnode.sqlite3").unlink()
    (data / "chatnode.sqlite3").mkdir()
    done = chatnode(data, "backup", str(tmp_path / "b"))
    assert done.status == 1
    assert done.err.startswith(
        f"chatnode: {data / 'chatnode.sqlite3'}: cannot be copied to {data / 'backup.partial'}: "
    )


def test_a_word_that_is_no_text_is_named_and_not_the_request(data: Path) -> None:
    serving = Serving(data)
    try:
        done = chatnode(data, "user", "add", "\udcffx", "--no-password")
    finally:
        assert serving.stop().status == 0
    assert (done.status, done.err) == (1, "chatnode: '\\udcffx' is not UTF-8\n")


def test_an_output_without_a_character_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fail(UnicodeEncodeError("latin-1", "ann 👍", 4, 5, "ordinal not in range"))
    assert capsys.readouterr().err == (
        "chatnode: standard output uses latin-1, which has no '\\U0001f44d'; set PYTHONIOENCODING=utf-8\n"
    )


def test_a_lock_of_somebody_else_names_the_owner(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: Any, *arguments: Any, **named: Any) -> int:
        if str(path).endswith("lock"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **named)

    monkeypatch.setattr("chatnode.storage.engine.directory.os.open", refuse)
    monkeypatch.setattr(file_owners.os, "access", lambda path, *_, **__: not str(path).endswith("lock"))
    for arguments in (("check",), ("backup",)):
        done = chatnode(data, *arguments)
        assert (done.status, "Permission denied" in done.err, len(done.err.splitlines())) == (1, True, 1), done
    assert f"{data / 'lock'} is not writable" in chatnode(data, "check").err


def test_a_full_disk_is_called_full(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_owners.shutil, "disk_usage", lambda path: _Usage(4096))
    monkeypatch.setattr("chatnode.storage.engine.connection.sqlite3.connect", _disk_error)
    with pytest.raises(StartError, match=r"the disk of .* is full: make room \(disk I/O error\)"):
        connect_writer(data / "chatnode.sqlite3", Storage())


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def _disk_error(*_: Any, **__: Any) -> Any:
    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("what", ["backup", "export"])
def test_a_place_below_a_file_is_named(what: str, data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = chatnode(data, what, str(tmp_path / "file" / "x"))
    assert (done.status, "Not a directory" in done.err, len(done.err.splitlines())) == (1, True, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("backup", "{file}/x"), ("backup", "{data}"), ("backup", ""), ("export", "{file}/x"), ("export", "{data}"),
        ("restore", "{file}/x"), ("restore", "{file}"), ("restore", "--verify", "{file}/x"), ("restore", "{data}"),
        ("backup", "x", "--passphrase-file", "{file}/x"), ("backup", "x", "--passphrase-file", "{data}"),
        ("serve", "--config", "{file}/x"), ("serve", "--config", "{data}"), ("serve", "--bind", "a..b:8008"),
        ("serve", "--bind", "x" * 64 + ".example:8008"), ("serve", "--bind", "\udcff:8008"),
        ("user", "export", "ann", "{file}/x"), ("user", "export", "ann", "{data}"),
    ("user", "add", "\udcff", "--no-password"),
        ("user", "list", "--prefix", "\udcff"), ("call", "people.get", "person=\udcff"), ("call", "\udcff"),
        ("call", "people.get", "--token", "x", "--url", "http://a..b"),
    ("call", "x", "--token", "x", "--url", "http://[::1"),
        ("call", "x", "--token", "x", "--url", "http://" + "x" * 64 + ".example"), ("call", "x", "--token", "\udcff"),
        ("call", "x", "--token", "x", "--url", "http://127.0.0.1:99999"),
    ("call", "x", "--token", "x", "--url", "http://\udcff"),
        ("chat", "ann", "--token", "x", "--url", "http://a..b"),
    ("chat", "\udcff", "--token", "x", "--url", "http://127.0.0.1:1"),
        ("import", "irc", "{data}"), ("import", "zulip", "{file}"), ("import", "irc", "{file}", "--timezone", "../x"),
        ("plugin", "new", "x", "--directory", "{file}/x"), ("plugin", "new", "x", "--directory", "{file}"),
        ("plugin", "check", "{file}/x"), ("plugin", "check", "{data}"), ("plugin", "docs", "\udcff"),
        ("plugin", "uninstall", "reactions", "--export", "{file}/x", "--drop"), ("check", "--data", "{file}/x"),
        ("check", "--data", "{file}"), ("setup", "--data", "{file}/x"), ("config", "--check", "--data", "{file}/x"),
        ("audit", "--limit", "99999999999999999999999"), ("invite", "--days", "99999999999999999"),
        ("invite", "--uses", "-1"), ("token", "revoke", "ann", "99999999999999999999"), ("nonsense",),
    ("user", "nonsense"),
        ("user", "add", "x\0y", "--no-password"),
    ],
    ids=lambda arguments: ascii(" ".join(arguments)),
)  # fmt: skip
def test_no_mistyped_command_gives_a_trace(arguments: tuple[str, ...], data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    filled = [each.replace("{file}", str(tmp_path / "file")).replace("{data}", str(data)) for each in arguments]
    done = chatnode(data, *filled)
    assert done.status != 0
    assert "Traceback" not in done.err
    assert done.err.strip()


# ---- what the package brings


def test_the_settings_are_printed_and_checked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chatnode(data, "config").out == render()
    assert chatnode(data, "config", "--check").out == f"ok: no {data}/config.toml; all settings have their defaults\n"
    path = data / "config.toml"
    path.write_text("[limits]\npage_items = 3\n[plugins.reactions]\nper_person = 2\n")
    assert chatnode(data, "config", "--check").out == f"ok: {path}\n"
    assert load(path, {}).limits.page_items == 3
    for text, part in (
        ("[limits]\npage_items = 0.5\n", "limits.page_items"),
        ("[plugins.reactions]\nper_people = 2\n", "plugins.reactions.per_people"),
        ("[plugins.reaction]\n", "reaction"),
        ("[plugins.reactions]\nenabled = false\n", "chatnode plugin disable reactions"),
        ('[plugins]\ndisabled = ["contact"]\n', "the plugin contact, which is not installed"),
        ("[limits\n", "line 1"),
        ('[server]\ntls_certificate = "/no/chain.pem"\ntls_key = "/no/key.pem"\n', "/no/chain.pem cannot be read"),
    ):
        path.write_text(text)
        done = chatnode(data, "config", "--check")
        assert (done.status, part in done.err) == (1, True), (text, done)


def test_settings_that_cannot_be_read_are_not_the_defaults(data: Path) -> None:
    """As when the disk that a link leads to is not mounted."""
    path = data / "config.toml"
    path.symlink_to("/etc/nowhere/config.toml")
    for arguments in (["config", "--check"], ["serve"], ["user", "list"], ["backup"], ["migrate"]):
        done = chatnode(data, *arguments)
        expected = f"chatnode: {path}: a link to /etc/nowhere/config.toml, which does not exist\n"
        assert (done.status, done.err) == (1, expected), arguments
    path.unlink()
    path.mkdir()
    assert chatnode(data, "config", "--check").err == f"chatnode: {path}: cannot be read: Is a directory\n"


def test_the_unit_is_printed_for_this_installation(data: Path) -> None:
    printed = chatnode(data, "systemd").out
    assert f"ExecStart={Path(sys.executable).with_name('chatnode')} --data /var/lib/chatnode serve\n" in printed
    assert "[Install]" in printed


@pytest.mark.parametrize(
    ("python", "started", "told"),
    [
        ("/srv/100% chat/bin/python", "'/srv/100%% chat/bin/chatnode'", ""),  # systemd expands %
        ("/home/ann/env/bin/python", "/home/ann/env/bin/chatnode", "install chatnode outside /home and /root"),
        ("/root/env/bin/python", "/root/env/bin/chatnode", "install chatnode outside /home and /root"),
        ("/srv/home/bin/python", "/srv/home/bin/chatnode", ""),
    ],
)
def test_the_unit_names_a_program_that_systemd_can_start(
    data: Path, monkeypatch: pytest.MonkeyPatch, python: str, started: str, told: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    done = chatnode(data, "systemd")
    assert f"ExecStart={started} --data" in done.out
    assert (told in done.err, bool(done.err)) == (True, bool(told))


# ---- help, and what commands carry around


def commands(command: click.Command, path: str = "chatnode") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}")


def test_the_help_is_not_cut_off() -> None:
    for path, command in commands(cli):
        if isinstance(command, click.Group):
            text = command.get_help(click.Context(command, info_name=path, terminal_width=80))
            cut = [line for line in text.splitlines()[1:] if line.endswith(("...", "…")) and "Usage:" not in line]
            assert cut == [], path


def test_the_help_says_of_a_command_what_the_command_says_of_itself() -> None:
    for name, (place, summary) in _COMMANDS.items():
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert summary == command.get_short_help_str(1000), f"{place}: the help must say the same in chatnode.cli"


@pytest.fixture(scope="module")
def running(empty_node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A node that runs."""
    serving = Serving(shutil.copytree(empty_node, tmp_path_factory.mktemp("served") / "data"))
    yield serving
    serving.kill()


@pytest.fixture(scope="module")
def served(running: Serving) -> Path:
    """Its directory."""
    return running.data


def imported_by(*arguments: str) -> set[str]:
    """The modules that a command has imported at its end."""
    script = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from chatnode.__main__ import main; main()"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=PATIENCE, check=True)
    return set(done.stderr.split())


SERVER = {"trio", "quart", "hypercorn", "sqlite3", "argon2", "attrs", "cattrs", "pluggy", "importlib.metadata"}
OF_CHATNODE = {
    "chatnode", "chatnode.__main__", "chatnode.bundle", "chatnode.cli", "chatnode.control_socket", "chatnode.counting",
    "chatnode.errors",
    "chatnode.garbage",
    "chatnode.hooks", "chatnode.hooks.discovery", "chatnode.logs",
}  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [("user", "list"), ("check",), ("audit",), ("role", "list"), ("plugin", "list"), ("--help",)]
)
def test_asking_a_node_that_runs_imports_nothing_of_one(served: Path, arguments: tuple[str, ...]) -> None:
    modules = imported_by("--data", str(served), *arguments)
    heavy = SERVER - {"importlib.metadata"} if arguments == ("--help",) else SERVER
    assert heavy & modules == set()
    found = {name for name in modules if name.startswith("chatnode.") and not name.startswith("chatnode.cli.")}
    assert found <= OF_CHATNODE


def test_a_call_with_a_token_imports_no_client_that_stays_connected(running: Serving) -> None:
    assert chatnode(running.data, "user", "add", "gus", "--no-password").status == 0
    token = chatnode(running.data, "token", "create", "gus").out.strip()
    modules = imported_by("call", "--url", running.url, "--token", token, "people.me")
    heavy = SERVER | {"trio_websocket", "chatnode.client", "chatnode.model"}
    assert heavy & modules == set()


@pytest.mark.parametrize(
    ("command", "answer", "requests", "said"),
    [
        ("people.create", b"", 1, "before the reply came"),  # it may be done, so it is not sent again
        ("people.create", b"HTTP/1.1 502 Bad Gateway\r\n\r\nno", 1, "answered with status 502"),
        ("people.create", b"HTTP/1.1 200 OK\r\n\r\n[]", 1, "answered with status 200"),
        ("people.me", b"", 2, "closed the connection before it began"),
        ("people.create", b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n", 2, "answers with status 301"),
    ],
)
def test_a_call_with_a_token_is_sent_again_only_when_that_does_no_harm(
    nowhere: Path, command: str, answer: bytes, requests: int, said: str
) -> None:
    seen: list[bytes] = []

    def answer_all(listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            with connection:
                request = b""
                while not request.endswith((b"}", b"\r\n\r\n") if request.startswith(b"GET") else b"}"):
                    if not (more := connection.recv(65_536)):
                        return
                    request += more
                seen.append(request)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        node = threading.Thread(target=answer_all, args=(listening,))
        node.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        done = chatnode(nowhere, "call", "--url", url, "--token", "x", command, "handle=ann")
        socket.create_connection(listening.getsockname()).close()
        node.join()
    assert (done.status, said in done.err, len(seen)) == (1, True, requests), done
    assert seen[0].startswith(f"POST /v1/{command} HTTP/1.1\r\n".encode())


def test_the_plain_form_of_a_call_imports_no_parser_either(served: Path) -> None:
    modules = imported_by("--data", str(served), "call", "people.list", "prefix=a")
    assert (SERVER | {"click", "chatnode.cli"}) & modules == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("node.info",), ("people.list", "prefix=ä="), ("people.get", "person=nobody"), ("people.get",), ("no.such",),
        ("people.get", "person=x", "id=7", "person=y"), ("people.get", "=x"), ("people.get", "person"),
        ("people.get", "person=\udcff"), ("messages.get", "message:=1"), ("messages.get", "message:=NaN"), (),
    ],
    ids=ascii,
)  # fmt: skip
def test_the_plain_form_of_a_call_is_answered_as_any_other(served: Path, arguments: tuple[str, ...]) -> None:
    plain = chatnode(served, "call", *arguments)
    assert plain == chatnode(served, "call", "--url", "http://unused", *arguments)
    assert (plain.out == "") == (plain.status != 0)


@pytest.mark.parametrize("field", ["op=node.info", "id=7"])
def test_a_field_does_not_take_the_place_of_what_is_asked(served: Path, field: str) -> None:
    done = chatnode(served, "call", "people.list", field)
    name = field.partition("=")[0]
    assert (done.status, done.out) == (1, "")
    wanted = f"a command cannot have the field {name}: requests use it themselves"
    assert done.err == f"chatnode: {wanted} ({name}) [invalid]\n"


def test_a_node_that_stops_before_it_answers_is_named(data: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(data / "control.sock"))
        listening.listen()

        def hang_up() -> None:
            listening.accept()[0].close()

        for arguments in (("node.info",), ("--url", "http://unused", "node.info")):
            node = threading.Thread(target=hang_up)
            node.start()
            done = chatnode(data, "call", *arguments)
            node.join()
            assert (done.status, done.err) == (1, "chatnode: the node stopped before it answered; look at its log\n")


def test_a_reader_who_goes_away_gets_no_trace(served: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = command_line(served, "call", "node.info")
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment(), check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")
