"""A test that hangs ends, is named, and shows where it hangs; the others are run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import limits

HANGING = """
import threading
import pytest

@pytest.mark.limit(0.5)
def test_hangs_in_a_thread():
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    wait_for_it(thread)

def wait_for_it(thread):
    thread.join()

@pytest.mark.limit(60)
def test_is_quick():
    pass
"""


@pytest.mark.parametrize("workers", [[], pytest.param(["-n", "1"], marks=pytest.mark.slow)], ids=["alone", "xdist"])
def test_a_test_that_hangs_is_ended_and_shows_its_stacks(tmp_path: Path, workers: list[str]) -> None:
    (tmp_path / "test_it.py").write_text(HANGING)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = limit")
    command = [sys.executable, "-m", "pytest", "-p", "tests.limits", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [*command, *workers, "test_it.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "test_it.py::test_hangs_in_a_thread took more than" in said
    assert "in wait_for_it" in said
    if workers:
        assert "1 failed, 1 passed" in said


def test_slow_tests_have_more_time(request: pytest.FixtureRequest) -> None:
    assert limits.seconds_for(request.node) == limits.FAST_SECONDS
    request.node.add_marker("slow")
    assert limits.seconds_for(request.node) == limits.SLOW_SECONDS
    request.node.add_marker(pytest.mark.limit(5))
    assert limits.seconds_for(request.node) == 5
