"""Plugins of tests that kill their process where a file says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DIE_HERE = """
import os
import signal
from pathlib import Path

DIE = Path(os.environ["COUNTING_DIE"])


def die_here(place):
    try:
        if DIE.read_text() != place:
            return
        DIE.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
"""
"""Code for a plugin: `die_here(place)` kills the process if the file that COUNTING_DIE names has this text."""


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, plugin: str) -> Path:
    """Put the plugin `counting` where Python finds it, as an installer would; returns the file that COUNTING_DIE names.

    `plugin` is its code.
    """
    site, die = folder / "site", folder / "die"
    about = site / "counting-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[chatnode]\ncounting = counting_plugin\n")
    (site / "counting_plugin.py").write_text(plugin)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep))
    monkeypatch.setenv("COUNTING_DIE", str(die))
    return die
