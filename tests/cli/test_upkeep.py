"""`chatnode export`, `chatnode migrate`, and the files that the command leaves: whole, and for nobody else."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
import orjson
import pytest

from chatnode import config_file
from chatnode.cli import cli
from chatnode.config import Config, Storage
from chatnode.services import COMMANDS
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.engine.migrations import core_migrations, migrate
from tests import commands, needs

from .command import Done, Serving, chatnode, command_line, environment, run

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "chatnode" / "cli" / "chatnode.service"
MANUAL = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with one person in it."""
    assert chatnode(tmp_path / "data", "user", "add", "ann", "--no-password").status == 0
    return tmp_path / "data"


@pytest.fixture
def careless() -> Iterator[None]:
    """Files may be read and written by all, unless somebody minds."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def with_file_limit(data: Path, most_bytes: int, *arguments: str, **settings: object) -> Done:
    """Run the command where no file may be larger: what a full disk does to a file, without filling one."""
    line = ["prlimit", f"--fsize={most_bytes}", *command_line(data, *arguments)]
    done = subprocess.run(line, capture_output=True, text=True, env=environment(**settings), check=False, timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


def grow(data: Path) -> None:
    """Make the database larger than a megabyte."""
    with sqlite3.connect(data / "chatnode.sqlite3") as connection:
        for number in range(200):
            connection.execute(
                "INSERT INTO people (id, handle, name, role, created_at) VALUES (?, ?, ?, 'member', 0)",
                (f"{number:032x}", f"p{number}", os.urandom(4000).hex()),
            )
    connection.close()


# ---- export


def test_an_export_beside_a_running_node_or_without_one(data: Path, tmp_path: Path) -> None:
    done = chatnode(data, "export", str(tmp_path / "e"))
    assert (done.status, done.out) == (0, "")
    lines = [orjson.loads(line) for line in (tmp_path / "e").read_bytes().splitlines()]
    assert lines[0]["type"] == "export"
    assert [line["handle"] for line in lines if line["type"] == "person"] == ["ann"]
    serving = Serving(data)
    try:
        done = run(data, "export")
        assert [orjson.loads(line) for line in done.out.splitlines()][1:] == lines[1:]
        # A reader that has left, as `head` does once it has its lines, ends the export without a word.
        read_end, write_end = os.pipe()
        os.close(read_end)
        with open(write_end, "wb") as gone:
            quick = subprocess.run(
                command_line(data, "export"), env=environment(), stdout=gone, stderr=subprocess.PIPE, check=False
            )
        assert quick.stderr == b""
    finally:
        assert serving.stop().status == 0


def test_an_export_replaces_nothing_and_follows_no_link(data: Path, tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("precious")
    link.symlink_to(victim)
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for path in (victim, link, tmp_path / "dangling"):
        done = chatnode(data, "export", str(path))
        assert (done.status, "already exists" in done.err) == (1, True)
    (tmp_path / "e.partial").symlink_to(victim)
    assert chatnode(data, "export", str(tmp_path / "e")).status == 0
    assert victim.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "data", "e", "link", "victim"]


def test_an_export_that_finds_no_space_leaves_nothing(data: Path, tmp_path: Path) -> None:
    grow(data)
    done = with_file_limit(data, 100_000, "export", str(tmp_path / "e"))
    assert (done.status, "cannot be written" in done.err) == (1, True), done.err
    assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_cannot_be_exported_is_said(data: Path, tmp_path: Path) -> None:
    assert "no node here" in chatnode(tmp_path / "empty", "export").err
    assert "cannot be written" in chatnode(data, "export", str(tmp_path / "no/where")).err
    with (data / "chatnode.sqlite3").open("r+b") as file:
        file.write(b"not a database, " * 300)
    done = chatnode(data, "export", str(tmp_path / "e"))
    assert (done.status, "Traceback" in done.err) == (1, False)
    assert not (tmp_path / "e").exists()


# ---- files


def test_nobody_else_may_read_what_is_written(tmp_path: Path, careless: None) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o777)  # made by somebody who did not mind
    assert chatnode(data, "user", "add", "ann", "--no-password").status == 0
    serving = Serving(data)
    try:
        assert run(data, "backup", "--rotate").status == 0
        files = [path for path in data.rglob("*") if path.is_file() or path.is_socket()]
        assert {"chatnode.sqlite3", "chatnode.sqlite3-wal", "control.sock", "lock"} <= {path.name for path in files}
        assert {path.name: oct(mode(path)) for path in files if mode(path) & 0o077} == {}
    finally:
        assert serving.stop().status == 0
    for arguments in (("backup", "b"), ("export", "e")):
        assert chatnode(data, arguments[0], str(tmp_path / arguments[1])).status == 0
        assert mode(tmp_path / arguments[1]) == 0o600
    assert chatnode(data, "restore", str(tmp_path / "b")).status == 0
    (kept,) = data.glob("before-restore-*")
    for path in (data / "chatnode.sqlite3", kept, *kept.iterdir()):
        assert not mode(path) & 0o077, path


def test_a_backup_follows_no_link(data: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("b.partial", "dangling"):
        (tmp_path / name).symlink_to(victim if name == "b.partial" else tmp_path / "nothing")
    assert chatnode(data, "backup", str(tmp_path / "b")).status == 0
    assert "already exists" in chatnode(data, "backup", str(tmp_path / "dangling")).err
    assert victim.read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("most_bytes", [1_000, 40_000, 200_000])
def test_a_backup_that_finds_no_space_leaves_nothing_and_says_so(data: Path, tmp_path: Path, most_bytes: int) -> None:
    """The limit is met by the copy, or by what it is sealed into."""
    grow(data)
    (tmp_path / "secret").write_text("open sesame")
    done = with_file_limit(data, most_bytes, "backup", str(tmp_path / "b"), "--passphrase-file", f"{tmp_path}/secret")
    assert (done.status, "Traceback" in done.err) == (1, False), done.err
    assert done.err.startswith("chatnode: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "secret"]
    assert not list(data.glob("*.partial"))
    assert chatnode(data, "check").status == 0


def test_no_command_of_the_network_takes_a_place_on_the_disk() -> None:
    """An administrator on the network cannot choose the file that is written."""
    for command in COMMANDS:
        fields = {field.name for field in attrs.fields(command.takes)}
        if command.name == "messages.post":
            fields.remove("files")  # ids of attachments
        assert not {name for name in fields if re.search("path|file|directory|destination", name)}, command.name


# ---- secrets


def test_a_passphrase_is_no_argument_and_in_no_log(data: Path, tmp_path: Path) -> None:
    for name in ("backup", "restore"):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        options = {option for param in command.params for option in param.opts}
        assert {option for option in options if "passphrase" in option} == {"--passphrase-file"}
    secret = tmp_path / "secret"
    secret.write_text("open sesame and more")
    serving = Serving(
        data, LOGS__LEVEL="debug", BACKUP__PASSPHRASE_FILE=secret, CHATNODE_UNUSED="", BACKUP_PASSPHRASE="other sesame"
    )
    try:
        assert run(data, "call", "backup.create").status == 0
        secret.write_text("")
        assert run(data, "call", "jobs.run", "job=backup").status == 0
        for path in (f"/proc/{serving.process.pid}/cmdline",):
            assert b"sesame" not in Path(path).read_bytes()
    finally:
        done = serving.stop()
    assert "sesame" not in done.out + done.err


# ---- migrate


def older(data: Path, migrations: int) -> None:
    """A database of an older chatnode, with people and messages in it."""
    data.mkdir(exist_ok=True)
    connection = connect_writer(data / "chatnode.sqlite3", Storage())
    migrate(connection, core_migrations()[:1])
    connection.executescript(
        "INSERT INTO node VALUES ('epoch', 'of old'); "
        "INSERT INTO people (id, handle, name, role, created_at) VALUES ('ann', 'ann', 'Ann', 'admin', 1); "
        "INSERT INTO conversations (id, kind, title, description, visibility, history, created_at, head, activity) "
        "VALUES ('c', 'group', 'old', '', 'private', 'all', 1, 2, 3); "
        "INSERT INTO members (conversation, person, role, joined_at, joined_gid, read_seq) "
        "VALUES (1, 1, 'owner', 1, 1, 2); "
        "INSERT INTO log (gid, conversation, kind, subject, at) "
        "VALUES (1, 1, 'member.joined', 1, 1), (2, 1, 'message.posted', 1, 1), (3, 1, 'message.posted', 2, 2); "
        "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at) "
        "VALUES ('m1', 1, 1, 2, 1, 'a', 'long ago', 1), ('m2', 1, 2, 3, 1, 'b', 'and after', 2);"
    )
    migrate(connection, core_migrations()[:migrations])
    connection.close()


@pytest.mark.parametrize("migrations", [1, 3, 6])
def test_an_older_database_is_brought_up_to_date(tmp_path: Path, migrations: int) -> None:
    data = tmp_path / "data"
    older(data, migrations)
    due = [f"core/{step.name}" for step in core_migrations()[migrations:]]
    assert chatnode(data, "migrate", "--dry-run").out.splitlines() == due
    assert "run chatnode migrate first" in chatnode(data, "export").err
    done = chatnode(data, "migrate")
    assert (done.status, done.out.splitlines()) == (0, [f"applied {name}" for name in due])
    assert chatnode(data, "migrate").out == "nothing to do\n"
    assert chatnode(data, "migrate", "--dry-run").err == "nothing to do\n"
    (kept,) = (data / "backups").iterdir()
    assert (kept.name, mode(kept)) == (f"before-{due[0].partition('/')[2]}.sqlite3", 0o600)
    assert chatnode(data, "check").status == 0
    rows = [orjson.loads(line) for line in run(data, "export").out.splitlines()]
    assert [row["text"] for row in rows if row["type"] == "message"] == ["long ago", "and after"]


def test_a_running_node_is_not_migrated_under_its_feet(data: Path) -> None:
    serving = Serving(data)
    try:
        done = run(data, "migrate")
        assert (done.status, "in use by another chatnode" in done.err) == (1, True)
    finally:
        assert serving.stop().status == 0


def test_a_newer_database_is_refused(data: Path, tmp_path: Path) -> None:
    with sqlite3.connect(data / "chatnode.sqlite3") as connection:
        connection.execute("INSERT INTO migrations VALUES ('core', '9999_later', 0)")
    connection.close()
    for arguments in (("migrate",), ("serve", "--bind", "127.0.0.1:0"), ("export",), ("check",)):
        done = run(data, *arguments)
        assert (done.status, "written by a newer chatnode" in done.err) == (1, True), done


@pytest.mark.slow
@pytest.mark.parametrize("what", ["migrate", "backup"])
def test_killed_at_any_flush(tmp_path: Path, what: str) -> None:
    """SIGKILL at the first fdatasync or fsync, at the second, … until it comes to its end."""
    needs.tracing()
    original = tmp_path / "original"
    older(original, 1)
    if what == "backup":
        assert chatnode(original, "migrate").status == 0
    for number in range(1, 200):
        data, backup = tmp_path / f"data-{number}", tmp_path / f"b-{number}"
        shutil.copytree(original, data)
        arguments = ["migrate"] if what == "migrate" else ["backup", str(backup)]
        inject = f"inject=fdatasync,fsync:signal=KILL:when={number}"
        line = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", inject]
        done = subprocess.run(
            [*line, *command_line(data, *arguments)], env=environment(), capture_output=True, timeout=60, check=False
        )
        if what == "backup" and backup.exists():
            assert chatnode(data, "restore", "--verify", str(backup)).status == 0
        elif what == "backup":
            assert chatnode(data, "backup", str(backup)).status == 0  # what was left behind is in nobody's way
            assert not list(tmp_path.glob("*.partial"))
        for folder in data.glob("backups"):
            for kept in folder.glob("*.sqlite3"):
                assert chatnode(data, "restore", "--verify", str(kept)).status == 0
        assert chatnode(data, "migrate").status == 0
        assert chatnode(data, "check").status == 0
        if done.returncode == 0:
            break
    assert 3 < number < 199


# ---- check --repair, and telling systemd


def test_what_is_derived_is_repaired_beside_a_running_node_too(data: Path) -> None:
    for command in (chatnode, run):
        with sqlite3.connect(data / "chatnode.sqlite3") as connection:
            connection.execute(
                "INSERT OR REPLACE INTO conversations (key, id, kind, title, description, visibility, history, "
                "created_at, messages) VALUES (1, 'c', 'direct', '', '', 'private', 'all', 1, 5)"
            )
        connection.close()
        serving = Serving(data) if command is run else None
        try:
            done = command(data, "check")
            assert (done.status, "FAILED counts\n" in done.out) == (1, True)
            assert "conversation c says it has 5 messages, it has 0" in done.out
            done = command(data, "check", "--repair")
            assert (done.status, "repaired counts: 1 row" in done.out) == (0, True)
            assert command(data, "check").status == 0
        finally:
            if serving is not None:
                assert serving.stop().status == 0


def test_systemd_is_told(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        serving = Serving(data)
        told = [systemd.recv(100) for _ in range(4)]
        assert serving.stop().status == 0
        while told[-1] != b"STOPPING=1":
            told.append(systemd.recv(100))
    assert told[:4] == [b"READY=1", *[b"WATCHDOG=1"] * 3]
    assert set(told[1:-1]) == {b"WATCHDOG=1"}


# ---- what the manual shows


def test_the_unit_starts_what_there_is() -> None:
    text = UNIT.read_text(encoding="utf-8")
    started = re.search(r"^ExecStart=/\S+/chatnode --data \S+ (\w+)$", text, re.MULTILINE)
    assert started is not None
    assert started[1] in cli.list_commands(click.Context(cli))
    sections = re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)
    assert sections == ["Unit", "Service", "Install"]
    assert all(re.fullmatch(r"#.*|\[\w+\]|\w+=.*|", line) for line in text.splitlines())
    stops = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert stops is not None
    assert int(stops[1]) > Config().server.shutdown_seconds


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = needs.program("systemd-analyze")
    unit = tmp_path / "chatnode.service"
    program = tmp_path / "chatnode"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={program}", UNIT.read_text(encoding="utf-8")))
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "chatnode" in line]
    assert (told, done.returncode) == ([], 0)


def test_the_drill_of_the_manual(data: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame")
    assert chatnode(data, "backup", str(tmp_path / "b"), "--passphrase-file", str(tmp_path / "secret")).status == 0
    drill = re.search(r"drill.*?```sh\n(.*?)```", MANUAL, re.DOTALL)
    assert drill is not None
    lines = [line for line in drill[1].splitlines() if line.startswith("chatnode")]
    assert len(lines) == 3
    for line in lines:
        for word, meant in {"BACKUP": "b", "SECRET": "secret", "/tmp/drill": "drill"}.items():
            line = line.replace(word, str(tmp_path / meant))
        words = line.split()[1:]
        place = tmp_path / "none"
        if words[0] == "--data":
            place, words = Path(words[1]), words[2:]
        assert chatnode(place, *words).status == 0, line


def test_settings_in_the_manual_are_settings(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", MANUAL, re.DOTALL)
    assert len(blocks) >= 2
    (tmp_path / "secret").write_text("a secret")
    for number, block in enumerate(blocks):
        text = re.sub(r'_file = ".*"', f'_file = "{tmp_path}/secret"', block)
        (tmp_path / f"{number}.toml").write_text(text)
        config_file.load(tmp_path / f"{number}.toml")
    known = {f"{section}.{field.name}" for section, kind in config_file.sections() for field in attrs.fields(kind)}
    for section, name in re.findall(r"`(server|limits|accounts|storage|backup|retention|logs)\.(\w+)`", MANUAL):
        assert f"{section}.{name}" in known, f"{section}.{name}"


def test_commands_in_the_manual_are_commands() -> None:
    for name in re.findall(r"`chatnode (?:--data \S+ )?([a-z]+)", MANUAL):
        assert name in cli.list_commands(click.Context(cli)), name
    for name in re.findall(r"`chatnode call ([\w.]+)", MANUAL):
        assert name in {each.name for each in commands.COMMANDS}, name
    metrics = set(re.findall(r"^\| `(\w+)`", MANUAL, re.MULTILINE))
    for name in re.findall(r"\b(chatnode_\w+)", "".join(re.findall(r"expr: (.*)", MANUAL))):
        assert re.sub("_bucket$", "", name) in metrics, name
