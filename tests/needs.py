"""What a test needs of the machine. A test skips nothing in any other way (tests/test_needs.py).

What is missing skips the test on a developer's machine, and fails it where `CI` is set: a test that never runs is found
out there. Real archives alone may be left out of either: they are not in the repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

_ALSO_IN = "/usr/sbin"
"""Not in the path of every user."""


def missing(what: str) -> NoReturn:
    """Skips the test that is running, or fails it where `CI` is set. `what` is a sentence."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; with CI set, nothing may be missing", pytrace=False)
    pytest.skip(what)


def program(*names: str, also_in: Sequence[str] = ()) -> str:
    """The path of the first of these programs that is installed."""
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path=os.pathsep.join([_ALSO_IN, *also_in])):
            return found
    missing(f"{' or '.join(names)} is not installed")


def module(name: str, package: str) -> None:
    """A module of Python that Debian has in a package of its own."""
    if find_spec(name) is None:
        missing(f"this Python has no {name} ({package})")


def root() -> None:
    """That the test is run as root."""
    if os.geteuid() != 0:
        missing("it needs root, as it sets up another system in a directory")


def tracing() -> None:
    """strace, and that it may trace."""
    if reason := _why_no_tracing(program("strace")):
        missing(reason)


@cache
def _why_no_tracing(strace: str) -> str | None:
    probe = subprocess.run([strace, "-f", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return None if probe.returncode == 0 else f"strace may not trace here: {probe.stderr[:200]!r}"


def real_data(name: str) -> Path:
    """A file of real data: `CHATNODE_ARCHIVE` names one of them, and the others lie beside it."""
    named = os.environ.get("CHATNODE_ARCHIVE")
    if not named:
        pytest.skip("CHATNODE_ARCHIVE names no real archive")
    path = Path(named).with_name(name)
    if not path.is_file():
        pytest.fail(f"CHATNODE_ARCHIVE is {named}, and there is no {name} beside it", pytrace=False)
    return path
