"""Wheels, and clean environments to install them into."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 600


def run(*command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What the command prints; raises `AssertionError` with all it said when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def wheel(source: Path, into: Path) -> Path:
    """Build a wheel of the distribution in `source`."""
    before = set(into.glob("*.whl"))
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", into, source)
    (made,) = set(into.glob("*.whl")) - before
    return made


class Environment:
    """A virtual environment that sees nothing of this one, nor of the checkout. Wheels in `wheels` are found by pip."""

    def __init__(self, path: Path, wheels: Path) -> None:
        run(sys.executable, "-m", "venv", path)
        self.bin = path / "bin"
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        self.variables = {
            name: value for name, value in os.environ.items() if name not in hidden and not name.startswith("CHATNODE_")
        }
        self.variables["PATH"] = os.pathsep.join([str(self.bin), os.environ["PATH"]])
        self.variables["PIP_FIND_LINKS"] = " ".join(filter(None, [os.environ.get("PIP_FIND_LINKS"), str(wheels)]))

    def run(self, command: str, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Run a command of the environment."""
        return run(self.bin / command, *arguments, cwd=cwd, environment=self.variables)
