"""Standard streams that are closed or full, and words of a command line that are no text."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from .command import Done, Serving, chatnode, command_line, environment


def in_shell(data: Path, arguments: str, rest: str) -> Done:
    """Run the command with what a shell puts behind it."""
    line = f"{shlex.join(command_line(data))} {arguments} {rest}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment(), check=False, timeout=60
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_output_that_finds_no_space_is_said(data: Path) -> None:
    serving = Serving(data)
    done = in_shell(data, "call node.info", "> /dev/full")
    assert serving.stop().status == 0
    assert (done.status, "Traceback" in done.err, "No space left" in done.err) == (1, False, True)
    for arguments in ("user add ann --no-password", "user list", "invite"):
        done = in_shell(data, arguments, "> /dev/full")
        assert (done.status, done.err.count("\n")) == (1, 1)
        assert done.err.startswith("chatnode: cannot write to standard output: No space left on device; ")


@pytest.mark.parametrize("arguments", ["user add ann", "user add ann --password-stdin", "chat", "chat bob --token x"])
def test_no_command_needs_standard_input_to_be_open(data: Path, arguments: str) -> None:
    done = in_shell(data, arguments, "<&-")
    assert done.status in (1, 2)
    assert "Traceback" not in done.err
    assert done.err


def test_the_database_never_gets_the_number_of_a_closed_stream(data: Path) -> None:
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        assert in_shell(data, "user list", closed).status == 0
        assert in_shell(data, "check", closed).status == 0


def test_an_export_goes_to_standard_output(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = in_shell(data, "export", "-")
    assert (done.status, done.out.startswith('{"type":"export"')) == (0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("place", ["/", ".", ""])
def test_a_directory_is_no_file_to_export_to(data: Path, place: str) -> None:
    for arguments in (("export", place), ("user", "export", "ann", place)):
        done = chatnode(data, *arguments)
        assert (done.status, "already exists; not overwritten" in done.err) == (1, True)


def test_a_field_is_given_once(data: Path) -> None:
    done = chatnode(data, "call", "people.get", "person=ann", "person:=1")
    assert (done.status, "person is given twice" in done.err) == (2, True)


def test_a_number_that_no_session_has(data: Path) -> None:
    done = chatnode(data, "token", "revoke", "ann", "9" * 23)
    assert (done.status, "is not in the range" in done.err) == (2, True)
