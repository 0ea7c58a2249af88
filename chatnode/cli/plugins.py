"""`chatnode plugin`: which plugins there are, whether they run, what they offer; a new one."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from chatnode.cli.installing import install, uninstall
from chatnode.cli.operator import run_making_command, run_operator_command
from chatnode.counting import counted
from chatnode.errors import StartError
from chatnode.hooks.discovery import GROUP, Installed, installed


@click.group()
def plugin() -> None:
    """Manage plugins."""


plugin.add_command(install)
plugin.add_command(uninstall)


@plugin.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_plugins(data: Path, as_json: bool) -> None:
    """List installed plugins and their status."""
    with _nothing_logged():  # what is broken is named below
        plugins: list[dict[str, Any]] = run_operator_command(data, "plugins.list")["plugins"]
    if as_json:
        import orjson

        click.echo(orjson.dumps(plugins, option=orjson.OPT_INDENT_2))
        return
    for each in plugins:
        click.echo(f"{each['name']:16} {each['version']:10} {each['state']:10} {each['about']}".rstrip())
        if "bots" in each:
            click.echo(f"{'':16} bots: {', '.join(each['bots'])}")
        if "reason" in each:
            click.echo(f"{'':16} {each['reason']}")
        if "at_next_start" in each:
            click.echo(f"{'':16} {each['at_next_start']} after the next restart")
        if each["failures"]:
            click.echo(f"{'':16} failed {counted(each['failures'], 'time')}, last: {each['last_failure']}")
        if each.get("held_thread"):  # a node from before the update does not say
            held = counted(each["held_thread"], "time")
            click.echo(f"{'':16} held the node's thread {held}, last: {each['last_held']}")


@plugin.command()
@click.argument("name")
@click.pass_obj
def enable(data: Path, name: str) -> None:
    """Enable plugin NAME after the next restart."""
    run_making_command(data, "plugins.enable", plugin=name)
    click.echo(f"{name} will run after the next restart")


@plugin.command()
@click.argument("name")
@click.pass_obj
def disable(data: Path, name: str) -> None:
    """Disable plugin NAME after the next restart; its data stays."""
    run_making_command(data, "plugins.disable", plugin=name)
    click.echo(f"{name} will not run after the next restart; its data is kept")


@plugin.command()
@click.argument("name", required=False)
@click.option("--python", "as_python", is_flag=True, help="Print Python classes with typed calls of its commands.")
def docs(name: str | None, as_python: bool) -> None:
    """Print Markdown documentation of plugin NAME, or of every plugin."""
    from chatnode.cli.extensions import declared, sound
    from chatnode.reference import plugins as plugin_reference

    if name is None:
        chosen = list(sound())
    else:
        found = _installed(name)
        chosen = [(found, declared(found))]
    if as_python:
        from chatnode.embed import generate

        click.echo(generate.render_plugins([offers for _, offers in chosen]), nl=False)
        return
    texts = (plugin_reference.render(offers, found.load()) for found, offers in chosen)
    click.echo("\n".join(texts), nl=False)


@plugin.command()
@click.argument("what", nargs=-1, required=True)
def check(what: tuple[str, ...]) -> None:
    """Check that plugins load and are documented.

    WHAT is a plugin's name, or the directory with its pyproject.toml. Exits with 1 if something is wrong.

    """
    from chatnode.hooks.review import review
    from chatnode.services import SUBJECTS

    is_sound = True
    for each in what:
        for found in _in_directory(Path(each)) if Path(each).is_dir() else [_installed(each)]:
            with _nothing_logged():
                faults = review(found, SUBJECTS)
            is_sound = is_sound and not faults
            click.echo(f"{'ok' if not faults else 'FAILED':7}{found.name} {found.version}".rstrip())
            for fault in faults:
                click.echo(f"       {fault}")
    sys.exit(0 if is_sound else 1)


@plugin.command()
@click.argument("name")
@click.option(
    "--directory", type=click.Path(path_type=Path), default=Path(), help="Directory to create it in (default: here)."
)
def new(name: str, directory: Path) -> None:
    """Create a plugin NAME in the directory chatnode-NAME.

    It works as it is and comes with a test.
    """
    from chatnode import scaffold

    made = scaffold.make(name, directory)
    click.echo(f"created {made}; run `make test` there; README.md explains the files")


@contextmanager
def _nothing_logged() -> Generator[None]:
    """Within the block the log does not say, with all its details, why a plugin is broken."""
    from chatnode.logs import get_logger

    logger = get_logger("plugins")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


def _installed(name: str) -> Installed:
    found = {each.name: each for each in installed()}
    if name not in found:
        raise StartError(f"no plugin {name} is installed; installed are {', '.join(found) or 'none'}")
    return found[name]


def _in_directory(directory: Path) -> list[Installed]:
    """The plugins of a distribution that need not be installed."""
    import tomllib
    from importlib.metadata import EntryPoint

    try:
        project: dict[str, Any] = tomllib.loads((directory / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        points: dict[str, str] = project["entry-points"][GROUP]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise StartError(f"{directory}: no pyproject.toml here with entry points of the group {GROUP}") from error
    sys.path[:0] = [str(directory.resolve()), str(directory.resolve() / "src")]
    return [
        Installed(name, project.get("name", ""), project.get("version", ""), EntryPoint(name, value, GROUP).load)
        for name, value in points.items()
    ]
