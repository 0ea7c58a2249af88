"""Plugins of tests that kill their process where a file says so."""

from __future__ import annotations

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
