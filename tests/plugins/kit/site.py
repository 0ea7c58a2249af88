"""A folder of installed plugins, as pip would leave it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

HELLO = '''
"""Hello, as a plugin."""

import attrs
import click

from chatnode.api import CHAT, Context, Plugin, command, hookimpl, setting


@attrs.frozen
class Settings:
    """Greeting."""

    word: str = setting("hello", "What it says.")


@attrs.define
class Greet:
    """Nobody in particular."""


@attrs.define
class Greeting:
    """What is said."""

    text: str


@command("NAME.greet", permission=CHAT, reads=True)
async def greet(ctx: Context, command: Greet) -> Greeting:
    """Say a word."""
    return Greeting(ctx.settings(Settings).word)


@click.group()
def cli() -> None:
    """Greet from the command line."""


@cli.command("greet")
@click.option("--loud", is_flag=True)
@click.pass_obj
def greet_here(call, loud: bool) -> None:
    """Say the word here."""
    text = call("NAME.greet")["text"]
    click.echo(text.upper() if loud else text)


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(name="NAME", version="1.5", api="2.0", about="Says hello.", settings=Settings, commands=(greet,), cli=cli)
'''  # noqa: E501 - it is short where it is written


class Site:
    """`path` belongs on the module path of whoever is to find the plugins."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: str, source: str = HELLO, version: str = "1.5") -> Path:
        """Install a plugin of one module; gives the module's file."""
        self._record(name, version)
        module = self.path / f"installed_{name}.py"
        module.write_text(dedent(source).replace("NAME", name), encoding="utf-8")
        return module

    def add_package(self, name: str, source: str, version: str = "1.5") -> Path:
        """Install a plugin that is a package; gives its folder."""
        self._record(name, version)
        folder = self.path / f"installed_{name}"
        folder.mkdir()
        (folder / "__init__.py").write_text(dedent(source), encoding="utf-8")
        return folder

    def _record(self, name: str, version: str) -> None:
        info = self.path / f"chatnode_{name}-{version}.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: chatnode-{name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[chatnode]\n{name} = installed_{name}\n")
