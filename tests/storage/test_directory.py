"""The data directory: one owner at a time, whatever becomes of the owner."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatnode.config import Storage
from chatnode.errors import InUse, StartError
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.engine.directory import DataDirectory

OWNER = """
import sys, time
from pathlib import Path
from chatnode.storage.engine.directory import DataDirectory
directory = DataDirectory(Path(sys.argv[1]))
directory.claim()
print("claimed", flush=True)
time.sleep(60)
"""


@contextmanager
def owner_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the directory."""
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "claimed\n"
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_a_second_owner_is_refused_and_told_which_process_is_the_first(tmp_path: Path) -> None:
    with owner_process(tmp_path) as process:
        with pytest.raises(StartError, match=rf"{tmp_path}: in use by another chatnode \(process {process.pid}\)"):
            DataDirectory(tmp_path).claim()
        with pytest.raises(StartError, match=str(process.pid)):
            DataDirectory(tmp_path).claim()


def test_a_killed_owner_leaves_no_lock_behind(tmp_path: Path) -> None:
    with owner_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        directory = DataDirectory(tmp_path)
        directory.claim()
        directory.release()


def test_within_one_process_too_there_is_one_owner(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path), DataDirectory(tmp_path)
    first.claim()
    with pytest.raises(StartError, match=f"process {os.getpid()}"):
        second.claim()
    first.release()
    second.claim()
    second.release()
    second.release()  # twice does nothing


def test_the_lock_does_not_pass_to_programs_that_are_started(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.claim()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        directory.release()
        try:
            directory.claim()
        finally:
            child.kill()
    directory.release()


def test_a_new_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "new" / "data")
    directory.claim()
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory.path / "lock").stat().st_mode) == 0o600
    directory.release()


def test_a_database_that_is_a_link_is_made_where_it_leads(tmp_path: Path) -> None:
    directory, disk = DataDirectory(tmp_path / "data"), tmp_path / "disk"
    directory.path.mkdir()
    disk.mkdir()
    directory.database.symlink_to(disk / "chat.sqlite3")
    connect_writer(directory.database, Storage()).close()
    assert directory.database.is_symlink()
    assert (disk / "chat.sqlite3").stat().st_size


def test_a_place_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(StartError, match="cannot be used as a data directory"):
            DataDirectory(path).claim()


def test_a_full_disk_is_said_so_and_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no space left even for the number of the process."""
    directory = DataDirectory(tmp_path)

    def write(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(StartError, match="No space left on device"):
            directory.claim()
    again = DataDirectory(tmp_path)
    again.claim()
    again.release()


def test_the_directory_says_where_its_files_are(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    names = [path.name for path in (directory.database, directory.config, directory.control_socket)]
    assert names == ["chatnode.sqlite3", "config.toml", "control.sock"]


def test_the_lock_does_not_pass_to_children_that_are_forked(tmp_path: Path) -> None:
    """Else nobody could take over from a program that was killed while a child of it is still there."""
    code = f"""
import os, time
from pathlib import Path
from chatnode.storage.engine.directory import DataDirectory
directory = DataDirectory(Path({str(tmp_path)!r}))
directory.claim()
if os.fork() == 0:
    print("forked", flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "forked\n"
            with pytest.raises(InUse) as refused:
                DataDirectory(tmp_path).claim()
            assert refused.value.process == process.pid
            process.kill()
            process.wait()
            directory = DataDirectory(tmp_path)
            directory.claim()
            directory.release()
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_what_is_said_of_the_owner_can_be_pickled(tmp_path: Path) -> None:
    error = InUse(tmp_path, 12, "wait")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.directory, again.process) == (str(error), str(tmp_path), 12)
    assert str(error) == f"{tmp_path}: in use by another chatnode (process 12); wait"


def test_a_file_in_the_way_is_named_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StartError) as refused:
        DataDirectory(file / "data").claim()
    assert str(refused.value).count("Not a directory") == 1
