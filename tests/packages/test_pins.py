"""The versions that bundles are built with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from .building import ROOT

pytestmark = pytest.mark.slow
OLDEST = "3.11.0"
"""The image is built in Debian 12, whose Python is 3.11.2."""


def test_each_can_be_installed_on_the_oldest_python(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--ignore-installed"]
    subprocess.run([*pip, "--report", report, "--requirement", ROOT / "packaging" / "requirements.txt"], check=True)
    found = [each["metadata"] for each in json.loads(report.read_text())["install"]]
    assert len(found) > 50
    wrong = {
        each["name"]: each["requires_python"]
        for each in found
        if OLDEST not in SpecifierSet(each.get("requires_python", ""))
    }
    assert not wrong
