"""What the tests of packages need, made once for all of them: the packages, and a Debian without Python."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from tests import needs

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "examples" / "plugin_hello"
OLDER = "0.0.9"
"""The version of a package of the same commit, to upgrade from."""
_WORK = ROOT / "build" / "tested"
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"process {os.getpid()} {time.monotonic()}"


@attrs.frozen
class Built:
    """`directory` is the bundle that the archive and the Debian packages have; `base` is the Debian, as a tar."""

    results: Path
    one_file: Path
    directory: Path
    archive: Path
    deb: Path
    older_deb: Path
    bill: Path
    plugin: Path
    base: Path


def build() -> Built:
    """Everything, unless another process of this run has made it."""
    for program in ("ar", "chroot", "dpkg-deb", "mmdebstrap", "strip"):
        needs.program(program)
    needs.root()
    _WORK.mkdir(parents=True, exist_ok=True)
    results = _WORK / "results"
    with (_WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _once("packages", lambda: _build_packages(results))
        _once("base", lambda: _build_base(_WORK / "base.tar"))
        _once("plugin", lambda: _build_plugin(_WORK / "plugin"))
    [one_file] = [each for each in results.iterdir() if each.name.startswith("chatnode-") and os.access(each, os.X_OK)]
    return Built(
        results,
        one_file,
        _WORK / "frozen" / "chatnode",
        next(results.glob("*.tar.gz")),
        next(results.glob("*.deb")),
        next((_WORK / "older").glob("*.deb")),
        next(results.glob("*.cdx.json")),
        next((_WORK / "plugin").glob("*.whl")),
        _WORK / "base.tar",
    )


def _once(name: str, make: Callable[[], None]) -> None:
    """In one run of the tests, whichever process comes first makes it; a run before may have left another."""
    done = _WORK / f"{name}.made"
    if not done.exists() or done.read_text() != _RUN:
        made = time.monotonic()
        make()
        done.write_text(_RUN)
        (_WORK / f"{name}.seconds").write_text(f"{time.monotonic() - made:.0f}")


def _build_packages(results: Path) -> None:
    shutil.rmtree(results, ignore_errors=True)
    what = ("onefile", "directory", "deb")
    subprocess.run(
        [sys.executable, ROOT / "packaging" / "build.py", *what, "--to", results, "--work", _WORK], check=True
    )
    shutil.rmtree(_WORK / "older", ignore_errors=True)
    _make_older(next(results.glob("*.deb")), _WORK / "older")


def _make_older(deb: Path, folder: Path) -> None:
    """The same package with another version. What it installs is taken as it is: to compress it takes long."""
    (folder / "control").mkdir(parents=True)
    older = shutil.copy2(deb, folder / "older.deb")
    subprocess.run(["ar", "x", older, "control.tar.gz"], cwd=folder, check=True)
    subprocess.run(["tar", "-xzf", "control.tar.gz", "-C", "control"], cwd=folder, check=True)
    control = folder / "control" / "control"
    text, found = re.subn(r"^Version: .*$", f"Version: {OLDER}", control.read_text(), flags=re.MULTILINE)
    assert found == 1
    control.write_text(text)
    subprocess.run(
        ["tar", "--owner=0", "--group=0", "-czf", "control.tar.gz", "-C", "control", "."], cwd=folder, check=True
    )
    subprocess.run(["ar", "r", older, "control.tar.gz"], cwd=folder, check=True)


def _build_base(target: Path) -> None:
    """Debian's essential packages and the one that makes users, from wherever apt has them from on this machine."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages",
         "Origin: Debian"],
        capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    sources = "".join(f"deb {line}\n" for line in sorted(filter(None, set(listed))))
    assert sources, "apt knows no packages of Debian; run apt-get update"
    target.unlink(missing_ok=True)
    subprocess.run(
        ["mmdebstrap", "--quiet", "--mode=root", "--variant=essential", "--include=systemd-standalone-sysusers",
         _codename(), target, "-"],
        input=sources, text=True, check=True,
    )  # fmt: skip


def _codename() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next(line.partition("=")[2].strip('"') for line in lines if line.startswith("VERSION_CODENAME="))


def _build_plugin(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", target, HELLO], check=True)
