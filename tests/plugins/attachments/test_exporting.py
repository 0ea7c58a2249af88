"""`chatnode attachments export`: everything of a user, for the operator's eyes only."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import trio

from chatnode.config import Config
from chatnode.node import open_node
from chatnode.testing import User
from tests.cli.command import Done, Serving, chatnode, run
from tests.plugins.attachments.store.storing import PLUGINS, Uploader


def uploaded(data: Path, files: dict[str, bytes]) -> list[Path]:
    """Let a new user, ann, upload files; returns where their contents are."""

    async def upload() -> list[Path]:
        async with open_node(data, Config(), only=PLUGINS) as node:
            ann = Uploader(node, await User.new(node, "ann"))
            return [ann.store.layout.blob((await ann.uploads(each, name)).blob_name) for name, each in files.items()]

    return trio.run(upload)


def exported(data: Path, directory: Path) -> Done:
    return chatnode(data, "attachments", "export", "ann", str(directory))


def contents(directory: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in directory.iterdir())


def test_only_its_owner_can_read_an_export(tmp_path: Path) -> None:
    uploaded(tmp_path / "data", {"a.txt": b"one"})
    for _ in range(2):
        assert exported(tmp_path / "data", tmp_path / "out").status == 0
        [copy] = (tmp_path / "out").iterdir()
        assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out", copy)] == [0o700, 0o600]
        copy.chmod(0o644)


def test_a_name_as_long_as_names_may_be_is_shortened(tmp_path: Path) -> None:
    uploaded(tmp_path / "data", {"\xe4" * 125 + ".tar": b"one", "b.txt": b"two"})
    assert exported(tmp_path / "data", tmp_path / "out").status == 0
    assert contents(tmp_path / "out") == [b"one", b"two"]
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".tar", ".txt"}


def test_a_file_that_is_missing_is_named_and_the_others_are_copied(tmp_path: Path) -> None:
    blobs = uploaded(tmp_path / "data", {"a.txt": b"one", "b.txt": b"two", "c.txt": b"three"})
    blobs[1].unlink()
    done = exported(tmp_path / "data", tmp_path / "out")
    assert done.status == 1
    assert "'b.txt' could not be copied" in done.err
    assert contents(tmp_path / "out") == [b"one", b"three"]


def test_the_node_may_have_been_started_with_a_relative_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(tmp_path / "data", {"a.txt": b"one"})
    monkeypatch.chdir(tmp_path)
    serving = Serving(Path("data"))
    try:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert run(Path("../data"), "attachments", "export", "ann", "out").status == 0
        assert contents(tmp_path / "elsewhere" / "out") == [b"one"]
    finally:
        assert serving.stop().status == 0
