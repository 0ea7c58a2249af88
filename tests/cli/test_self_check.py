"""`chatnode self check`, where chatnode is installed by pip; tests/packages has it in a bundle."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from chatnode import __version__
from chatnode.cli.self_check import digest
from tests.commands import PLUGINS
from tests.plugins.kit.site import Site

from .command import chatnode


def test_it_says_what_there_is_and_makes_nothing(nowhere: Path) -> None:
    done = chatnode(nowhere, "self", "check")
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[0] == f"ok     chatnode {__version__}"
    assert {f"ok     SQLite {sqlite3.sqlite_version}", f"ok     {os.confstr('CS_GNU_LIBC_VERSION')}"} <= {*lines}
    assert [line for line in lines if "plugin" in line] == [
        f"ok     plugin {each.name} {each.version}" for each in PLUGINS
    ]
    assert not nowhere.exists()


def test_a_broken_plugin_is_named(nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path / "site")
    site.add("hasty", "raise RuntimeError('it was written in a hurry')")
    monkeypatch.syspath_prepend(site.path)
    done = chatnode(nowhere, "self", "check")
    assert done.status == 1
    lines = done.out.splitlines()
    assert "it was written in a hurry" in lines[lines.index("FAILED plugin hasty 1.5") + 1]


def test_the_digest_of_a_directory_is_of_its_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/c").write_text("2")
    (tmp_path / "link").symlink_to("a")
    before = digest(tmp_path)
    (tmp_path / "link").unlink()
    assert digest(tmp_path) == before
    (tmp_path / "a").rename(tmp_path / "d")
    assert digest(tmp_path) != before
