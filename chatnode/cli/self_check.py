"""`chatnode self`: what this installation consists of, and whether it is whole."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click

from chatnode import __version__, bundle
from chatnode.errors import StartError


@click.group("self")
def itself() -> None:
    """Inspect this installation."""


@itself.command()
@click.pass_obj
def check(data: Path) -> None:
    """Verify that it is complete; exits with 1 if not.

    Plugins are loaded for this, but no node is needed. In a bundle, what `chatnode plugin install` put into the data
    directory is listed too.
    """
    is_sound = True
    for what, fault in (*_program(), *_plugins(), *_installed_into(data)):
        is_sound = is_sound and not fault
        click.echo(f"{'FAILED' if fault else 'ok':7}{what}")
        if fault:
            click.echo(f"       {fault}")
    sys.exit(0 if is_sound else 1)


Finding = tuple[str, str]
"""What was looked at, and what is wrong with it, or nothing."""


def _program() -> Iterator[Finding]:
    from chatnode.storage.engine.connection import SQLITE, refuse_old_sqlite

    yield f"chatnode {__version__}", ""
    place = sys.executable if bundle.ROOT is None or bundle.IS_ONE_FILE else os.path.dirname(sys.executable)
    form = "" if bundle.ROOT is None else "in one file, " if bundle.IS_ONE_FILE else "in a directory, "
    yield f"Python {sys.version.split()[0]}, {form}{place}", ""
    if bundle.ROOT is not None:
        yield f"SHA-256 {digest(Path(place))}", ""
    yield os.confstr("CS_GNU_LIBC_VERSION") or "no glibc", ""
    yield f"SQLite {SQLITE}", _refusal(refuse_old_sqlite)
    yield "child processes", _child()


def digest(path: Path) -> str:
    """The SHA-256 of a file; of a directory, that of the lines which `sha256sum` prints for its sorted files."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file() and not each.is_symlink())
    lines = "".join(f"{digest(path / each)}  {each}\n" for each in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _child() -> str:
    """Why Python cannot be run in another process, as pictures and imports have it."""
    command = [sys.executable, "-I", "-c", "import ssl, sqlite3; print('here')"]
    try:
        done = subprocess.run(command, env=bundle.python_variables(), capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{sys.executable}: {error.strerror}"
    return "" if done.stdout == "here\n" else f"it exited with {done.returncode}: {done.stderr.strip()[-300:]}"


def _plugins() -> Iterator[Finding]:
    from chatnode.cli.extensions import declared
    from chatnode.hooks.discovery import installed

    for found in installed():
        yield f"plugin {found.name} {found.version}".rstrip(), _refusal(partial(declared, found))


def _refusal(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except StartError as error:
        return str(error)
    return ""


def _installed_into(data: Path) -> Iterator[Finding]:
    from chatnode.hooks.site import PYTHON, PluginSite

    site = PluginSite(data)
    for each in site.requirements() if bundle.ROOT is not None else ():
        yield f"{site.path}: {each}", "" if each.python == PYTHON else f"installed for {each.python}, this is {PYTHON}"
