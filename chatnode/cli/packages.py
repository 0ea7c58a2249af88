"""How the distributions of plugins come and go: by pip, beside chatnode or, in a bundle, in the data directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from chatnode import bundle
from chatnode.errors import StartError
from chatnode.hooks.site import PYTHON, PluginSite
from chatnode.logs import get_logger
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.file_owners import make_directory

logger = get_logger("plugins")

_RUN_PIP = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module('pip', None, '__main__', True)"
"""What is in the directory of the first argument counts as installed."""
_WHEELS = ("--only-binary", ":all:", "--quiet", "--root-user-action", "ignore")
_IMPATIENT = ("--retries", "0", "--timeout", "5")


def add(data: Path, what: str) -> None:
    """Install a distribution, a wheel or, where there is a Python to build it, a directory. Raises `StartError`."""
    path = Path(what).resolve() if Path(what).exists() else None
    if bundle.ROOT is None:
        _pip_beside("install", "--quiet", str(path or what))
    elif path is not None and path.suffix != ".whl":
        raise StartError(f"{what} is not a wheel, and there is no Python here to build one; run `pip wheel` elsewhere")
    else:
        DataDirectory(data).require_node()
        _add_to_site(PluginSite(data), str(path or what))


def remove(data: Path, distribution: str) -> None:
    """Uninstall a distribution. Raises `StartError`."""
    if bundle.ROOT is None:
        _pip_beside("uninstall", "--yes", "--quiet", distribution)
    else:
        PluginSite(data).remove(distribution)


def renew(data: Path) -> None:
    """In a bundle, install again what was installed for another Python. What cannot be had now stays as it is: it runs
    all the same, or is a broken plugin."""
    site = PluginSite(data)
    for each in site.requirements() if bundle.ROOT is not None else ():
        if each.python == PYTHON:
            continue
        logger.info("installing %s again: it was installed for %s, this is %s", each, each.python, PYTHON)
        try:
            with _workplace(site) as work:
                _install(site, work, _IMPATIENT, [str(each)])
        except StartError as error:
            logger.warning("%s was not installed again: %s", each, error)


def _pip_beside(verb: str, *arguments: str) -> None:
    """Run pip, which speaks for itself, in the Python that chatnode runs in."""
    if find_spec("pip") is None:
        raise StartError(
            "this Python has no pip; run `python -m ensurepip`, or install the plugin the way you installed "
            "chatnode (`pipx inject chatnode …`, `uv pip install …`)"
        )
    _run(verb, [sys.executable, "-m", "pip", verb, *arguments])


def _add_to_site(site: PluginSite, what: str) -> None:
    """What the bundle has is never installed a second time: pip sees it, and may choose no other version of it."""
    with _workplace(site) as work:
        fixed = work / "fixed.txt"
        in_bundle = distributions(path=[str(bundle.ROOT)])
        fixed.write_text("".join(f"{each.name}=={each.version}\n" for each in in_bundle), encoding="utf-8")
        report = work / "report.json"
        _pip(site, *_WHEELS, "--constraint", str(fixed), "--dry-run", "--report", str(report), what)
        wanted = [each["download_info"]["url"] for each in json.loads(report.read_bytes())["install"]]
        if wanted:
            _install(site, work, (), wanted)


def _install(site: PluginSite, work: Path, options: tuple[str, ...], wanted: list[str]) -> None:
    new = work / "site"
    _pip(site, *_WHEELS, *options, "--no-deps", "--target", str(new), *wanted)
    try:
        site.add(new)
    except OSError as error:
        raise StartError(f"{error.filename or site.path}: {error.strerror}; nothing was changed") from None


@contextmanager
def _workplace(site: PluginSite) -> Generator[Path]:
    """A directory beside the site, for what may fail."""
    make_directory(site.path.parent)
    with TemporaryDirectory(dir=site.path.parent, prefix=".install-") as work:
        yield Path(work)


def _pip(site: PluginSite, *arguments: str) -> None:
    _run("install", [sys.executable, "-I", "-c", _RUN_PIP, str(site.path), "install", *arguments])


def _run(verb: str, command: list[str]) -> None:
    environment = {**os.environ, **bundle.python_variables(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if subprocess.run(command, env=environment, check=False).returncode:
        raise StartError(f"pip {verb} failed; nothing was changed")
