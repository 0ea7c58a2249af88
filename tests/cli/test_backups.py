"""`chatnode backup` and `chatnode restore`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import needs

from .command import Serving, chatnode, command_line, run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with one person in it."""
    assert chatnode(tmp_path / "data", "user", "add", "ann", "--no-password").status == 0
    return tmp_path / "data"


def test_there_and_back(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    done = chatnode(data, "backup", str(tmp_path / "b"), "--passphrase-file", str(secret))
    assert (done.status, done.out) == (0, f"{tmp_path / 'b'}: 0 messages, 1 person, encrypted\n")
    done = chatnode(data, "restore", str(tmp_path / "b"))
    assert (done.status, "is encrypted" in done.err) == (1, True)
    monkeypatch.setenv("CHATNODE_BACKUP_PASSPHRASE", "open sesame")
    done = chatnode(data, "restore", "--verify", str(tmp_path / "b"))
    assert (done.status, "1 person" in done.out) == (0, True)
    done = chatnode(data, "restore", str(tmp_path / "b"))
    assert (done.status, f"the previous database is in {data}/before-restore-" in done.out) == (0, True)
    assert chatnode(data, "check").status == 0


def test_beside_a_running_node(data: Path, tmp_path: Path) -> None:
    serving = Serving(data, BACKUP__KEEP_DAILY=1)
    try:
        assert run(data, "backup", "--rotate").status == 0
        assert len(list((data / "backups").iterdir())) == 1
        assert run(data, "backup", str(tmp_path / "b")).status == 0
        done = run(data, "restore", str(tmp_path / "b"))
        assert (done.status, "in use by another chatnode" in done.err) == (1, True)
    finally:
        assert serving.stop().status == 0


def test_files_that_are_not_in_it_are_no_fault_of_the_database(data: Path, tmp_path: Path) -> None:
    left = data / "plugins/gone/blob"  # by a plugin that was uninstalled
    left.parent.mkdir(parents=True)
    left.write_text("blob")
    done = chatnode(data, "backup", str(tmp_path / "b"))
    assert (done.status, done.err) == (
        0,
        "the backup is incomplete: files of gone: they are not in the backup, because the plugin cannot list them: "
        "it is not installed\n",
    )


def test_a_restore_that_finds_no_space_says_so(data: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    mounting = 'mount -t tmpfs -o size=200k tmpfs "$1" && echo mounted && shift && exec "$@"'
    command = [needs.program("unshare"), "--user", "--map-root-user", "--mount", "sh", "-c", mounting, "sh"]
    restoring = command_line(tmp_path / "small" / "data", "restore", str(data / "chatnode.sqlite3"))
    ran = subprocess.run(
        [*command, str(tmp_path / "small"), *restoring], capture_output=True, text=True, timeout=60, check=False
    )
    if "mounted" not in ran.stdout:
        needs.missing(f"this machine lets nobody mount a file system: {ran.stderr.strip()[-200:]}")
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1), ran.stderr
    assert "restore.partial: cannot be written: the disk is full; make room" in ran.stderr


def test_what_makes_no_sense_is_said(data: Path, tmp_path: Path) -> None:
    for arguments, word in {
        ("backup", "x", "--rotate"): "not both",
        ("backup", str(data / "lock")): "already exists",
        ("backup", str(tmp_path / "no/where/b")): "could not be written",
        ("restore", str(tmp_path / "nothing")): "no such file",
        ("restore", str(data / "lock")): "not a chatnode backup",
        ("backup", str(tmp_path / "b"), "--passphrase-file", str(tmp_path / "nothing")): "cannot be read",
    }.items():
        done = chatnode(data, *arguments)
        assert done.status != 0
        assert word in done.err, done.err
    assert chatnode(tmp_path / "empty", "backup", str(tmp_path / "b")).status == 1


def test_a_backup_is_not_restored_among_other_things(data: Path, tmp_path: Path) -> None:
    assert chatnode(data, "backup", str(tmp_path / "b")).status == 0
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter").write_text("dear all")
    done = chatnode(home, "restore", str(tmp_path / "b"))
    assert (done.status, "not a chatnode data directory" in done.err) == (1, True)
    assert [path.name for path in home.iterdir()] == ["letter"]
    (tmp_path / "new").mkdir()
    assert chatnode(tmp_path / "new", "restore", str(tmp_path / "b")).status == 0
